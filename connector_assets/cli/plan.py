"""`plan`: what a load or a backfill will ask for, before it is begun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.load import FullOption, SchemaOption, StreamsArgument, ToOption
from connector_assets.cli.options import Given, JsonOption, SpecArgument, takes_values
from connector_assets.errors import ConnectorError

if TYPE_CHECKING:
    from connector_assets.project.plan import StreamPlan

PartitionsOption = Annotated[
    str | None,
    typer.Option(
        "--partitions",
        metavar="KEY|FIRST...LAST|all",
        help="Of streams that have partitions, plan for these. Default: for all there are now.",
    ),
]
ProbeOption = Annotated[
    bool,
    typer.Option("--probe", help="Ask for the first page of each stream, to know size and time."),
]
LatencyOption = Annotated[
    float | None,
    typer.Option(
        "--latency", metavar="SECONDS", min=0, help="What an answer takes. Default: 0.5 is assumed."
    ),
]


@takes_values
def plan(
    spec: SpecArgument,
    streams: StreamsArgument = None,
    *,
    partitions: PartitionsOption = None,
    to: ToOption = None,
    schema: SchemaOption = None,
    full: FullOption = False,
    probe: ProbeOption = False,
    latency: LatencyOption = None,
    given: Given,
    as_json: JsonOption = False,
) -> None:
    """Tell how many requests a load will send, and how long they take at least.

    Items and windows are counted as a load would go through them; pages are told from what the
    table holds. What is assumed and what is not known is said. Nothing is sent to the vendor,
    unless --probe is given. With --json, one object is printed.
    """
    from connector_assets.authoring.planned import Planning, plain_plans
    from connector_assets.load.urls import destination_from_url

    connection = given.connection(spec)
    destination = destination_from_url(given.destination_of(connection, to))
    planning = Planning(connection, destination, schema, full, latency)
    names = streams or [one.name for one in connection.streams()]
    plans, failed = [], False
    for name in names:
        try:
            plans.append(planning.plan(name, partitions, probe=probe))
        except ConnectorError as error:
            failed = True
            output.failure(error.within(f"{connection.id}.{name}"))
    if as_json:
        output.write_json(plain_plans(connection.id, plans))
    else:
        output.write("".join(f"{line}\n" for line in _lines(connection.id, plans)))
    if failed:
        raise typer.Exit(1)


def _lines(connection: str, plans: Sequence[StreamPlan]) -> Iterator[str]:
    from connector_assets.authoring.planned import certainty_of
    from connector_assets.project.plan import at_least

    for one in plans:
        yield f"{connection}.{one.stream}: {_asks(one)}"
        for word, texts in (
            ("known", one.known),
            ("assumed", one.assumed),
            ("not known", one.unknown),
        ):
            yield from (f"  {word}: {text}" for text in texts)
    told = [one for one in plans if one.requests is not None and one.seconds is not None]
    if len(told) > 1:
        requests = sum(one.requests or 0 for one in told)
        seconds = sum(one.seconds or 0.0 for one in told)
        yield f"in all: {_least(requests, certainty_of(told))}, {at_least(seconds)}"


def _asks(one: StreamPlan) -> str:
    from connector_assets.project.plan import at_least

    if one.requests is None or one.seconds is None:
        return "not known"
    parts = [_least(one.requests, one.certainty), at_least(one.seconds)]
    if one.partitions is not None:
        parts.insert(0, f"{one.partitions:,} partitions")
    if one.per_second:
        parts.append(f"at {one.per_second:g} a second")
    return ", ".join(parts)


def _least(requests: int, certainty: str) -> str:
    from connector_assets.runtime.stats import counted

    return f"{certainty} {counted(requests, 'request')}".removeprefix("exactly ")
