"""A new spec proposed from the answers of its lists: each is asked for once, through the guard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connector_assets.authoring.imports.commented import Noted, bare
from connector_assets.authoring.imports.draft import Draft, finished
from connector_assets.authoring.imports.recorded import RecordedDraft, recorded
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.authoring.looked_at_rows import with_looked_at_rows
from connector_assets.authoring.new_spec import Answers, lists_of, new_spec
from connector_assets.errors import ConfigError
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import ReadContext
from connector_assets.reading.tasks import values_of
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.stats import Stats
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import parse_connector

_PROPOSED = ("responseRowsPath", "pagination", "primaryKey", "incremental", "forEach")


@dataclass(frozen=True)
class SeenAnswer:
    """What a list answered: its data, and the headers by name."""

    data: Any = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def asked(
    said: Answers,
    runtime: HttpRuntime,
    *,
    secrets: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[SeenAnswer]:
    """Ask for each list once, with the auth that was said; raises a ConnectorError."""
    first = replace(said, pagination=None, rows=None, key=None, cursor=None, since_param=None)
    spec = parse_connector(new_spec(first))
    connection = Connection(spec.id, YamlConnector(spec, runtime), environ=environ or {})
    readings = [connection.open(one.name, secrets=secrets, preview=True) for one in spec.streams]
    return [_asked(spec, one, runtime) for one in readings]


def _asked(spec: ConnectorSpec, reading: ReadContext[Any], runtime: HttpRuntime) -> SeenAnswer:
    http = runtime.http(spec, reading.stream, values_of(reading), stats=Stats(), cancel=Event())
    reply = http.get()
    try:
        data = msgspec.json.decode(reply.content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        what = "the answer is no JSON, so that nothing can be proposed"
        raise ConfigError(what, where=reading.label, fix="leave --ask out, and say it") from None
    masked = reading.secrets.mask_data(data)
    headers = {name: reading.secrets.mask(value) for name, value in reply.headers.items()}
    return SeenAnswer(masked, headers)


def proposed(said: Answers, seen: list[SeenAnswer]) -> Draft:
    """The spec as the answers suggest it, with the reason beside each guess.

    What was said goes before what is guessed.
    """
    _, lists = lists_of(said)
    parts = Parts("new", "the answers of its lists")
    host = urlsplit(said.urls[0]).hostname or "api"
    drafting = RecordedDraft(parts, host, said.id)
    drafting.credentials.auth, parts.secrets = said.auth.spec()
    requests = [
        recorded(
            "GET",
            one.url,
            params=tuple(one.params.items()),
            answer=answer.data,
            answer_headers=answer.headers,
            name=one.name,
        )
        for one, answer in zip(lists, seen, strict=True)
    ]
    draft = drafting.draft(requests)
    # What was asked was answered: nothing is open about how requests are signed.
    remarks = [one for one in draft.remarks if one.field != "auth"]
    title = said.id.replace("_", " ").capitalize()
    data = _about(draft.data | {"id": said.id, "displayName": title}, said)
    made = replace(draft, data=_said_first(data, said), remarks=remarks)
    return finished(with_looked_at_rows(made, [one.data for one in seen]))


def _about(data: dict[str, Any], said: Answers) -> dict[str, Any]:
    """The document with what is said of the whole API, in the usual order."""
    told = said.about()
    limit = {"rateLimit": told.pop("rateLimit")} if "rateLimit" in told else {}
    first = ("kind", "version", "id", "displayName")
    head = {key: data[key] for key in first}
    rest = {key: value for key, value in data.items() if key not in first}
    known = ("config", "secrets", "auth", "defaults")
    before: dict[str, Any] = {key: rest.pop(key) for key in known if key in rest}
    return {**head, **told, **before, **limit, **rest}


def _said_first(data: dict[str, Any], said: Answers) -> dict[str, Any]:
    endpoints = [_endpoint(_value(one), said) for one in data["endpoints"]]
    streams = [_value(one) for one in data["read"]["streams"]]
    if said.key is not None:
        streams = [{**one, "primaryKey": list(said.key)} for one in streams]
    if increment := said.increment():
        streams = [{**one, "incremental": increment} for one in streams]
    return {**data, "endpoints": endpoints, "read": {**data["read"], "streams": streams}}


def _endpoint(endpoint: dict[str, Any], said: Answers) -> dict[str, Any]:
    made = dict(endpoint)
    if said.rows is not None:
        made["responseRowsPath"] = said.rows
    if said.pagination is not None:
        made.pop("pagination", None)
        paging = said.paging()
        made |= {"pagination": paging} if paging else {}
        if size := said.size_params():
            made["params"] = {**(bare(made.get("params")) or {}), **size}
    return made


def _value(one: Any) -> dict[str, Any]:
    return dict(one.value if isinstance(one, Noted) else one)


def told(draft: Draft) -> Iterator[str]:
    """What is proposed, line by line: the list, what of it, and the reason."""
    for listed in (draft.data["endpoints"], draft.data["read"]["streams"]):
        for one in map(_value, listed):
            name = bare(one.get("id") or one.get("name"))
            for key in _PROPOSED:
                if key in one:
                    value = one[key]
                    why = f"  ({value.why})" if isinstance(value, Noted) and value.why else ""
                    yield f"{name}: {key}: {msgspec.json.encode(bare(value)).decode()}{why}"
            if columns := bare(one.get("columns")):
                yield f"{name}: columns: {', '.join(columns)}"
    for remark in draft.remarks:
        if remark.kind == "question":
            yield f"{remark.stream or 'all'}: {remark.field}: open: {remark.says}"
