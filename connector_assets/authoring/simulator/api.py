"""The simulated API: a request in, an answer out, with all that the spec says in between."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

from connector_assets.authoring.simulator import positions
from connector_assets.authoring.simulator.bodies import body_of
from connector_assets.authoring.simulator.documents import get, steps_of
from connector_assets.authoring.simulator.doors import Door, challenge
from connector_assets.authoring.simulator.faults import Faults
from connector_assets.authoring.simulator.jobs import Jobs
from connector_assets.authoring.simulator.paging import (
    TOKEN,
    AskedList,
    ServedPage,
    WrongPlace,
    page_of,
    size_of,
    value_at,
)
from connector_assets.authoring.simulator.patterns import Known, as_text, filled, leading_name
from connector_assets.authoring.simulator.routes import SYNC, Match, Route
from connector_assets.authoring.simulator.rows import Row, StreamRows
from connector_assets.authoring.simulator.wire import ApiReply, ApiRequest, CannotSimulate, refused
from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.stream.for_each import ForEach
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template

_MOST_ITEMS = 400


@dataclass(frozen=True)
class Served:
    """One entry of the log: the request, the answer's status, and of a list its stream and rows."""

    asked: ApiRequest
    status: int
    stream: str = ""
    rows: int = 0
    fault: str = ""


@dataclass
class SimulatedApi:
    """The API of a pointed spec. `known` are config values and secrets, as templates name them.

    `bases` are the addresses it is served at, one for each origin of the spec; `auth` is the one of
    the spec's that requests must have, and `samples` are rows of streams as the vendor sends them.
    `watch` is told of each answer before it is sent.
    """

    spec: ConnectorSpec
    known: Known
    bases: Sequence[str]
    now: dt.datetime
    auth: Auth | None = None
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict, repr=False)
    faults: Faults = field(default_factory=Faults)
    log: list[Served] = field(default_factory=list)
    watch: Callable[[Served], None] | None = None
    _lock: RLock = field(default_factory=RLock, repr=False)

    def __post_init__(self) -> None:
        self.routes = [Route.of(self.spec, one, self.known) for one in self.spec.streams]
        self.rows = {
            one.stream.name: StreamRows(
                self.spec,
                one.stream,
                size_of(one.endpoint),
                self.now,
                samples=self.samples.get(one.stream.name, ()),
            )
            for one in self.routes
        }
        self.doors: dict[int, Door] = {}
        for one in self.routes:
            auth = self._auth_of(one)
            if auth is not None and id(auth) not in self.doors:
                self.doors[id(auth)] = Door(auth, self.known)
        self.jobs = Jobs(self.bases)

    def _auth_of(self, route: Route) -> Auth | None:
        own = route.endpoint.auth
        return self.auth if own is None else own[0] if own else None

    def answer(self, asked: ApiRequest) -> ApiReply:
        """The answer to a request, which the log then has."""
        with self._lock:
            reply, served = self._answer(asked)
            served = replace(served, status=reply.status)
            self.log.append(served)
        if self.watch is not None:
            self.watch(served)
        return reply

    def grow(self, rows: int = 2) -> None:
        """Give every stream so many rows more, later than all that it had."""
        for one in self.rows.values():
            one.grown += rows

    def revoke(self) -> None:
        """Refuse every token that was given."""
        for door in self.doors.values():
            if door.gives_tokens:
                door.revoke()

    def truth(self, stream: str) -> list[Row]:
        """All rows that the stream has on the server."""
        model = self.spec.stream(stream)
        if not model.for_each:
            return list(self.rows[stream].of((), 0))
        return [
            row
            for number, item in enumerate(self.items(model))
            for row in self.rows[stream].of(item, number)
        ]

    def items(self, stream: Stream) -> list[tuple[str, ...]]:
        """The items that a stream is read for, as texts, in the order of their product."""
        dimensions = [list(dict.fromkeys(self._values(one, stream))) for one in stream.for_each]
        return list(itertools.islice(itertools.product(*dimensions), _MOST_ITEMS))

    def _values(self, each: ForEach, stream: Stream) -> Iterator[str]:
        for parent in each.parents:
            fields = self.spec.stream(parent.stream).fields
            steps = steps_of(fields.sent_name(parent.field))
            # In the order they were made: an item keeps its number, and so its rows.
            rows = self.truth(parent.stream)
            for row in reversed(rows) if self.rows[parent.stream].is_descending else rows:
                yield as_text(get(row.data, steps))
        given = each.values or ()
        for value in self._of_config(given, stream) if isinstance(given, Template) else given:
            if isinstance(value, Mapping):
                raise CannotSimulate(f"{stream.name}: forEach over objects")
            source = value.source if isinstance(value, Template) else as_text(value)
            yield filled(source, self.known)

    def _of_config(self, values: Template, stream: Stream) -> list[Any]:
        """The values of a list that a config value is: those that the simulator made for it."""
        text = filled(values.source, self.known)
        try:
            listed = json.loads(text)
        except ValueError:
            listed = [one.strip() for one in text.split(",")]
        if not isinstance(listed, list):
            raise CannotSimulate(f"{stream.name}: forEach over what is no list")
        return listed

    def _answer(self, asked: ApiRequest) -> tuple[ApiReply, Served]:
        for door in self.doors.values():
            token = door.token(asked)
            if token is not None:
                return token, Served(asked, token.status)
        of_job = self.jobs.polled(asked)
        if of_job is not None:
            return of_job, Served(asked, of_job.status)
        fetched = self.jobs.fetched(asked)
        route, match = fetched or self._route(asked)
        if route is None:
            return refused(404 if not match else 400, str(match or "there is nothing")), Served(
                asked, 0
            )
        assert isinstance(match, Match)
        closed = None if fetched else self._closed(route, asked)
        if closed is not None:
            return closed, Served(asked, 0, route.stream.name)
        try:
            return self._listed(route, match, asked, is_file=fetched is not None)
        except (WrongPlace, positions.NoPosition) as error:
            return refused(400, str(error)), Served(asked, 0, route.stream.name)

    def _route(self, asked: ApiRequest) -> tuple[Route | None, Match | str]:
        """The route that fits best: the one with most of the request said in the spec."""
        best: tuple[Route | None, Match | str] = (None, "")
        for route in self.routes:
            found = route.match(asked, self.bases[asked.origin])
            if isinstance(found, Match):
                if not isinstance(best[1], Match) or found.weight > best[1].weight:
                    best = (route, found)
            elif found and best[0] is None and not best[1]:
                best = (None, found)
        return best

    def _closed(self, route: Route, asked: ApiRequest) -> ApiReply | None:
        door = self.doors.get(id(self._auth_of(route)))
        if door is None or door.opens(asked):
            return _strange(route, asked, door)
        return replace(refused(401, "the credential is not right"), headers=challenge(door))

    def _listed(
        self, route: Route, match: Match, asked: ApiRequest, *, is_file: bool
    ) -> tuple[ApiReply, Served]:
        if route.endpoint.job is not None and not is_file:
            return self.jobs.created(route, match, asked), Served(asked, 0, route.stream.name)
        rows = self._rows(route, match, asked)
        if rows is None:
            return refused(404, "there is no such item"), Served(asked, 0, route.stream.name)
        fault = self.faults.next()
        broken = self._broken(fault)
        if broken is not None:
            return broken, Served(asked, 0, route.stream.name, fault=fault)
        page = self._page(route, match, asked, rows, fault)
        reply = self._reply(route, asked, page, fault)
        return reply, Served(asked, 0, route.stream.name, len(page.rows), fault)

    def _broken(self, fault: str) -> ApiReply | None:
        if fault == "429":
            return replace(refused(429, "too many requests"), headers={"retry-after": "1"})
        if fault == "500":
            return refused(500, "a failure that was asked for")
        if fault == "expired":
            self.revoke()
            return refused(401, "the token has expired")
        return None

    def _page(
        self, route: Route, match: Match, asked: ApiRequest, rows: Sequence[Row], fault: str
    ) -> ServedPage:
        url = self.bases[asked.origin] + asked.path
        listing = AskedList(asked, match.read, rows, url, size_of(route.endpoint))
        page = page_of(route.endpoint, listing)
        if fault == "short" and len(page.rows) > 1:
            return page_of(route.endpoint, replace(listing, size=-(-len(page.rows) // 2)))
        if fault == "empty":
            return page_of(route.endpoint, replace(listing, size=0, onward=page.start))
        if fault == "repeat":
            return page_of(route.endpoint, replace(listing, onward=page.start))
        return page

    def _reply(self, route: Route, asked: ApiRequest, page: ServedPage, fault: str) -> ApiReply:
        told = {**page.fields, **self._sync_token(route, asked, page)}
        data = [row.data for row in page.rows]
        if fault == "drift":
            data = [{**one, "simulated_drift": "new"} for one in data]
        body, kind = body_of(route.endpoint, data, told)
        headers = {"content-type": kind, **page.headers, **self._limits(route)}
        mark = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if route.endpoint.conditional == "etag":
            headers["etag"] = mark
            if asked.headers.get("if-none-match") == mark:
                return ApiReply(304, b"", {"etag": mark})
        if route.endpoint.conditional == "last_modified":
            changed = self.now + dt.timedelta(minutes=self.rows[route.stream.name].grown)
            headers["last-modified"] = changed.strftime("%a, %d %b %Y %H:%M:%S GMT")
            if asked.headers.get("if-modified-since") == headers["last-modified"]:
                return ApiReply(304, b"", headers)
        return ApiReply(200, body, headers, is_cut=fault == "cut")

    def _limits(self, route: Route) -> dict[str, str]:
        limits = [one for one in (route.endpoint.rate_limit, self.spec.rate_limit) if one]
        found = {one.remaining_header: "1000" for one in limits if one.remaining_header}
        return {**found, **{one.reset_header: "60" for one in limits if one.reset_header}}

    def _sync_token(self, route: Route, asked: ApiRequest, page: ServedPage) -> dict[str, Any]:
        incremental = route.stream.incremental
        if incremental is None or incremental.token_field is None or not page.is_last:
            return {}
        mark = f"t{self.rows[route.stream.name].grown}"
        base = f"{self.bases[asked.origin]}{asked.path}?{SYNC}={mark}"
        return {incremental.token_field.source: mark if incremental.start_param else base}

    def _rows(self, route: Route, match: Match, asked: ApiRequest) -> list[Row] | None:
        """The rows that a request asks for; None where its item is none."""
        rows = self._of_items(route, match)
        if rows is None or route.stream.incremental is None:
            return rows
        return list(Windowed(route, match, asked, self.rows[route.stream.name]).of(rows))

    def _of_items(self, route: Route, match: Match) -> list[Row] | None:
        source = self.rows[route.stream.name]
        if not route.stream.for_each:
            return list(source.of((), 0))
        wanted = [self._item_value(route, match, each) for each in route.stream.for_each]
        items = {item: number for number, item in enumerate(self.items(route.stream))}
        asked_for = [item for item in itertools.product(*wanted) if item in items]
        if not asked_for:
            return None
        return [row for item in asked_for for row in source.of(item, items[item])]

    def _item_value(self, route: Route, match: Match, each: ForEach) -> list[str]:
        names = {each.bound, f"item.{each.bound}"}
        if each.batch:
            names = {"item.values"}
        for expression, value in match.read.items():
            if leading_name(expression) in names:
                return [one.strip(" \"'[]") for one in value.split(",")] if each.batch else [value]
        if (shown := self._by_included(match, each)) is not None:
            return shown
        raise CannotSimulate(f'{route.stream.name}: no request shows the item "{each.bound}"')

    def _by_included(self, match: Match, each: ForEach) -> list[str] | None:
        """The items of the parents' rows whose included fields the request has."""
        for parent in each.parents:
            fields = self.spec.stream(parent.stream).fields
            paths = {f"parent.{name}": steps_of(fields.sent_name(name)) for name in parent.include}
            sent = {n: v for n, v in match.read.items() if leading_name(n) in paths}
            if sent:
                field = steps_of(fields.sent_name(parent.field))
                return [
                    as_text(get(row.data, field))
                    for row in self.truth(parent.stream)
                    if all(
                        as_text(get(row.data, paths[leading_name(n)])) == v for n, v in sent.items()
                    )
                ]
        return None


@dataclass(frozen=True)
class Windowed:
    """The stretch of the cursor that a request asks for."""

    route: Route
    match: Match
    asked: ApiRequest
    source: StreamRows

    def of(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows within it: from its start on, up to its end and without it."""
        incremental = self.route.stream.incremental
        assert incremental is not None
        if incremental.kind == "token":
            yield from self._since_token(rows)
            return
        kind = positions.kind_of(incremental)
        start, end = self._sent("start", kind), self._sent("end", kind)
        for row in rows:
            at: Any = row.at
            after = start is None or at is None or at >= start
            if after and (end is None or at is None or self._before(at, end)):
                yield row

    def _before(self, at: Any, end: Any) -> bool:
        incremental = self.route.stream.incremental
        assert incremental is not None
        return bool(at <= end if incremental.granularity else at < end)

    def _since_token(self, rows: Sequence[Row]) -> list[Row]:
        incremental = self.route.stream.incremental
        assert incremental is not None
        sent = self.asked.param(SYNC)
        if incremental.start_param:
            sent = sent or self._placed(incremental.start_param, incremental.where)
        if not sent:
            return list(rows)
        if not (sent[0] == "t" and sent[1:].isdigit()):
            raise WrongPlace(f'"{sent[:40]}" is no token that this server gave')
        new = self.source.grown - int(sent[1:])
        return list(rows)[len(rows) - new :] if new else []

    def _sent(self, which: str, kind: str) -> Any:
        """The start or the end that the request has; None where it is open."""
        incremental = self.route.stream.incremental
        assert incremental is not None
        param = incremental.start_param if which == "start" else incremental.end_param
        if param:
            text = self._placed(param, incremental.where)
            how = incremental.format
            return None if not text else self._edge(text, kind, "", how, which)
        names = {f"window.{which}"} | ({"cursor"} if which == "start" else set())
        for expression, text in self.match.read.items():
            if leading_name(expression) in names and text:
                return self._edge(text, kind, expression, incremental.format, which)
        return None

    def _edge(self, text: str, kind: str, expression: str, how: str, which: str) -> Any:
        made = positions.read(text, kind, expression, how)
        incremental = self.route.stream.incremental
        whole_day = which == "end" and incremental is not None and incremental.granularity
        if whole_day and isinstance(made, dt.datetime) and positions.is_date(text):
            return made + dt.timedelta(days=1, seconds=-1)
        return made

    def _placed(self, name: str, where: str) -> str | None:
        value = value_at(self.asked, where, name, {}, "")
        return None if value is None else as_text(value)


def _strange(route: Route, asked: ApiRequest, door: Door | None) -> ApiReply | None:
    """A refusal of parameters that nothing in the spec sends."""
    names = set(route.endpoint.params)
    if any("{{" in name for name in names):
        return None
    pagination, incremental = route.endpoint.pagination, route.stream.incremental
    for key in ("offset_param", "limit_param", "page_param", "page_size_param", "cursor_param"):
        names.add(getattr(pagination, key, None) or "")
    names |= {incremental.start_param or "", incremental.end_param or ""} if incremental else set()
    names |= {TOKEN, SYNC, *(door.params() if door else ())}
    strange = sorted({name for name, _ in asked.query} - names)
    return refused(400, f'the parameter "{strange[0]}" is in no spec') if strange else None
