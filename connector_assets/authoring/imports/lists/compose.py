"""Lists that were found → endpoints and streams of a draft, each guess with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.draft import Outcome, template_name, template_text
from connector_assets.authoring.imports.lists.columns import columns_of, phrase
from connector_assets.authoring.imports.lists.found import FoundList, ListIndex
from connector_assets.authoring.imports.lists.increments import Increment, increment_of
from connector_assets.authoring.imports.lists.operation import Operation, Param
from connector_assets.authoring.imports.lists.page_facts import Habits, Paging
from connector_assets.authoring.imports.lists.page_words import (
    is_cursor,
    is_offset,
    is_page,
    is_size,
)
from connector_assets.authoring.imports.lists.pagination import paging_of
from connector_assets.authoring.imports.lists.parents import (
    bindings_of,
    config_field,
    parent_called,
)
from connector_assets.authoring.imports.lists.schema import Schemas
from connector_assets.authoring.imports.lists.together import facts_of
from connector_assets.authoring.imports.secret_values import camel, is_secret_name
from connector_assets.authoring.imports.spec_parts import Parts, less

MOST_COLUMNS = 4_000
"""Columns of a draft in all: with more of them it would be larger than a spec may be."""

_DROPPED_HEADERS = frozenset(
    ["accept", "contenttype", "authorization", "useragent", "contentlength", "host"]
)


@dataclass
class Composer:
    """Makes the parts of a draft of lists; `base` is the API's address, told of in the draft."""

    parts: Parts
    schemas: Schemas
    index: ListIndex
    habits: Habits
    columns: bool = True
    texts: bool = True
    secured: frozenset[str] = frozenset()
    """Headers and parameters that the auth sends: they are no parameters of a list."""
    adds: dict[str, dict[str, str]] = field(default_factory=dict)
    """Fields that streams must add to their rows, as their children need them."""
    proofs: dict[str, Paging] = field(default_factory=dict)
    """Paginations that two requests of a list prove, by the list's name."""

    def add(self, one: FoundList, base: str | None = None) -> None:
        """The endpoint and the stream of one list, with its remarks and what became of it."""
        made = _Listed(self, one)
        endpoint = made.endpoint(base)
        self.parts.endpoints.append(endpoint)
        self.parts.streams.append(made.stream())
        state = "question" if made.asked else "drafted"
        more = {
            "method": one.operation.method,
            "path": one.operation.path,
            "operationId": one.operation.id,
        }
        self.parts.outcomes.append(Outcome(one.name, one.operation.source, state, more=more))

    def finish(self) -> None:
        """Give the parents' streams the fields that their children read."""
        for stream in self.parts.streams:
            body = stream.value if isinstance(stream, Noted) else stream
            if added := self.adds.get(body["name"]):
                body["fields"] = {"add": added}


class _Listed:
    """One list on its way into the draft."""

    def __init__(self, composer: Composer, one: FoundList) -> None:
        self.composer, self.parts, self.one = composer, composer.parts, one
        self.operation, self.schemas = one.operation, composer.schemas
        self.asked = False
        self.open: list[str] = []
        self.above: list[str] = []
        self.for_each: list[Any] = []
        self.bindings = bindings_of(one, composer.index).spelled(composer.parts.spelled)
        self.increment = self._increment()
        self._bind()

    def say(self, kind: Any, where: str, says: str, *others: Any) -> None:
        self.asked |= kind == "question"
        self.parts.say(kind, self.one.name, where, says, *others)

    def _increment(self) -> Increment | None:
        found = increment_of(self.operation, self.one.rows.row, self.schemas)
        return found if found and self.one.key else None

    def _bind(self) -> None:
        """Parents and config values of the path."""
        bindings = self.bindings
        for name, param in bindings.config.items():
            text = (phrase(param.text) if param else "") or f"In {self.operation.path}"
            known = self.parts.value(name, config_field(param, text))
            says = f"{known} is a value of the connection: no list before it has it"
            self.say("note", "url", says)
        if parent := bindings.parent:
            for added, source in bindings.adds.items():
                self.composer.adds.setdefault(parent.list.name, {})[added] = f"{{{{{source}}}}}"
            if parent.question:
                self.say("question", "forEach", parent.question)
            else:
                self.say("guess", "forEach", f"{parent.name}: {parent.why}")
            body = {"stream": parent.list.name, "field": parent.field, "as": parent.name}
            include = list(dict.fromkeys(bindings.include))
            made = {"parent": body | ({"include": include} if include else {})}
            asked = [parent.question] if parent.question else []
            self.for_each.append(Noted(made, parent.why, asked))

    def endpoint(self, base: str | None) -> Any:
        operation, rows = self.operation, self.one.rows
        paging = self._paging()
        params, headers, body = self._given(paging)
        if rows.question:
            self.say("question", "responseRowsPath", rows.question, *rows.others)
        else:
            self.say("guess", "responseRowsPath", rows.why)
        made: dict[str, Any] = {"id": self.one.name}
        made["baseUrl"] = base
        made["method"] = operation.method if operation.method != "GET" else None
        made["url"] = self._url()
        made["params"] = params
        made["headers"] = headers
        made["body"] = body
        if operation.has_body and body is None:
            made["body"] = {"json": {}}
        asked = [rows.question] if rows.question else []
        made["responseRowsPath"] = Noted(rows.path, rows.why, asked) if rows.path else None
        made["pagination"] = self._noted(paging)
        if not rows.path:
            self.open += asked
        return {key: one for key, one in made.items() if one not in (None, {}, [])}

    def _paging(self) -> Paging:
        facts = facts_of(self.one, self.schemas, self.composer.habits)
        paging = self.composer.proofs.get(self.one.name) or paging_of(facts)
        if paging.question:
            self.say("question", "pagination", paging.question, *paging.others)
        else:
            self.say("guess", "pagination", paging.why, *paging.others)
        return paging

    def _noted(self, paging: Paging) -> Noted:
        asked = [f"pagination: {paging.question}"] if paging.question else []
        return Noted(dict(paging.spec), paging.why, asked)

    def _url(self) -> str:
        path = re.split(r"[?#]", self.operation.path)[0]
        names = self.bindings.names

        def template(found: re.Match[str]) -> str:
            return f"{{{{{names.get(found[1], template_name(found[1]))}}}}}"

        made = re.sub(r"\{([^{}]+)\}", template, path)
        rest = re.sub(r"\{\{[^{}]*\}\}", "", made)
        if "{" in rest or "}" in rest:
            made = re.sub(r"[{}]", lambda one: f"%{ord(one[0]):02X}", path)
        return made if made.startswith("/") else f"/{made}"

    def _given(self, paging: Paging) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """The parameters, headers and body that each request has."""
        used = _paging_names(paging)
        params = {
            name: Noted(
                one, "the largest page it allows" if one is not True else "the pagination needs it"
            )
            for name, one in paging.params.items()
        }
        headers: dict[str, Any] = dict(self.operation.extra.get("headers") or {})
        body: dict[str, Any] = {}
        for param in self.operation.of("query", "body"):
            if param.name in used or param.name in params or self._is_auth(param):
                continue
            value = self._value(param)
            if value is not None:
                (params if param.place == "query" else body)[param.name] = value
        for param in self.operation.of("header"):
            if param.word in _DROPPED_HEADERS or self._is_auth(param):
                continue
            value = self._header(param)
            if value is not None:
                headers[param.name] = value
        in_body = {name: one for name, one in params.items() if name in _body_names(self.operation)}
        for name in in_body:
            body[name] = params.pop(name)
        whole = self.operation.extra.get("body")
        if isinstance(whole, Mapping):
            return params, headers, _without(whole, used)
        return params, headers, {"json": _nested(body)} if body else None

    def _is_auth(self, param: Param) -> bool:
        return param.word in self.composer.secured

    def _value(self, param: Param) -> Any:
        """What a parameter is sent as; None where it is left out."""
        whole = _all_of(param)
        if whole is not None:
            return Noted(whole, f"else only {param.default or 'a part'} is listed")
        if not param.required or self._is_increment(param):
            return None
        if is_page(param) or is_offset(param) or is_cursor(param):
            return None
        return param.default if param.sent else self._needed(param)

    def _needed(self, param: Param) -> Any:
        """The value of a parameter that has to be sent."""
        if len(param.choices) == 1 or param.default not in (None, ""):
            value = param.choices[0] if len(param.choices) == 1 else param.default
            return _literal(value, "it is required, and this is its only value or its default")
        if is_size(param):
            return None
        return self._required(param)

    def _required(self, param: Param) -> str:
        name = self.parts.spelled(template_name(param.name))
        parent = parent_called(param, self.composer.index, self.one)
        if param.choices and all(isinstance(one, str | int) for one in param.choices):
            values = [one for one in param.choices if one != ""]
            why = f"{param.name} is required and has these values"
            self.for_each.append(Noted({"values": values, "as": name}, why))
            self.say("guess", "forEach", why)
            return f"{{{{{name}}}}}"
        if parent and parent.key:
            why = f"{param.name} is required and called like {parent.name}"
            body = {"stream": parent.name, "field": parent.key.field, "as": name}
            self.for_each.append(Noted({"parent": body}, why))
            self.say("guess", "forEach", why)
            return f"{{{{{name}}}}}"
        if is_secret_name(param.name):
            return self.parts.secret(camel(param.name), phrase(param.text) or f"The {param.name}")
        text = phrase(param.text) or f"{param.name} of {self.operation.path}"
        name = self.parts.value(name, config_field(param, text))
        self.say("note", f"params.{param.name}", f"{name} is required: a value of the connection")
        return f"{{{{{name}}}}}"

    def _header(self, param: Param) -> Any:
        default = param.default
        if default is None:
            default = param.view.said.get("example") if _is_version(param) else None
        if default is None and _is_version(param) and param.choices:
            default = max(map(str, param.choices))
        if default is not None and (param.required or _is_version(param)):
            return _literal(str(default), "a version or default that the document gives")
        return self._required_header(param) if param.required else None

    def _required_header(self, param: Param) -> str:
        if is_secret_name(param.name):
            return self.parts.secret(camel(param.name), phrase(param.text) or f"The {param.name}")
        name = template_name(param.name)
        text = phrase(param.text) or f"The header {param.name}"
        return f"{{{{{self.parts.value(name, config_field(param, text))}}}}}"

    def _is_increment(self, param: Param) -> bool:
        spec = self.increment.spec if self.increment and self.increment.active else {}
        return param.name in (spec.get("startParam"), spec.get("endParam"))

    def stream(self) -> Any:
        made: dict[str, Any] = {"name": self.one.name}
        made["description"] = phrase(self.operation.summary or self.operation.text)
        made["primaryKey"] = self._key()
        made["incremental"] = self._incremental()
        made["forEach"] = self.for_each
        if self.composer.columns:
            texts = self.composer.texts
            made["columns"] = columns_of(self.one.rows.row, self.schemas, texts=texts)
        return Noted(less(made), open=self.open, above=self.above)

    def _key(self) -> Any:
        key = self.one.key
        if key is None:
            question = "nothing in the rows is known to identify one; name the primaryKey"
            self.say("question", "primaryKey", question)
            self.open.append(question)
            return None
        if key.question:
            self.say("question", "primaryKey", key.question)
        else:
            self.say("guess", "primaryKey", f"{key.field}: {key.why}")
        asked = [key.question] if key.question else []
        return Noted([key.field], key.why, asked)

    def _incremental(self) -> Any:
        found = self.increment
        if found is None:
            return None
        spec = ", ".join(f"{name}: {value}" for name, value in found.spec.items())
        if found.active and not found.question:
            self.say("guess", "incremental", found.why, dict(found.spec))
            required = [p for p in self.operation.of("query") if p.name == found.spec["startParam"]]
            start = {}
            if required and required[0].required:
                name = self.parts.value("start_date", {"description": "Where first runs begin"})
                start = {"start": f"{{{{{name}}}}}"}
            return Noted({**found.spec, **start}, found.why)
        if found.question:
            reason = found.question
        else:
            reason = "it finds new rows and not those that changed, so that all is read each time"
        self.say("note", "incremental", f"not drafted: {reason}", dict(found.spec))
        self.above.append(f"possible: incremental: {{{spec}}}; {reason}")
        return None


def _paging_names(paging: Paging) -> set[str]:
    keys = ("cursorParam", "pageSizeParam", "pageParam", "offsetParam", "limitParam")
    return {str(paging.spec[key]) for key in keys if key in paging.spec}


def _body_names(operation: Operation) -> set[str]:
    return {one.name for one in operation.of("body")}


def _without(body: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
    """A recorded body less the values that the pagination puts there."""

    def less_used(value: Any, before: str = "") -> Any:
        if not isinstance(value, Mapping):
            return value
        inner = {name: (f"{before}{name}", one) for name, one in value.items()}
        kept = {n: (p, one) for n, (p, one) in inner.items() if p not in used}
        return {n: less_used(one, f"{p}.") for n, (p, one) in kept.items()}

    return {kind: less_used(one) if kind == "json" else one for kind, one in body.items()}


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`."""
    made: dict[str, Any] = {}
    for path, value in flat.items():
        at = made
        *above, last = path.split(".")
        for name in above:
            inner = at.setdefault(name, {})
            at = inner if isinstance(inner, dict) else {}
        at[last] = value
    return made


def _literal(value: Any, why: str) -> Any:
    if isinstance(value, str):
        value = template_text(value)
    elif isinstance(value, list):
        value = [template_text(one) if isinstance(one, str) else one for one in value]
    return Noted(value, why) if isinstance(value, str | int | float | list) else None


def _all_of(param: Param) -> str | None:
    """The value that leaves nothing out, where a filter's default leaves something out."""
    if param.place != "query" or "all" not in param.choices or param.default in (None, "all"):
        return None
    return "all"


def _is_version(param: Param) -> bool:
    return bool(re.search(r"version|revision", param.name, re.IGNORECASE))
