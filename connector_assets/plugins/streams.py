"""The streams of a plugin: what a spec would say of each, checked in the same way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from connector_assets.errors import Fault, SpecError
from connector_assets.spec.checks.model_faults import findings_of
from connector_assets.spec.dynamic import Listed, Locked, clean
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.yaml.yaml_source import read_yaml, show_path

StreamLike = str | Stream | Mapping[str, Any]
"""A stream's name, or what a spec says of one: `{"name": "orders", "primaryKey": ["id"]}`."""

_IN_READ = "is for connectors in YAML; do it in read"
_NOT_OURS = {
    "endpoint": _IN_READ,
    "let": _IN_READ,
    "expand": _IN_READ,
    "where": _IN_READ,
    "fields": _IN_READ,
    "text": _IN_READ,
    "initial": _IN_READ,
    "on_item_error": _IN_READ,
    "deleted_when": "is for connectors in YAML; yield ctx.deleted(row)",
}
"""What a spec says of a stream that nothing does for rows of a plugin."""


def streams_of(
    connector_id: str, given: Iterable[StreamLike], *, may_be_empty: bool = False
) -> Sequence[Stream]:
    """The streams, each of its own name; raises SpecError with all that is wrong."""
    faults: list[Fault] = []
    streams: list[Stream] = []
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        faults.append(Fault("streams", f"is a {type(given).__name__}; give a list of streams"))
        given = ()
    for number, item in enumerate(given):
        found = _stream(item, number)
        if isinstance(found, Stream):
            streams.append(found)
        else:
            faults += found
    names = Counter(stream.name for stream in streams)
    faults += [
        Fault(f"streams.{name}", "is there twice") for name in sorted(names) if names[name] > 1
    ]
    if not (streams or faults or may_be_empty):
        faults.append(Fault("streams", "must not be empty"))
    if faults:
        raise SpecError(faults, source=f"plugin {connector_id}")
    return streams


def _stream(item: Any, number: int) -> Stream | list[Fault]:
    """The stream that an item describes, or what is wrong with it."""
    if isinstance(item, Stream):
        return _windowed(item) if not (faults := _ignored(item)) else faults
    if not isinstance(item, str | Mapping):
        what = f"is a {type(item).__name__}; give its name, or a dict with name"
        return [Fault(f"streams.{number}", what)]
    document = {"name": item} if isinstance(item, str) else dict(item)
    path = ("streams", str(document.get("name", number)))
    try:
        made = Stream.model_validate(document)
    except ValidationError as error:
        # As text again: what is wrong is told of a document.
        findings = findings_of(error, read_yaml(json.dumps(document, default=str)), Stream)
        return [Fault(show_path((*path, *one.path)), one.message) for one in findings]
    return _windowed(made) if not (faults := _ignored(made)) else faults


def _ignored(stream: Stream) -> list[Fault]:
    fields = Stream.model_fields
    return [
        Fault(f"streams.{stream.name}.{fields[name].alias or name}", _NOT_OURS[name])
        for name in sorted(stream.model_fields_set & _NOT_OURS.keys())
    ]


def _windowed(stream: Stream) -> Stream:
    """With a position of its own, a plugin keeps to `ctx.window` too: it can be partitioned."""
    if stream.incremental is None or stream.incremental.client_filter:
        return stream
    told = stream.incremental.model_copy(update={"client_filter": True})
    return stream.model_copy(update={"incremental": told})


def of_locked(one: Locked) -> Mapping[str, Any]:
    """What a lock file has of a stream, as a document."""
    return {**one.stream, "name": one.name, "vars": one.vars}


def listed(connector_id: str, found: Iterable[StreamLike]) -> Iterator[Listed]:
    """The streams that a plugin's source has, to be kept; raises SpecError with all that is wrong.

    A name may be what the source calls it: it is made one that a stream may have. Then `vars` must
    tell which it is, as two may be made the same.
    """
    faults: list[Fault] = []
    for number, item in enumerate(found):
        document = _document(item)
        name = document.pop("name", None)
        told = document.pop("vars", {})
        if not isinstance(name, str) or not name:
            faults.append(Fault(f"discover.{number}.name", "is required: what the source calls it"))
            continue
        wrong = _stream({**document, "name": clean(name), "vars": told}, number)
        if isinstance(wrong, list):
            faults += [replace(one, path=f"discover: {one.path}") for one in wrong]
        elif clean(name) != name and not told:
            what = 'cannot be a stream\'s name; say which it is in vars, as {"table": …}'
            faults.append(Fault(f"discover: streams.{name[:60]}", what))
        else:
            yield Listed(name, None, told or {"name": name}, document)
    if faults:
        raise SpecError(faults, source=f"plugin {connector_id}")


def _document(item: StreamLike) -> dict[str, Any]:
    if isinstance(item, Stream):
        return item.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"name": item} if isinstance(item, str) else dict(item)
