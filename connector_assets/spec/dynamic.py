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
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from connector_assets.errors import Fault, SpecError
from connector_assets.private import replaced
from connector_assets.spec.checks.model_faults import findings_of, in_order
from connector_assets.spec.connector import FORMAT_VERSION, ConnectorSpec
from connector_assets.spec.names.model import Many, Model
from connector_assets.spec.names.names import ConnectorId, EndpointId, StreamName, VariableName
from connector_assets.spec.stream.stream import DynamicStream, Stream
from connector_assets.spec.templates.template import Template
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import read_file

LOCK_SUFFIX = ".lock.yaml"
_LONGEST = 100
_HEAD = "# Written by `connector-assets discover`; keep it with the spec.\n"

Plain = str | int | float | bool | None


class Locked(Model):
    """One discovered stream."""

    name: StreamName
    """Name of its table, and last part of its asset's key."""
    from_: EndpointId | None = None
    """The endpoint that listed it, as `from` in `read.dynamic`; a plugin has none."""
    vars: dict[VariableName, Plain] = {}
    """What of the listed row its templates read, or a plugin's `ctx.vars`."""
    stream: dict[str, Any] = {}
    """What a plugin says of the stream, as a spec would: its key, columns, description."""

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
    from_: str | None
    vars: Mapping[str, Plain] = field(default_factory=dict)
    stream: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """What is kept of it besides its name."""
        from_ = {} if self.from_ is None else {"from": self.from_}
        stream = {"stream": self.stream} if self.stream else {}
        return {**from_, "vars": self.vars, **stream}

    @property
    def key(self) -> str:
        """The same for the same row, whatever it is called."""
        return json.dumps([self.from_, self.vars], sort_keys=True)


def lock_path(spec: Path) -> Path:
    """`specs/base.yaml` → `specs/base.lock.yaml`."""
    return spec.with_name(spec.stem + LOCK_SUFFIX)


def read_lock(path: Path) -> Lock | None:
    """The lock file at `path`, None where there is none; SpecError where it cannot be used."""
    return _parsed(read_file(path), str(path)) if path.is_file() else None


def _parsed(text: bytes, source: str) -> Lock:
    document = read_yaml(text, source=source)
    if document.faults:
        raise SpecError(document.faults, source=source)
    try:
        return Lock.model_validate(document.data)
    except ValidationError as error:
        found = [one.placed(document) for one in findings_of(error, document, Lock)]
        raise SpecError(in_order(found), source=source) from None


def discovered(path: Path, connection_id: str) -> Sequence[Locked]:
    """The streams of one connection; none where it was never discovered.

    SpecError where they cannot be read; what is wrong with those of another does not matter.
    """
    return locked(path, connection_id) or ()


def locked(path: Path, connection_id: str) -> Sequence[Locked] | None:
    """As `discovered`, but None for a connection that the file does not have."""
    try:
        lock = read_lock(path)
        return lock.connections.get(connection_id) if lock else None
    except SpecError:
        whole, damaged = _salvaged(path)
        if connection_id in damaged or not whole:
            raise
        return whole.get(connection_id)


def still_locked(path: Path, connection_id: str) -> Sequence[Locked]:
    """The streams of one connection as far as they can be read, to be discovered anew."""
    try:
        return discovered(path, connection_id)
    except SpecError:
        return _salvaged(path)[0].get(connection_id, ())


def write_lock(path: Path, connection_id: str, streams: Sequence[Locked]) -> None:
    """Put one connection's streams into the file; those of others stay.

    SpecError, and nothing is written, where the file could not be read again as it is meant.
    """
    try:
        lock = read_lock(path)
        others = lock.connections if lock else {}
    except SpecError:
        others = _salvaged(path)[0]
    known = {**others, connection_id: tuple(streams)}
    lines = [_HEAD, f'kind: lock\nversion: "{FORMAT_VERSION}"\nconnections:\n']
    for name in sorted(known):
        lines.append(f"  {name}:{'' if known[name] else ' []'}\n")
        lines += [f"    - {shown(one)}\n" for one in known[name]]
    text = "".join(lines).encode("utf-8", "surrogatepass")
    if _parsed(text, str(path)).connections != known:
        raise SpecError([Fault("", "would not say the same when it is read")], source=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)  # a project of plugins alone has no specs
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else 0o644
    replaced(path, text, mode)


_SECTION = re.compile(r"  ([a-z][a-z0-9_]*):(?: \[\])?")
_ROW = re.compile(r"    - (\{.*\})")


def _salvaged(path: Path) -> tuple[dict[str, tuple[Locked, ...]], set[str]]:
    """The rows of a broken file that are sound, by connection, and which connections have others.

    It is read line by line, as `write_lock` writes it: one bad row must not take the rest.
    """
    found: dict[str, list[Locked]] = {}
    damaged: set[str] = set()
    name = ""
    for line in read_file(path).decode("utf-8", "replace").split("\n"):
        if section := _SECTION.fullmatch(line):
            name = section[1]
            found[name] = []
        elif name and line.strip():
            row = _row_of(line)
            if row is None:
                damaged.add(name)
            else:
                found[name].append(row)
    return {name: tuple(rows) for name, rows in found.items()}, damaged


def _row_of(line: str) -> Locked | None:
    row = _ROW.fullmatch(line)
    if row is None or "\\u0000" in line:
        return None
    try:
        return Locked.model_validate(json.loads(row[1]))
    except ValueError:
        return None


def shown(stream: Locked) -> str:
    """One stream as its line in the file; JSON, which every YAML reader takes alike."""
    told = Listed(stream.name, stream.from_, stream.vars, stream.stream).told
    plain = {"name": stream.name, **told}
    # A reader of YAML folds or refuses these where they stand as they are.
    text = json.dumps(plain, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_UNPRINTABLE = re.compile(
    "[\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufffe\uffff]"
)


def with_streams(spec: ConnectorSpec, streams: Sequence[Locked]) -> ConnectorSpec:
    """`spec` with its discovered streams beside those that are written out.

    A stream whose `from` no block has any more, or whose name is taken, is left out.
    """
    blocks = {block.from_: block for block in spec.read.dynamic}
    taken = {_table(stream.name) for stream in spec.streams}
    made = tuple(
        _stream(blocks[one.from_], one)
        for one in streams
        if one.from_ and one.from_ in blocks and _table(one.name) not in taken
    )
    read = spec.read.model_copy(update={"streams": (*spec.read.streams, *made)})
    copy = spec.model_copy(update={"read": read})
    for cached in ("streams", "_by_name"):
        copy.__dict__.pop(cached, None)  # model_copy takes cached properties along
    return copy


def _stream(block: DynamicStream, locked: Locked) -> Stream:
    values = {n: Template(v) if isinstance(v, str) else v for n, v in locked.vars.items()}
    return block.stream(locked.name, values)


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
            result.append(Locked.model_validate({"name": chosen, **one.told}))
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


def _table(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name.casefold())
