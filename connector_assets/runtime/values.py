"""What a connection brings to a spec, and the names that templates read it by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.redact import Secrets
from connector_assets.runtime.by_hand import AS_THE_SPEC_SAYS, ByHand
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.http.network import Network
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.escaping import Constant
from connector_assets.spec.templates.template import CLOCK, Template
from connector_assets.spec.values import config_values


@dataclass(frozen=True)
class Values:
    """What a connection brings to a spec; `id` names its budget and its tokens.

    `origins` are the only ones that it lets the spec send to; None: those of the spec. `network`
    says how its requests leave; None: as the runtime says. `by_hand` are the parts that are Python.
    """

    id: str
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    vars: Mapping[str, Any] = field(default_factory=dict)
    auth: str | int | None = None
    origins: Collection[str] | None = None
    network: Network | None = None
    by_hand: ByHand = AS_THE_SPEC_SAYS


def scope_of(
    spec: ConnectorSpec, stream: Stream | None, values: Values, clock: Clock
) -> dict[str, Any]:
    """What templates may name: config and vars bare, `config.x`, `secrets.x`, `stream`.

    A bare name never finds a secret. Vars win over config, a connection's over the spec's.
    """
    scope: dict[str, Any] = {
        CLOCK: clock.utc_now,
        "secrets": values.secrets,
    }
    own = stream.vars if stream else {}
    if stream is not None:
        # A connection's config may name the stream's literal vars, as {{resourceType}}.
        scope.update(_constants(own))
        scope["stream"] = stream.name
    given = {name: _rendered(value, scope) for name, value in values.params.items()}
    try:
        config = config_values(spec, given)
    except ValueError as error:
        raise ConfigError(str(error), where=f"{values.id}: config") from None
    scope = {**config, **scope, "config": config}
    for bound in (own, values.vars):
        scope.update({name: _rendered(value, scope) for name, value in bound.items()})
        scope.update(_constants(bound) if bound is own else ())
    return scope


def _constants(own: Mapping[str, Any]) -> Iterator[tuple[str, Constant]]:
    """The vars that are literal texts of the spec."""
    for name, value in own.items():
        if isinstance(value, Template) and value.is_literal:
            yield name, Constant(value.source)


def _rendered(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, tuple):
        return [_rendered(item, scope) for item in value]
    return value.value(scope) if isinstance(value, Template) else value
