"""`state`: where streams stand, and the way back when one stands in the wrong place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.load import SchemaOption
from connector_assets.cli.options import WHERE_BY_DEFAULT, Given, JsonOption
from connector_assets.errors import ConfigError

if TYPE_CHECKING:
    from connector_assets.load.destination import Destination
    from connector_assets.load.table import Table
    from connector_assets.project.connection import Connection
    from connector_assets.spec.stream.stream import Stream

_SHOWN = 20

state = typer.Typer(
    help="Show or reset where streams stand: the stored position of each, not its rows.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OfArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A spec's file, a connection's id, or CONNECTION.STREAM.",
        show_default=False,
    ),
]
StreamsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="STREAM...", help="Default: every stream.", show_default=False),
]
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        help=f"Where the tables are, as `load --to` has it. {WHERE_BY_DEFAULT}",
        show_default=False,
    ),
]
ItemOption = Annotated[
    str | None,
    typer.Option(
        "--item",
        metavar="ITEM",
        help="Of a stream with forEach: this item alone, as `state show` names it.",
    ),
]
PartitionOption = Annotated[
    str | None, typer.Option("--partition", metavar="KEY", help="The state of this partition.")
]


@state.command()
def show(
    spec: OfArgument,
    streams: StreamsArgument = None,
    *,
    to: ToOption = None,
    schema: SchemaOption = None,
    partition: PartitionOption = None,
    item: ItemOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the stored positions of streams; nothing is asked of the API."""
    for one in _chosen(spec, streams, to, schema, partition):
        positions = one.positions(item)
        if as_json:
            told = one.plain() | {"positions": dict(positions) if positions else None}
            output.write(json.dumps(told, default=str) + "\n")
        else:
            output.write("".join(f"{line}\n" for line in _lines(one, positions)))


@state.command()
def reset(
    spec: OfArgument,
    streams: StreamsArgument = None,
    *,
    to: ToOption = None,
    schema: SchemaOption = None,
    partition: PartitionOption = None,
    item: ItemOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget the stored positions of streams, so that the next load reads everything again.

    Tables keep their rows. A stream that appends then has rows twice: load it with --full
    instead, which replaces its table.
    """
    for one in _chosen(spec, streams, to, schema, partition):
        count = one.forget(item)
        if as_json:
            output.write(json.dumps(one.plain() | {"reset": count}) + "\n")
            continue
        what = "1 position" if count == 1 else f"{count} positions"
        output.write(f"{one.label}: {what} reset\n" if count else f"{one.label}: none stored\n")
        if count and one.stream.mode == "append":
            output.say(f"{one.label}: note: it appends; load it with --full, or rows come twice")


@dataclass(frozen=True)
class _StoredStream:
    """One stream's stored state, in one destination."""

    connection: Connection
    stream: Stream
    table: Table
    destination: Destination

    @property
    def label(self) -> str:
        part = f" [{self.table.partition}]" if self.table.partition else ""
        return f"{self.connection.id}.{self.stream.name}{part}"

    def plain(self) -> dict[str, Any]:
        told = {"connection": self.connection.id, "stream": self.stream.name}
        if self.table.partition:
            told["partition"] = self.table.partition
        return told | {
            "destination": self.destination.uri,
            "schema": self.table.schema,
            "table": self.table.name,
        }

    def positions(self, item: str | None) -> Mapping[str, Any] | None:
        """What is stored: by item, "" where the stream has none; None where nothing is."""
        stored = _by_item(self.destination.read_cursor(self.table))
        if item is None or not stored:
            return stored or None
        key = _key(stored, item, self.label)
        return {key: stored[key]}

    def forget(self, item: str | None) -> int:
        """Take the positions away, in one transaction; how many there were."""
        from connector_assets.load.items import collected
        from connector_assets.load.order import Order
        from connector_assets.load.table import Cursor

        before = self.destination.read_cursor(self.table)
        stored = _by_item(before)
        if not stored:
            return 0
        left: Mapping[str, Any] = {}
        if item is not None:
            key = _key(stored, item, self.label)
            left = collected((name, one) for name, one in stored.items() if name != key)
        cursor = Cursor(left or None, before)
        self.destination.load(Order(self.table, "append", cursor=cursor))
        return len(stored) - len(left)


def _chosen(
    spec: str,
    streams: list[str] | None,
    to: str | None,
    schema: str | None,
    partition: str | None,
) -> Iterator[_StoredStream]:
    from connector_assets.load.table import Claim
    from connector_assets.load.urls import destination_from_url
    from connector_assets.sync import table_of

    if not streams and "." in spec and "/" not in spec and not Path(spec).exists():
        spec, _, stream = spec.partition(".")
        streams = [stream]
    with Given.of() as given:
        connection = given.connection(spec)
        destination = destination_from_url(given.destination_of(connection, to))
        found = [connection.stream(name) for name in streams or ()] or connection.streams()
    for stream_ in found:
        table = table_of(connection, stream_, schema)
        table = replace(table, partition=partition, claim=Claim(connection.id))
        yield _StoredStream(connection, stream_, table, destination)


def _by_item(stored: Any) -> Mapping[str, Any]:
    """What is stored by item; what somebody else wrote there as that of the whole."""
    if isinstance(stored, Mapping):
        return stored
    return {} if stored is None else {"": stored}


def _key(stored: Mapping[str, Any], item: str, label: str) -> str:
    """The item as it is stored: a list of values in JSON; of one value, that alone will do."""
    names = [item, _compact([item]), f"[{item}]"]
    with suppress(ValueError):
        names.append(_compact(json.loads(item)))  # as it is shown
    found = next((name for name in names if name in stored), None)
    if found is None:
        known = ", ".join(map(_plain, islice(stored, 3)))
        raise ConfigError(f'"{item}" is none of its items', where=label, fix=f"use one as {known}")
    return found


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(item: str) -> str:
    """An item for a terminal: a server may have put anything into it."""
    if item.isascii() and item.isprintable():
        return item
    try:
        return json.dumps(json.loads(item))
    except ValueError:
        return json.dumps(item)


def _lines(one: _StoredStream, positions: Mapping[str, Any] | None) -> Iterator[str]:
    if not positions:
        yield f"{one.label}: no position is stored"
    elif "" in positions:
        yield f"{one.label}: {_told(positions[''])}"
    else:
        yield f"{one.label}: {len(positions):,} items"
        for name, entry in islice(positions.items(), _SHOWN):
            yield f"  {_plain(name)}: {_told(entry)}"
        if len(positions) > _SHOWN:
            yield f"  and {len(positions) - _SHOWN:,} more; --item shows one, --json all"


def _told(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return json.dumps(entry)
    told = [json.dumps(entry["value"])] if "value" in entry else []
    told += [f"read from {json.dumps(entry['start'])}"] if "start" in entry else []
    told += ["with a validator"] if "validator" in entry else []
    told += ["read as its parent is now"] if "parent" in entry else []
    return ", ".join(told) or "{}"
