"""A document that cannot be used, as assets that say so.

One bad file must not take the others down with it, nor vanish: its assets stay in sight, list its
faults and fail with them. So a schedule that asks for one fails, instead of running something else.
"""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import dagster as dg
from pydantic import ValidationError

from connector_assets.assets.claims import Claims
from connector_assets.assets.source import code_references
from connector_assets.assets.stream import asset_key, one_op_asset
from connector_assets.errors import Fault, SpecError
from connector_assets.legible import markdown
from connector_assets.load.files.store_names import table_name
from connector_assets.project.connection import Connection
from connector_assets.project.project import Broken
from connector_assets.spec.names.cron import check_cron
from connector_assets.spec.stream.asset_settings import AssetSettings, filled_key
from connector_assets.spec.yaml.excerpt import render_fault
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import read_file

_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,120}")


def validating() -> bool:
    """Whether Dagster only checks the definitions (`dg check defs`), so that a fault is to fail."""
    return os.environ.get("DAGSTER_IS_DEFS_VALIDATION_CLI") == "1"


def refuse(broken: Sequence[Broken]) -> None:
    """Raise what a check of the definitions is to show: every fault with its line and a caret."""
    if broken:
        shown = "\n".join(_excerpt(one, fault) for one in broken for fault in one.error.faults)
        raise dg.DagsterInvalidDefinitionError(f"cannot be used:\n{shown}")


def _excerpt(broken: Broken, fault: Fault) -> str:
    try:
        text = read_file(broken.path)
    except SpecError:
        text = b""
    return render_fault(fault, text, str(broken.path))


def broken_definitions(broken: Broken, claims: Claims, timezone: str) -> dg.Definitions:
    """An asset for each stream that can still be made out, else one [id, "invalid_spec"].

    Schedules and jobs stay under their names, and run into the fault. Names that others have in
    `claims` are not used, and those that are used are added to it.
    """
    name, document, streams = _salvaged(broken)
    keys = {stream: _key(name, document, stream) for stream in streams}
    made = _definitions(broken, keys, _schedules(name, document, keys, timezone))
    if not keys or not claims.is_free(made):
        made = _definitions(broken, {"": _free(name, claims)}, ())
    claims.take(name, made)
    return made


def _definitions(
    broken: Broken, keys: Mapping[str, dg.AssetKey], crons: Iterable[dg.ScheduleDefinition]
) -> dg.Definitions:
    assets = [_asset(key, broken) for key in keys.values()]
    return dg.Definitions(assets, schedules=list(crons))


def _schedules(
    name: str, document: Mapping[str, Any], keys: Mapping[str, dg.AssetKey], timezone: str
) -> Iterator[dg.ScheduleDefinition]:
    """The schedules that the document asks for, as far as it can be read.

    One whose cron is the fault is due every day: it would not be seen to fail otherwise.
    """
    crons: dict[tuple[str, str], list[dg.AssetKey]] = {}
    for stream, key in keys.items():
        own = _settings(document, stream)
        cron = own.get("schedule") or document.get("schedule")
        alone = cron != document.get("schedule") or "partitions" in own
        if cron is not None:
            found = f"{name}__{table_name(stream)}" if alone and stream else name
            crons.setdefault((found, str(cron)), []).append(key)
    for (found, cron), selected in crons.items():
        yield dg.ScheduleDefinition(
            name=f"{found}_schedule",
            job=dg.define_asset_job(f"{found}_job", dg.AssetSelection.assets(*selected)),
            cron_schedule=_valid(cron),
            execution_timezone=timezone,
        )


def _key(name: str, document: Mapping[str, Any], stream: str) -> dg.AssetKey:
    """The key that the asset would have without the fault, as far as that can be read."""
    try:
        settings = AssetSettings.model_validate(
            {"key": _settings(document, stream).get("key") or document.get("key")}
        )
        prefix = AssetSettings.model_validate({"key": document.get("keyPrefix")}).key
        given = {
            "connection": name,
            "connector": str(document.get("connector")),
            "stream": table_name(stream),
        }
        if settings.key:
            return dg.AssetKey(filled_key(settings.key, given))
        return dg.AssetKey(
            [*(filled_key(prefix, given) if prefix else ()), name, table_name(stream)]
        )
    except (ValidationError, KeyError):
        return dg.AssetKey([name, table_name(stream)])


def _settings(document: Mapping[str, Any], stream: str) -> Mapping[str, Any]:
    streams = document.get("streams")
    own = streams.get(stream) if isinstance(streams, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _valid(cron: str) -> str:
    try:
        return check_cron(cron)
    except ValueError:
        return "@daily"


def _asset(key: dg.AssetKey, broken: Broken) -> dg.AssetsDefinition:
    text = message(broken.path, broken.error.faults)
    line = max([fault.line for fault in broken.error.faults[:1]] or [1])
    return _failing(key, text, "invalid", broken.path, max(line, 1))


def undiscovered_assets(connection: Connection) -> list[dg.AssetsDefinition]:
    """Assets that stand for the streams nobody has looked up yet, and say how that is done.

    One for each stream that the connection names and the spec does not, else [id,
    "not_discovered"].
    """
    known = {stream.name for stream in connection.streams()}
    named = connection.document.stream_names if connection.document else ()
    missing = [name for name in named if name not in known]
    keys = [asset_key(connection, name) for name in missing]
    if not named:
        keys = [dg.AssetKey([connection.id, "not_discovered"])]
    text = str(connection.not_discovered())
    return [_failing(key, text, "undiscovered", connection.source) for key in keys]


def _failing(
    key: dg.AssetKey, text: str, kind: str, path: Path | None, line: int = 1
) -> dg.AssetsDefinition:
    """An asset whose description is what it fails with."""
    spec = dg.AssetSpec(
        key,
        group_name=key.path[0],
        description=markdown(text),
        kinds={kind},
        metadata=code_references([(str(path.absolute()), path.name, line)]) if path else None,
    )

    def compute(_context: dg.AssetExecutionContext, _inputs: Mapping[str, Any]) -> NoReturn:
        raise dg.Failure(text, allow_retries=False)

    return one_op_asset(spec, compute)


def message(path: Path, faults: list[Fault]) -> str:
    """Every fault on its line.

    >>> print(message(Path("shop.yaml"), [Fault("auth.0.tokenUrl", "must be https://", 9, 5)]))
    shop.yaml cannot be used:
    - shop.yaml:9:5: auth.0.tokenUrl: must be https://
    """
    located = (f"{path}:{fault.line}:{fault.column}: " if fault.line else "" for fault in faults)
    lines = [f"- {at}{fault}" for at, fault in zip(located, faults, strict=True)]
    return "\n".join([f"{path} cannot be used:", *lines])


def _salvaged(broken: Broken) -> tuple[str, Mapping[str, Any], list[str]]:
    """The document's id, what it says, and its streams, as far as it can be read.

    Without an id there are no streams, and the file's name stands in.
    """
    path = broken.path
    file = path.parent if path.stem == "defs" else path
    name, data = re.sub(r"[^A-Za-z0-9_]", "_", file.stem) or "_", broken.data
    if data is None:
        try:
            data = read_yaml(read_file(path)).data
        except SpecError:
            return name, {}, []
        data = data.get("attributes", data) if isinstance(data, dict) else None
    if not isinstance(data, Mapping):
        return name, {}, []
    if not _ID.fullmatch(str(data.get("id"))):
        return name, data, []
    names = [*_stream_names(data)] or [*broken.streams]
    tables = {table_name(one): one for one in names if _STREAM.fullmatch(one)}
    return data["id"], data, list(tables.values())


def _stream_names(document: Mapping[str, Any]) -> list[str]:
    """Of a connector (`read.resourceTypes`, `read.streams`) or a connection (`streams`)."""
    read = document.get("read")
    lists = [document.get("streams")]
    if isinstance(read, dict):
        lists += [read.get("resourceTypes"), read.get("streams")]
    items = [item for some in lists if isinstance(some, list | dict) for item in some]
    names = [item.get("name") if isinstance(item, dict) else item for item in items]
    return [name for name in names if isinstance(name, str)]


def _free(stem: str, claims: Claims) -> dg.AssetKey:
    key, number = dg.AssetKey([stem, "invalid_spec"]), 1
    while not claims.is_free(dg.Definitions([one_op_asset(dg.AssetSpec(key), _nothing)])):
        number += 1
        key = dg.AssetKey([stem, f"invalid_spec_{number}"])
    return key


def _nothing(_context: dg.AssetExecutionContext, _inputs: Mapping[str, Any]) -> Iterator[Any]:
    return iter(())
