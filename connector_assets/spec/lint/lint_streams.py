"""Lint of streams and paginations: rows that would be missing, doubled or late."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connector_assets.spec.checks.bindings import at, keys, text
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.lint.lint_findings import (
    Remark,
    Rule,
    endpoints,
    requests,
    rule,
    streams,
)
from connector_assets.spec.request.pagination import member_of
from connector_assets.spec.yaml.yaml_source import Path, YamlSource

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
        member, given = member_of(pagination), set(keys(pagination))
        if member and member.start_key and not given.intersection({*_TOTALS, "pageSize"}):
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
        written: Path = path if own is not None else ("defaults",)
        size = at(own if own is not None else at(data.get("defaults"), "pagination"), "pageSize")
        found = _MAXIMUM.search(text(at(endpoint, "description")))
        most = int(found["most"] or found["size"]) if found else None
        if most and isinstance(size, int) and size > most:
            yield Remark(
                (*written, "pagination", "pageSize"),
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

    Most APIs write a row's time before the row can be read, and some of them minutes before. It is
    said once, at the first stream of a connector.
    """
    for path, stream in streams(document.data):
        incremental = at(stream, "incremental")
        timed = (at(incremental, "format") or "as_is") != "as_is"
        merges = spec.stream(at(stream, "name")).mode == "merge"
        if timed and merges and at(incremental, "lookback") is None:
            yield Remark(
                (*path, "incremental"),
                "misses rows that appear later than their time",
                "add lookback, such as PT1H, here and in others like it",
            )
            return


def _paginations(data: Any) -> Iterator[tuple[Path, Any]]:
    """Paginations of more than one page, and the paths of what holds them."""
    for path, part in requests(data):
        pagination = at(part, "pagination")
        if at(pagination, "type") not in (None, "none"):
            yield path, pagination


RULES: tuple[Rule, ...] = (
    page_cap,
    truncating_cap,
    no_stop_rule,
    page_size_above_maximum,
    append_without_key,
    no_primary_key,
    no_lookback,
)
