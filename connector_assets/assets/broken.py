"""A document that cannot be used, as assets that say so.

One bad file must not take the others down with it, nor vanish: its assets stay in sight, list its
faults and fail with them. So a schedule that asks for one fails, instead of running something else.
"""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import dagster as dg

from connector_assets.assets.source import code_references
from connector_assets.assets.stream import asset_key, one_op_asset
from connector_assets.connection import Connection
from connector_assets.errors import Fault, SpecError
from connector_assets.load.names import table_name
from connector_assets.project import Broken
from connector_assets.spec.document import read_file
from connector_assets.spec.yaml_source import read_yaml

_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,120}")


def broken_assets(broken: Broken, taken: set[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """An asset for each stream that can still be made out, else one [id, "invalid_spec"].

    Keys in `taken` are not used, and those that are used are added to it.
    """
    name, streams = _salvaged(broken.path)
    keys = [asset_key(name, stream) for stream in streams]
    if not keys or taken.intersection(keys):
        keys = [_free(name, taken)]
    taken.update(keys)
    return [_asset(key, broken) for key in keys]


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
    keys = [asset_key(connection.id, name) for name in missing]
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
        description=text,
        kinds={kind},
        metadata=code_references([(path, line)]) if path else None,
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
    places = (f"{path}:{fault.line}:{fault.column}: " if fault.line else "" for fault in faults)
    lines = [f"- {place}{fault}" for place, fault in zip(places, faults, strict=True)]
    return "\n".join([f"{path} cannot be used:", *lines])


def _salvaged(path: Path) -> tuple[str, list[str]]:
    """The document's id and its streams, as far as it can be read; else the file's name."""
    file = path.parent if path.stem == "defs" else path
    name = re.sub(r"[^A-Za-z0-9_]", "_", file.stem) or "_"
    try:
        data = read_yaml(read_file(path)).data
    except SpecError:
        return name, []
    data = data.get("attributes", data) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not _ID.fullmatch(str(data.get("id"))):
        return name, []
    tables = {table_name(name): name for name in _stream_names(data) if _STREAM.fullmatch(name)}
    return data["id"], list(tables.values())


def _stream_names(document: dict[str, Any]) -> list[str]:
    """Of a connector (`read.resourceTypes`, `read.streams`) or a connection (`streams`)."""
    read = document.get("read")
    lists = [document.get("streams")]
    if isinstance(read, dict):
        lists += [read.get("resourceTypes"), read.get("streams")]
    items = [item for some in lists if isinstance(some, list | dict) for item in some]
    names = [item.get("name") if isinstance(item, dict) else item for item in items]
    return [name for name in names if isinstance(name, str)]


def _free(stem: str, taken: set[dg.AssetKey]) -> dg.AssetKey:
    key, number = dg.AssetKey([stem, "invalid_spec"]), 1
    while key in taken:
        number += 1
        key = dg.AssetKey([stem, f"invalid_spec_{number}"])
    return key
