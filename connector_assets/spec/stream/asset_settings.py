"""What a connection says of its assets beside their rows: keys, labels, how and when steps run."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from connector_assets.spec.names import dates
from connector_assets.spec.names.catalogue import Group, Owner, Tags
from connector_assets.spec.names.cron import check_cron
from connector_assets.spec.names.model import Many, Model
from connector_assets.spec.names.names import Text

_PART = re.compile(r"[A-Za-z0-9_]{1,120}")
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,119}")
_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NAMES = ("connection", "connector", "stream")
_KIND = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_MINUTE = dt.timedelta(minutes=1)


def _unspaced(value: str) -> str:
    if re.search(r"\s", value):
        raise ValueError("must hold no space")
    return value


def _key(value: Any) -> Any:
    """Parts as `a/b`, the form that people type."""
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else value


def _parts(value: str) -> str:
    for name in _NAME.findall(value):
        if name not in _NAMES:
            raise ValueError(f'reads "{name}"; a key may read {", ".join(_NAMES)}')
    if not all(_PART.fullmatch(part) for part in _NAME.sub("x", value).split("/")):
        raise ValueError('must be parts of letters, digits and "_", with "/" between them')
    return value


def span(value: str) -> str:
    """A duration of at least a minute; ValueError for another."""
    duration = dates.duration(value)
    if duration.months:
        raise ValueError("must be in weeks, days or less; months differ")
    if duration.span < _MINUTE:
        raise ValueError("must be at least a minute, PT1M")
    return value


def _kind(value: str) -> str:
    if not _KIND.fullmatch(value):
        raise ValueError("must be up to 63 letters, digits, '_', '.' and '-'")
    return value


def _condition(value: str) -> str:
    if value in ("eager", "on_missing"):
        return value
    try:
        return check_cron(value)
    except ValueError:
        raise ValueError("must be eager, on_missing, or a cron expression of five fields") from None


def _table(value: str) -> str:
    for name in _NAME.findall(value):
        if name not in ("connection", "stream"):
            raise ValueError(f"{{{{{name}}}}} is unknown; use connection or stream")
    if not _TABLE.fullmatch(_NAME.sub("x", value)):
        raise ValueError("must be a name of letters, digits and underscores, as eu_{{stream}}")
    return value


TablePattern = Annotated[str, AfterValidator(_table)]
Pool = Annotated[Text, AfterValidator(_unspaced)]
Key = Annotated[str, BeforeValidator(_key), AfterValidator(_parts)]
Span = Annotated[str, AfterValidator(span)]
Kind = Annotated[str, AfterValidator(_kind)]
Condition = Annotated[str, AfterValidator(_condition)]


class RetrySettings(Model):
    """How often Dagster runs a failed step again; requests are retried within a step already."""

    max_retries: Annotated[int, Field(ge=1, le=100)] = 1
    """Further tries of the step."""
    delay: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """Seconds before another try; default none."""
    backoff: Literal["linear", "exponential"] | None = None
    """How the delay grows; default not at all."""
    jitter: Literal["full", "plus_minus"] | None = None
    """How the delay is spread; default not at all."""


class AssetSettings(Model):
    """What may be said of all assets of a connection, and of one."""

    key: Key | None = None
    """Key of the asset, as `raw/{{connection}}/{{stream}}` or a list of its parts; it may read
    `connection`, `connector` and `stream`. Schema and table stay as they are. Default:
    `{{connection}}/{{stream}}`.
    """
    group: Group | None = None
    """Group of the assets; letters, digits and underscores. Default: the connection's id."""
    owners: Many[Owner] = ()
    """Owners of the assets, e-mail addresses or as "team:data", instead of the connector's."""
    tags: Tags = {}
    """Tags of the assets, beside the connector's; of the same name, the nearest wins."""
    kinds: Many[Kind] = ()
    """Kinds of the assets, shown as labels, beside the connector's id and the store's."""
    metadata: dict[str, Any] = {}
    """Metadata of the assets, shown before any run: texts, numbers, lists and mappings."""
    automation_condition: Condition | None = None
    """When Dagster materializes an asset without a schedule: `eager` (a stream it reads was
    loaded), `on_missing`, or a cron, which also waits for what the asset reads.
    """
    watch: Span | None = None
    """How often a sensor asks the API by one small request whether a stream has changed, as PT5M;
    only then the stream is loaded, with those that are read for its rows. Of a connection, it is
    for the streams that can be asked so.
    """
    fresh_within: Span | None = None
    """How long after a load an asset counts as fresh, instead of the connector's
    `checks.freshWithin`.
    """
    deps: Many[Key] = ()
    """Further assets that are upstream, by key."""
    op_tags: dict[str, Any] = {}
    """Tags of the steps, which executors and launchers read, as `dagster-k8s/config`."""
    retry_policy: RetrySettings | None = None
    """Whether Dagster runs a failed step again. Default: only where the server says when."""
    pool: Pool | None = None
    """Dagster pool that limits how many streams run at once."""
    sample_rows: Annotated[int, Field(ge=0, le=50)] = 5
    """Rows of the table shown with each load, without columns that are tagged `pii`; 0: none."""

    def over(self, below: AssetSettings) -> AssetSettings:
        """These, and where they say nothing those `below`."""
        plain = {name: getattr(self, name) for name in AssetSettings.model_fields}
        under = {name: getattr(below, name) for name in AssetSettings.model_fields}
        said = self.model_fields_set
        merged = {name: one if name in said else under[name] for name, one in plain.items()}
        for name in ("tags", "metadata", "op_tags"):
            merged[name] = {**under[name], **plain[name]}
        merged["deps"] = tuple(dict.fromkeys((*under["deps"], *plain["deps"])))
        return AssetSettings.model_construct(**merged)


def filled_key(text: str, given: dict[str, str]) -> list[str]:
    """The parts of a key.

    >>> filled_key("raw/{{stream}}", {"stream": "orders"})
    ['raw', 'orders']
    """
    return _NAME.sub(lambda found: given[found[1]], text).split("/")


def filled_table(pattern: str, *, connection: str, stream: str) -> str:
    """The name of a table by the pattern of a connection.

    >>> filled_table("eu_{{stream}}", connection="shop", stream="orders")
    'eu_orders'
    """
    given = {"connection": connection, "stream": stream}
    return _NAME.sub(lambda found: given[found[1]], pattern)
