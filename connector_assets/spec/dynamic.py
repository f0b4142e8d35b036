"""Streams that an API lists, and the lock file that keeps them between a discovery and the next.

The lock file stands beside the spec, is committed with it, and holds one stream a line:

    kind: lock
    version: "1.0"
    connections:
      crm:
        - {"name": "Leads", "from": "tables", "vars": {"table": "tbl1"}}

Definitions come from it alone: to load them asks no server.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from connector_assets.errors import SpecError
from connector_assets.spec.bindings import at, items, text
from connector_assets.spec.connector import FORMAT_VERSION, ConnectorSpec
from connector_assets.spec.faults import Finding, findings_of, in_order, options, quoted
from connector_assets.spec.model import Many, Model
from connector_assets.spec.names import ConnectorId, EndpointId, StreamName, VariableName
from connector_assets.spec.stream import DynamicStream, Stream
from connector_assets.spec.template import Template
from connector_assets.spec.yaml_source import read_yaml

LOCK_SUFFIX = ".lock.yaml"
_LONGEST = 100
_HEAD = "# Written by `connector-assets discover`; keep it with the spec.\n"

Plain = str | int | float | bool | None


class Locked(Model):
    """One discovered stream."""

    name: StreamName
    """Name of its table, and last part of its asset's key."""
    from_: EndpointId
    """The endpoint that listed it, as `from` in the connector's `read.dynamic`."""
    vars: dict[VariableName, Plain] = {}
    """What of the listed row its templates read."""

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class Lock(Model):
    """What was discovered, by connection."""

    kind: Literal["lock"]
    """Says that this document holds discovered streams."""
    version: Literal["1.0"]
    """Version of the format, in quotes."""
    connections: dict[ConnectorId, Many[Locked]] = {}
    """The streams of each connection, by its id; an empty list says that the API has none."""


@dataclass(frozen=True)
class Listed:
    """One listed row that is to become a stream: the name it asks for, and its variables."""

    name: str
    from_: str
    vars: Mapping[str, Plain] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for the same row, whatever it is called."""
        return json.dumps([self.from_, self.vars], sort_keys=True)


def lock_path(spec: Path) -> Path:
    """`specs/base.yaml` → `specs/base.lock.yaml`."""
    return spec.with_name(spec.stem + LOCK_SUFFIX)


def read_lock(path: Path) -> Lock | None:
    """The lock file at `path`, None where there is none; SpecError where it cannot be used."""
    from connector_assets.spec.document import read_file

    if not path.is_file():
        return None
    document = read_yaml(read_file(path), source=str(path))
    if document.faults:
        raise SpecError(document.faults, source=str(path))
    try:
        return Lock.model_validate(document.data)
    except ValidationError as error:
        found = [one.placed(document) for one in findings_of(error, document, Lock)]
        raise SpecError(in_order(found), source=str(path)) from None


def discovered(path: Path, connection_id: str) -> Sequence[Locked]:
    """The streams of one connection; none where it was never discovered."""
    lock = read_lock(path)
    return lock.connections.get(connection_id, ()) if lock else ()


def write_lock(path: Path, connection_id: str, streams: Sequence[Locked]) -> None:
    """Put one connection's streams into the file; those of others stay."""
    lock = read_lock(path)
    known = {**(lock.connections if lock else {}), connection_id: tuple(streams)}
    lines = [_HEAD, f'kind: lock\nversion: "{FORMAT_VERSION}"\nconnections:\n']
    for name in sorted(known):
        lines.append(f"  {name}:{'' if known[name] else ' []'}\n")
        lines += [f"    - {shown(one)}\n" for one in known[name]]
    beside = path.with_name(f".{path.name}.new")
    beside.write_text("".join(lines), encoding="utf-8")
    beside.replace(path)


def shown(stream: Locked) -> str:
    """One stream as its line in the file; JSON, which every YAML reader takes alike."""
    plain = {"name": stream.name, "from": stream.from_, "vars": stream.vars}
    return json.dumps(plain, ensure_ascii=False)


def with_streams(spec: ConnectorSpec, streams: Sequence[Locked]) -> ConnectorSpec:
    """`spec` with its discovered streams beside those that are written out.

    A stream whose `from` no block has any more, or whose name is taken, is left out.
    """
    blocks = {block.from_: block for block in spec.read.dynamic}
    taken = {_table(stream.name) for stream in spec.streams}
    made = tuple(
        _stream(blocks[one.from_], one)
        for one in streams
        if one.from_ in blocks and _table(one.name) not in taken
    )
    read = spec.read.model_copy(update={"streams": (*spec.read.streams, *made)})
    copy = spec.model_copy(update={"read": read})
    copy.__dict__.pop("streams", None)  # model_copy takes cached properties along
    return copy


def _stream(block: DynamicStream, locked: Locked) -> Stream:
    given = {name: getattr(block, name) for name in Stream.model_fields}
    values = {n: Template(v) if isinstance(v, str) else v for n, v in locked.vars.items()}
    given |= {"name": locked.name, "vars": {**block.vars, **values}}
    return Stream.model_construct(**given)


def named(
    listed: Sequence[Listed], before: Sequence[Locked] = (), taken: Sequence[str] = ()
) -> list[Locked]:
    """Listed rows as streams: clean names, each once, none of `taken`, in order of name.

    What was named `before` keeps its name as long as the server calls it the same, so that a new
    row which is called alike renames no table.
    """
    known = {(Listed(one.name, one.from_, one.vars).key, one.name) for one in before}
    used = {_table(name) for name in taken}
    rows = {(one.key, clean(one.name)): one for one in listed}
    result = []
    for key, name in sorted(rows, key=lambda row: (row not in known, row)):
        other = f"{name}_{hashlib.sha256(key.encode()).hexdigest()[:6]}"
        chosen = other if (key, other) in known or _table(name) in used else name
        if _table(chosen) not in used:
            used.add(_table(chosen))
            one = rows[key, name]
            plain = {"name": chosen, "from": one.from_, "vars": one.vars}
            result.append(Locked.model_validate(plain))
    return sorted(result, key=lambda one: one.name)


def clean(name: str) -> str:
    """What a stream's name may hold of `name`.

    >>> clean("Leads (2024) / EU")
    'Leads_2024_EU'
    """
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_.-")[:_LONGEST] or "stream"


def difference(before: Sequence[Locked], after: Sequence[Locked]) -> list[str]:
    """What a discovery changed, one line each: `+ {…}` and `- {…}`."""
    old, new = {shown(one) for one in before}, {shown(one) for one in after}
    return [f"- {line}" for line in sorted(old - new)] + [f"+ {line}" for line in sorted(new - old)]


def dynamic_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Blocks that name endpoints that are not there, or that list the same ones twice."""
    ids = [one["id"] for one in items(data.get("endpoints")) if text(at(one, "id"))]
    primary, first = at(data, "read", "primary"), set()
    for number, block in enumerate(items(at(data, "read", "dynamic"))):
        for key in ("from", "endpoint"):
            named_, path = at(block, key), ("read", "dynamic", number, key)
            if isinstance(named_, str) and named_ not in ids:
                yield Finding(path, f"{quoted(named_)}is not an endpoint; {options(ids)}")
            elif key == "endpoint" and named_ is None and primary is None:
                yield Finding(path, "is required, as there is no read.primary")
        if at(block, "from") in first:
            path = ("read", "dynamic", number, "from")
            yield Finding(path, "lists streams already; keep one block for each list")
        first.add(text(at(block, "from")))


def _table(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name.casefold())
