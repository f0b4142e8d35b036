"""One stream of a manifest → an endpoint and a stream of a spec."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.imports.airbyte.async_jobs import job_keys
from connector_assets.authoring.imports.airbyte.authenticators import Authenticators
from connector_assets.authoring.imports.airbyte.components import simple_name
from connector_assets.authoring.imports.airbyte.cursors import ConvertedIncrement, Cursors
from connector_assets.authoring.imports.airbyte.error_handlers import ErrorHandlers
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.given_values import GivenValues
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.known_classes import with_known_classes
from connector_assets.authoring.imports.airbyte.paginators import (
    ConvertedPaging,
    PagedStream,
    paging_of,
)
from connector_assets.authoring.imports.airbyte.replaced_rows import replaced_rows
from connector_assets.authoring.imports.airbyte.request_parts import Option, RequestParts
from connector_assets.authoring.imports.airbyte.requesters import Requester
from connector_assets.authoring.imports.airbyte.routers import ParentOf, Routers, Routes
from connector_assets.authoring.imports.airbyte.selectors import (
    columns,
    format_keys,
    primary_key,
    rows_keys,
    rows_path,
)
from connector_assets.authoring.imports.airbyte.texts import Texts
from connector_assets.authoring.imports.airbyte.tokens import Auth
from connector_assets.authoring.imports.airbyte.transformations import Transformations

_MILLIS = "%Y-%m-%dT%H:%M:%S.%_msZ"
SchemaOf = Callable[[str], Any]
"""The JSON schema in a file that a manifest names; None where there is none."""

SliceOf = Callable[[str], Mapping[str, str]]
"""The columns of a parent's rows that hold what it was read for, by their names in its slices."""


@dataclass
class Made:
    """A stream with its endpoint, and what differs from the manifest's."""

    endpoint: dict[str, Any] = field(default_factory=dict)
    stream: dict[str, Any] = field(default_factory=dict)
    auths: list[Auth] = field(default_factory=list)
    near: list[str] = field(default_factory=list)
    item: dict[str, str] = field(default_factory=dict)
    """How its templates read what it is read for, by the names in its slices."""

    def slice_columns(self) -> dict[str, str]:
        """Columns with what a row was read for, which are added to its rows for their children."""
        if not self.stream or any("batch" in one for one in self.stream.get("forEach") or ()):
            return {}
        made = {name: f"slice_{simple_name(name)}" for name in self.item}
        added = {made[name]: f"{{{{ {read} }}}}" for name, read in self.item.items()}
        first = self.stream.get("initial", {})
        for one in (self.stream, *([first] if "fields" in first else [])):
            fields = one.setdefault("fields", {})
            fields["add"] = {**fields.get("add", {}), **added}
        self.near += [f"a column {one} is added, which its children read" for one in added]
        return made


@dataclass
class Surroundings:
    """What a stream needs of the manifest around it."""

    given: GivenValues
    parent_of: ParentOf
    schema_of: SchemaOf
    slice_of: SliceOf = lambda _: {}
    variables: Mapping[str, str] = field(default_factory=dict)
    """Names that templates may read beside those of a manifest, by what they are called here."""


class StreamConverter:
    """Converts one stream, in the order in which one part needs what another found."""

    def __init__(self, component: Mapping[str, Any], name: str, around: Surroundings) -> None:
        self.component, near = with_known_classes(component)
        self.name, self.around = name, around
        self.content_key = False
        self.made = Made(near=near)
        self.reading = Reading(around.given, _parameters(component), data=dict(around.variables))

    def convert(self) -> Made:
        """The endpoint and the stream; Refused where one of its parts has no equal."""
        retriever = self.component.get("retriever")
        if not isinstance(retriever, Mapping):
            raise Refused("a stream without a retriever")
        kind = retriever.get("type")
        if retriever.get("class_name") or kind not in ("SimpleRetriever", "AsyncRetriever"):
            raise Refused(f"the retriever {retriever.get('class_name') or kind}")
        self.retriever = retriever
        self.reading = within(self.reading, retriever)
        key = "creation_requester" if kind == "AsyncRetriever" else "requester"
        requester = retriever.get(key)
        if not isinstance(requester, Mapping):
            raise Refused("a stream without a requester")
        self.requester: Mapping[str, Any] = requester
        self.selector = retriever.get("record_selector") or {}
        self._parts(is_job=kind == "AsyncRetriever")
        return self.made

    def _parts(self, *, is_job: bool) -> None:
        routes = self._routes()
        increment = self._increment()
        self.reading = replace(
            self.reading, item=routes.item, extra=routes.extra, window=increment.window
        )
        rows = self._rows()
        parts = RequestParts()
        paging = ConvertedPaging() if is_job else self._paging(rows, parts)
        reading = within(self.reading, self.requester)
        Requester(replace(reading, token=paging.token), self.requester, parts).fill()
        self._puts(parts, routes, increment, paging)
        self._endpoint(parts, paging, rows)
        if is_job:
            job, near = job_keys(self.retriever, self.reading)
            self.made.endpoint["job"] = job
            self.made.near += near
        self._stream(routes, increment, parts)

    def _routes(self) -> Routes:
        router = self.retriever.get("partition_router") or self.retriever.get("stream_slicer")
        if not router:
            return Routes()
        names = {one.name: one for one in self.around.given.by_path.values()}
        slice_of = self.around.slice_of if "parent_slice" in str(self.component) else None
        routers = Routers(self.reading, self.around.parent_of, names, slice_of)
        made = routers.routes(router)
        self.made.near += made.near
        self.made.item = made.item
        return made

    def _increment(self) -> ConvertedIncrement:
        component = self.component.get("incremental_sync")
        if not isinstance(component, Mapping):
            return ConvertedIncrement()
        return Cursors(within(self.reading, component)).increment(component)

    def _rows(self) -> str:
        selector = within(self.reading, self.selector)
        if self.selector.get("class_name"):
            raise Refused(f"the record selector {self.selector['class_name']}")
        extractor = self.selector.get("extractor")
        reading = within(selector, extractor if isinstance(extractor, Mapping) else {})
        found = rows_path(extractor, Texts(reading))
        made = replaced_rows(found, self.component.get("transformations"), selector.parameters)
        self.made.near += made.near
        self.steps = made.steps
        if made.rows != found and _filters_before(self.selector):
            raise Refused("a filter of rows before an object takes their place")
        return made.rows

    def _paging(self, rows: str, parts: RequestParts) -> ConvertedPaging:
        paginator = self.retriever.get("paginator")
        if isinstance(paginator, list) or (
            isinstance(paginator, Mapping) and paginator.get("class_name")
        ):
            raise Refused(
                f"the paginator {paginator.get('class_name')}"
                if isinstance(paginator, Mapping)
                else "two paginators"
            )
        asked = json.dumps(_asked(self.requester), default=str)
        reading = self.reading
        if isinstance(paginator, Mapping):
            reading = within(within(reading, paginator), paginator.get("pagination_strategy") or {})
            strategy = paginator.get("pagination_strategy") or {}
            if isinstance(strategy, Mapping) and strategy.get("class_name"):
                raise Refused(f"the pagination strategy {strategy['class_name']}")
        stream = PagedStream(
            reading,
            rows,
            reads_token="next_page_token" in asked,
            filtered=bool(self.selector.get("record_filter")),
            parts=parts,
        )
        return paging_of(paginator, stream)

    def _puts(
        self,
        parts: RequestParts,
        routes: Routes,
        increment: ConvertedIncrement,
        paging: ConvertedPaging,
    ) -> None:
        """Put together what several components put into one request."""
        self._size_is_given(parts, paging)
        for option, value in (*routes.sent, *increment.sent, *paging.sent, *paging.static):
            parts.put(option, value)
        for option in (*increment.expected, *paging.expected):
            parts.expects(option)

    def _size_is_given(self, parts: RequestParts, paging: ConvertedPaging) -> None:
        """A page size that is also a plain parameter is said once; so is a first place."""
        for key in ("pageSizeParam", "limitParam", "pageParam", "offsetParam", "cursorParam"):
            name = paging.keys.get(key)
            if name in parts.params and paging.keys.get("in", "query") == "query":
                if key in ("pageSizeParam", "limitParam"):
                    del parts.params[name]
                    continue
                raise Refused(f'"{name}" is put into the request twice')

    def _endpoint(self, parts: RequestParts, paging: ConvertedPaging, rows: str) -> None:
        made = {"id": self.name, **parts.endpoint()}
        if _may_be_empty(parts):
            made["omitEmpty"] = True
        if paging.keys:
            made["pagination"] = paging.keys
        made |= rows_keys(rows)
        decoder = self.retriever.get("download_decoder") or self.retriever.get("decoder")
        made |= format_keys(decoder, Texts(self.reading))
        if made.get("responseFormat") in ("csv", "jsonl", "text"):
            _only_whole(made, rows)
        handlers = ErrorHandlers(within(self.reading, self.requester))
        made |= handlers.keys(self.requester.get("error_handler"))
        self.made.near += [*paging.near, *handlers.near]
        base = str(self.requester.get("url_base") or "")
        authenticators = Authenticators(within(self.reading, self.requester), base)
        self.made.auths = authenticators.auths(self.requester.get("authenticator"))
        self.made.near += authenticators.near
        self.made.endpoint = made

    def _stream(self, routes: Routes, increment: ConvertedIncrement, parts: RequestParts) -> None:
        made: dict[str, Any] = {"name": self.name}
        keys = primary_key(self.component.get("primary_key"))
        if keys:
            made["primaryKey"] = keys
        if increment.keys:
            self._incremental(made, increment, parts, keys)
        if routes.each:
            made["forEach"] = routes.each
            self._changed(routes, made)
        changes = Transformations(within(self.reading, self.selector)).changes(
            self.selector, self.steps
        )
        self.made.near += changes.near
        if changes.where:
            made["where"] = changes.where
        if changes.fields():
            made["fields"] = changes.fields()
        if self.content_key:
            added = made.setdefault("fields", {}).setdefault("add", {})
            added["row_hash"] = "{{ record | json | sha256 }}"
        if self.retriever.get("decoder", {}).get("type") == "IterableDecoder":
            made.setdefault("fields", {}).setdefault("rename", {})["value"] = "record"
        described = columns(self._schema())
        if described:
            made["columns"] = described
        self.made.stream = made

    def _incremental(
        self,
        made: dict[str, Any],
        increment: ConvertedIncrement,
        parts: RequestParts,
        keys: list[str],
    ) -> None:
        given = increment.keys
        self.made.near += increment.near
        asked = json.dumps([parts.url, parts.params, parts.headers, parts.body()])
        reads_start = "startParam" in given or "window.start" in asked
        if "window" in given and not reads_start:
            for key in ("window", "granularity"):
                given.pop(key, None)
            self.made.near.append("the whole list is read once, not once for each window")
        if "lookback" in given and not keys:
            del given["lookback"]
            self.made.near.append("nothing is read again, as there is no primary key to merge by")
        if "end" in given and "endParam" not in given and "window.end" not in asked:
            if "clientFilter" in given:
                self.made.near.append("rows after the end are kept")
            del given["end"]
        if "endParam" not in given and "window.end" not in asked:
            given.pop("granularity", None)
        self._millis(given, parts)
        if not keys:
            self._keyed_by_content(made)
        made["incremental"] = given

    def _millis(self, given: dict[str, Any], parts: RequestParts) -> None:
        """Times to the millisecond, which a template writes: a format has microseconds only."""
        if given.get("format") != _MILLIS:
            return
        given["format"] = "%Y-%m-%dT%H:%M:%S.%fZ"
        for key, read in (("startParam", "window.start"), ("endParam", "window.end")):
            name = given.pop(key, None)
            if name is not None:
                place = Option(name, given.get("in", "query"), form=parts.form is not None)
                parts.put(place, f"{{{{ {read} | iso('milliseconds') }}}}")
        given.pop("in", None)
        self.made.endpoint.update(parts.endpoint())

    def _keyed_by_content(self, made: dict[str, Any]) -> None:
        """New rows are merged by a key; rows that have none are told apart by all they hold."""
        made["primaryKey"] = ["row_hash"]
        self.content_key = True
        self.made.near.append("a column row_hash tells rows apart, as they have no primary key")

    def _changed(self, routes: Routes, made: dict[str, Any]) -> None:
        """Only what has changed is read again where rows are merged, which needs a key."""
        if not routes.needs_key:
            return
        if made.get("primaryKey"):
            made["writeMode"] = "merge"
            return
        for each in routes.each:
            parents = each.get("parent") or []
            for parent in [parents] if isinstance(parents, dict) else parents:
                parent.pop("changed", None)
        self.made.near.append("children of all parents are read, as there is no key to merge by")

    def _schema(self) -> Any:
        loader = self.component.get("schema_loader")
        if isinstance(loader, list):
            loader = next((one for one in loader if isinstance(one, Mapping)), None)
        if not isinstance(loader, Mapping):
            return None
        if loader.get("type") == "InlineSchemaLoader":
            return loader.get("schema")
        if loader.get("type") == "JsonFileSchemaLoader":
            path = loader.get("file_path") or f"./schemas/{self.component.get('name')}.json"
            try:
                return self.around.schema_of(Texts(self.reading).text(path))
            except Refused:
                return None
        return None


def within(reading: Reading, component: Mapping[str, Any]) -> Reading:
    """The reading of a component's own texts, with the parameters that it was handed."""
    return replace(reading, parameters={**reading.parameters, **_parameters(component)})


def _parameters(component: Mapping[str, Any]) -> Mapping[str, Any]:
    found = component.get("$parameters") if isinstance(component, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _filters_before(selector: Mapping[str, Any]) -> bool:
    """Whether rows are kept or not before they are changed."""
    later = selector.get("transform_before_filtering") in (True, "true", "True")
    return bool(selector.get("record_filter")) and not later


def _asked(requester: Mapping[str, Any]) -> list[Any]:
    keys = ("url", "url_base", "path", "request_parameters", "request_headers")
    body = ("request_body", "request_body_json", "request_body_data")
    return [requester.get(key) for key in (*keys, *body)]


def _may_be_empty(parts: RequestParts) -> bool:
    """Whether a value of the request may turn out to be nothing, which is then not sent."""
    return "{{" in json.dumps([parts.params, parts.headers, parts.body()], default=str)


def _only_whole(made: dict[str, Any], rows: str) -> None:
    if rows != "@":
        raise Refused("a path to rows in what has a row on each line")
    del made["responseRowsPath"]
