"""Lint of streams and paginations: rows that would be missing, doubled or late."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connector_assets.spec.bindings import at, keys, text
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.lint_findings import Remark, Rule, endpoints, requests, rule, streams
from connector_assets.spec.refs import templates_in
from connector_assets.spec.template import Template
from connector_assets.spec.yaml_source import Path, YamlSource

_TOTALS = ("totalField", "totalHeader", "totalPagesField", "totalPagesHeader")
_MAXIMUM = re.compile(
    r"(?i)(?:max(?:imum)?|at most|up to|no more than)\D{0,25}?(?P<most>\d{1,6})(?=\D{0,20}"
    r"(?:per|a|each) (?:page|request|call))"
    r"|(?:max(?:imum)?) (?:page size|limit|per page)\D{0,12}?(?P<size>\d{1,6})"
)


@rule("page-cap", "warning")
def page_cap(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A pagination leaves `maxPages` at its default of 100, which a list may outgrow.

    A load that reaches the cap fails rather than stop short, on the day the account has grown.
    """
    for path, pagination in _paginations(document.data):
        if at(pagination, "maxPages") is None:
            yield Remark(
                (*path, "pagination"),
                "stops at 100 pages, and a load with more of them fails",
                "set maxPages: unlimited, or a number that is never reached",
            )


@rule("truncating-cap", "warning")
def truncating_cap(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """`onMaxPages: truncate` leaves out every row after the cap, and the load succeeds."""
    for path, pagination in _paginations(document.data):
        if at(pagination, "onMaxPages") == "truncate":
            yield Remark(
                (*path, "pagination", "onMaxPages"),
                "leaves out all rows after maxPages",
                "remove it, and raise maxPages",
            )


@rule("no-stop-rule", "warning")
def no_stop_rule(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """Nothing tells which page is the last, so that only an empty or shorter page ends the list.

    Servers that cap or filter pages send short ones in the middle, and some repeat the last page.
    """
    for path, pagination in _paginations(document.data):
        kind, given = at(pagination, "type"), set(keys(pagination))
        if kind in ("offset", "page") and not given.intersection({*_TOTALS, "pageSize"}):
            yield Remark(
                (*path, "pagination"),
                "ends only where a page is shorter than the first",
                "give pageSize, or totalField where the API tells the total",
            )
        if "lastRecordField" in given and not given & {"hasMoreField", "stopOn"}:
            yield Remark(
                (*path, "pagination", "lastRecordField"),
                "is in every page that has rows, so only an empty page ends the list",
                "give hasMoreField, or pageSize with stopOn: short",
            )


@rule("page-size-above-maximum", "warning")
def page_size_above_maximum(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """`pageSize` is above the maximum that the endpoint's own `description` gives.

    Most servers then send fewer rows than were asked for, without a word.
    """
    data = document.data
    for path, endpoint in endpoints(data):
        own = at(endpoint, "pagination")
        place: Path = path if own is not None else ("defaults",)
        size = at(own if own is not None else at(data.get("defaults"), "pagination"), "pageSize")
        found = _MAXIMUM.search(text(at(endpoint, "description")))
        most = int(found["most"] or found["size"]) if found else None
        if most and isinstance(size, int) and size > most:
            yield Remark(
                (*place, "pagination", "pageSize"),
                f"is above the maximum of {most:,} that endpoint {at(endpoint, 'id')} describes",
                f"set it to {most}",
            )


@rule("append-without-key", "warning")
def append_without_key(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A stream appends rows without a `primaryKey`, so every load adds the same rows again."""
    for path, stream in streams(document.data):
        if at(stream, "writeMode") == "append" and not at(stream, "primaryKey"):
            yield Remark(
                (*path, "writeMode"),
                "adds the same rows with every load",
                "give a primaryKey, or use writeMode: replace",
            )


@rule("no-primary-key", "info")
def no_primary_key(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A stream names no `primaryKey`: rows that a page boundary repeats are stored twice."""
    for path, stream in streams(document.data):
        if not at(stream, "primaryKey") and at(stream, "writeMode") != "append":
            yield Remark(
                path,
                "has no primaryKey, so rows that come twice stay",
                "name what identifies a row",
            )


@rule("no-lookback", "warning")
def no_lookback(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A time cursor without `lookback`: rows that the server shows late are never read.

    Most APIs write a row's time before the row can be read, and some of them minutes before.
    """
    for path, stream in streams(document.data):
        incremental = at(stream, "incremental")
        timed = (at(incremental, "format") or "as_is") != "as_is"
        merges = spec.stream(at(stream, "name")).mode == "merge"
        if timed and merges and at(incremental, "lookback") is None:
            yield Remark(
                (*path, "incremental"),
                "misses rows that appear later than their time",
                "add lookback, such as PT1H",
            )


@rule("unused-endpoint", "warning")
def unused_endpoint(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """An endpoint that no stream reads."""
    used = {spec.endpoint_of(stream).id for stream in (*spec.streams, *spec.read.dynamic)}
    used |= {listed.from_ for listed in spec.read.dynamic}
    for path, endpoint in endpoints(document.data):
        if at(endpoint, "id") not in used:
            yield Remark((*path, "id"), "is read by no stream", "add a stream, or remove it")


@rule("unused-config", "warning")
def unused_config(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A config value is declared and no template reads it: setting it changes nothing."""
    read = _names(spec)
    for name in keys(document.data.get("config")):
        if not read & {name, f"config.{name}"}:
            path: Path = ("config", name)
            yield Remark(path, "is read by no template", "use it, or remove it", on_key=True)


@rule("unused-secret", "warning")
def unused_secret(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A secret is declared and nothing reads it, so people are asked for it in vain."""
    read = _names(spec)
    for name in keys(document.data.get("secrets")):
        if f"secrets.{name}" not in read:
            path: Path = ("secrets", name)
            yield Remark(path, "is read by no template", "use it, or remove it", on_key=True)


@rule("unused-variable", "warning")
def unused_variable(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A variable of a stream that neither the stream nor its endpoint reads."""
    for path, stream in streams(document.data):
        model = spec.stream(at(stream, "name"))
        read = _names(spec.endpoint_of(model), model, spec.auth)
        for name in keys(at(stream, "vars")):
            if name not in read:
                where = (*path, "vars", name)
                yield Remark(where, "is read by no template", "use it, or remove it", on_key=True)


@rule("undeclared-config", "info")
def undeclared_config(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A template reads a bare name that `config` does not declare.

    It is a required value of any text: a misspelt name would be one, too.
    """
    every = (*spec.streams, *spec.read.dynamic)
    bound = {name for stream in every for name in stream.vars} | {"stream", "resourceType"}
    seen = {*spec.config, *bound}
    for path, part in requests(document.data):
        for key in ("url", "baseUrl", "params", "headers", "body"):
            for name in sorted(_bare(at(part, key)) - seen):
                seen.add(name)
                yield Remark(
                    (*path, key), f'reads "{name}", which is not declared', "add it to config"
                )


def _paginations(data: Any) -> Iterator[tuple[Path, Any]]:
    """Paginations of more than one page, and the paths of what holds them."""
    for path, part in requests(data):
        pagination = at(part, "pagination")
        if at(pagination, "type") not in (None, "none"):
            yield path, pagination


def _names(*parts: Any) -> set[str]:
    """The names that templates read, cut to what a declaration names: `config.x`, `x`."""
    found = {name for part in parts for one in templates_in(part) for name in one.names}
    return {".".join(name.split(".")[: 2 if name.startswith(_SPACES) else 1]) for name in found}


_SPACES = ("config.", "secrets.")


def _bare(value: Any) -> set[str]:
    """The names without a dot that templates in plain data read."""
    if isinstance(value, str):
        return {name for name in Template(value).names if "." not in name and name != "cursor"}
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name for one in below for name in _bare(one)}


RULES: tuple[Rule, ...] = (
    page_cap,
    truncating_cap,
    no_stop_rule,
    page_size_above_maximum,
    append_without_key,
    no_primary_key,
    no_lookback,
    unused_endpoint,
    unused_config,
    unused_secret,
    unused_variable,
    undeclared_config,
)
