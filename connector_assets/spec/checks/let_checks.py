"""Local names of a stream that come too late for what reads them, or that hide another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, keys, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.checks.placed_checks import TemplateReads, endpoint_read_by
from connector_assets.spec.templates.lets import by_time
from connector_assets.spec.templates.refs import templates_in
from connector_assets.spec.templates.template import TemplateError
from connector_assets.spec.yaml.yaml_source import Path


def let_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What `let` says in the wrong order, or for the wrong reader."""
    endpoints = {text(at(one, "id")): one for one in items(data.get("endpoints"))}
    reads = TemplateReads()
    for kind in ("streams", "dynamic"):
        for number, stream in enumerate(items(at(data, "read", kind))):
            lets, path = at(stream, "let"), ("read", kind, number, "let")
            if not keys(lets):
                continue
            yield from _order(path, lets)
            yield from _hidden(path, stream)
            endpoint = endpoints.get(endpoint_read_by(stream, endpoints, data))
            yield from _too_late(path, lets, [endpoint, data.get("defaults")], reads)


def _order(path: Path, lets: Mapping[str, Any]) -> Iterator[Finding]:
    later = set(lets)
    for name, value in lets.items():
        read = sorted(_first_names(value) & later)
        later.discard(name)
        if read:
            what = "itself" if read[0] == name else f'"{read[0]}", which stands after it'
            yield Finding((*path, name), f"reads {what}")


def _hidden(path: Path, stream: Any) -> Iterator[Finding]:
    bound = {text(at(each, "as")) for each in items(at(stream, "forEach"))}
    bound.update(keys(at(stream, "vars")))
    for name in keys(at(stream, "let")):
        if name in bound:
            message = "is a name of vars or forEach already; choose another"
            yield Finding((*path, name), message, on_key=True)


def _too_late(
    path: Path, lets: Mapping[str, Any], parts: list[Any], reads: TemplateReads
) -> Iterator[Finding]:
    try:
        _, rows = by_time(lets)
    except TemplateError:
        return  # reported where it stands
    for name in rows:
        if reads.begins(name, parts):
            message = "reads record, and a request reads it; no row is there yet"
            yield Finding((*path, name), message)


def _first_names(value: Any) -> set[str]:
    try:
        return {name.split(".")[0] for one in templates_in(value) for name in one.names}
    except TemplateError:
        return set()
