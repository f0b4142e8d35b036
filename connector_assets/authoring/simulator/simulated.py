"""A spec simulated: the pointed copy, the values to read it with, and the API behind it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from connector_assets.authoring.simulator.api import SimulatedApi
from connector_assets.authoring.simulator.made_up import config_of, names_in, secrets_of
from connector_assets.authoring.simulator.patterns import Known, as_text
from connector_assets.authoring.simulator.pointed import Pointed, pointed
from connector_assets.authoring.simulator.server import address_of, ports, serving
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.auth.oauth import OAuth2Auth
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import parse_connector


@dataclass(frozen=True, kw_only=True)
class ServedSpec:
    """What a reader of a served spec needs: `text` is the pointed spec, a JSON document.

    `known` are config values and secrets as templates name them.
    """

    text: str
    spec: ConnectorSpec
    bases: tuple[str, ...]
    config: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    known: Known = field(repr=False)
    auth: int | None = None

    @property
    def allowed(self) -> list[str]:
        """The hosts that must be allowed, as `127.0.0.1:8001`."""
        return [base.removeprefix("http://") for base in self.bases]

    @property
    def chosen(self) -> Auth | None:
        """The one of the spec's auths that requests must have."""
        return None if self.auth is None else self.spec.auth[self.auth]


@dataclass(frozen=True, kw_only=True)
class Simulated(ServedSpec):
    """A simulated API, and what it is read with."""

    api: SimulatedApi


@contextmanager
def simulated(
    data: Mapping[str, Any],
    *,
    config: Mapping[str, str] | None = None,
    auth: int = 0,
    port: int = 0,
    now: dt.datetime | None = None,
    samples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Iterator[Simulated]:
    """Serve the API of a valid connector as long as the block lasts.

    `data` is the document as plain data, `config` are values that cannot be made up, `auth` picks
    one of the spec's by position, `port` is the first port, 0 for free ones, and `samples` are
    rows of streams as the vendor sends them. CannotSimulate says what of the spec has no meaning
    here.
    """
    now = now or dt.datetime.now(dt.UTC).replace(microsecond=0)
    moved = pointed(data, now)
    spec = parse_connector(json.dumps(moved.data, ensure_ascii=False))
    if not spec.streams:
        raise CannotSimulate("the spec has only streams that are discovered")
    with ports(max(len(moved.origins), 1), port) as servers:
        bases = tuple(address_of(one) for one in servers)
        served = served_spec(moved, spec, bases, config or {}, auth)
        api = SimulatedApi(spec, served.known, bases, now, served.chosen, samples or {})
        with serving(servers, api):
            yield Simulated(
                **{one.name: getattr(served, one.name) for one in fields(served)}, api=api
            )


def served_spec(
    moved: Pointed,
    spec: ConnectorSpec,
    bases: tuple[str, ...],
    config: Mapping[str, Any],
    auth: int,
) -> ServedSpec:
    """What a pointed spec is read with at `bases`: its values, those of `config` among them."""
    values = config_of(spec, {**config, **moved.config(list(bases))})
    chosen = spec.auth[auth] if auth < len(spec.auth) else None
    wanted = _secrets_used(spec, chosen)
    secrets = {name: value for name, value in _secrets(spec, chosen).items() if name in wanted}
    texts = {name: as_text(value) for name, value in values.items()}
    known = {
        **texts,
        **{f"config.{name}": value for name, value in texts.items()},
        **{f"secrets.{name}": value for name, value in secrets.items()},
    }
    return ServedSpec(
        text=json.dumps(moved.data, ensure_ascii=False),
        spec=spec,
        bases=bases,
        config=values,
        secrets=secrets,
        known=known,
        auth=auth if chosen else None,
    )


def _secrets(spec: ConnectorSpec, chosen: Auth | None) -> dict[str, str]:
    own = [one.auth[0] for one in spec.endpoints if one.auth]
    plain = {
        name.removeprefix("secrets.")
        for part in (spec.endpoints, spec.defaults, tuple(one.vars for one in spec.streams))
        for name in names_in(part)
        if name.startswith("secrets.")
    }
    made = {name: f"sim-{name}-plain" for name in plain}
    return {**made, **secrets_of((*own, *([chosen] if chosen else [])))}


def _secrets_used(spec: ConnectorSpec, chosen: Auth | None) -> set[str]:
    """The secrets to give: of an OAuth client not the token that it can obtain."""
    if isinstance(chosen, OAuth2Auth) and chosen.token_url is not None:
        ways = chosen.ways()
        way = ways[1] if chosen.grant == "auto" and len(ways) > 1 else ways[0]
        rest = _secrets(spec, None)
        return {*way, *rest}
    return set(_secrets(spec, chosen))
