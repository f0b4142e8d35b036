"""A Sling API spec → a draft: its endpoints, pagination, queues and sync values.

Source: Sling's documentation of API specs. Its expressions are read by their shape; setups, hooks
and functions that have no equal are questions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.draft import (
    AsWritten,
    Draft,
    Names,
    Outcome,
    template_text,
)
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.read_data import read_mapping
from connector_assets.authoring.imports.secret_values import camel, is_secret_name, looks_secret
from connector_assets.authoring.imports.selection import is_selected
from connector_assets.authoring.imports.sling_auth import SlingAuth
from connector_assets.authoring.imports.sling_expression import (
    answer_path,
    default_of,
    expression,
    literal,
    mapping,
    merged,
    pieces,
    reads_sync,
    scoped,
    step,
)
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.imports.spec_parts import Parts, less
from connector_assets.errors import ConfigError

_FAR = 10
_WHAT = "a Sling API spec: a mapping with name and endpoints"


class Sling:
    """Reads a Sling API spec."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """Its endpoints as streams."""
        data = read_mapping(source, _WHAT)
        if not isinstance(data.get("endpoints"), Mapping):
            raise ConfigError(f"is not {_WHAT}", where=source.name)
        return _Spec(data, source, wanted).draft()


class _Spec:
    def __init__(self, data: Mapping[str, Any], source: Source, wanted: WantedDraft) -> None:
        self.data, self.source, self.wanted = data, source, wanted
        self.parts = Parts("sling", source.name)
        defaults = mapping(data.get("defaults"))
        self.endpoints = {
            str(name): merged(defaults, one)
            for name, one in data["endpoints"].items()
            if isinstance(one, Mapping)
        }
        names = Names()
        self.streams = {name: names.new(name) for name in self.endpoints}
        self.queues = self._queues()

    def draft(self) -> Draft:
        self.auth = SlingAuth(self.parts)
        auth = self.auth.of(mapping(self.data.get("authentication")))
        for name, one in self.endpoints.items():
            if one.get("disabled") is True:
                self.parts.outcomes.append(Outcome(self.streams[name], name, "skipped", "disabled"))
            elif is_selected(self.wanted.select, name):
                _Endpoint(self, name, one).add()
        if self.data.get("dynamic_endpoints"):
            self.parts.say(
                "question", "", "dynamic_endpoints", "streams that are made while it runs"
            )
        self.parts.auth = [*auth, *self.parts.auth]
        title = re.sub(r"\s+API$", "", str(self.data.get("name") or self.source.stem))
        description = " ".join(str(self.data.get("description") or "").split())[:200]
        return self.parts.draft(title, self.wanted.id, description=description or None)

    def _queues(self) -> dict[str, tuple[str, str]]:
        """Which stream fills a queue, and from which field."""
        found: dict[str, tuple[str, str]] = {}
        for name, one in self.endpoints.items():
            for each in _processors(one):
                output = re.fullmatch(r"queue\.([\w.-]+)", str(each.get("output", "")))
                field = re.fullmatch(r"record\.([\w.]+)", str(each.get("expression", "")).strip())
                if output and field:
                    found.setdefault(output[1], (name, field[1]))
        return found


class _Endpoint:
    """One endpoint on its way to an endpoint and a stream of ours."""

    def __init__(self, spec: _Spec, key: str, said: Mapping[str, Any]) -> None:
        self.spec, self.parts, self.key, self.said = spec, spec.parts, key, said
        self.name = spec.streams[key]
        self.state = mapping(said.get("state"))
        self.request = mapping(said.get("request"))
        self.paging = mapping(said.get("pagination"))
        self.next = mapping(self.paging.get("next_state"))
        self.items: dict[str, str] = {}
        self.for_each: list[Any] = []
        self.open: list[str] = []
        self.incremental: dict[str, Any] = {}

    def ask(self, where: str, says: str) -> None:
        if says not in self.open:
            self.open.append(says)
            self.parts.say("question", self.name, where, says)

    def add(self) -> None:
        self._iterate()
        self._sync()
        if self.said.get("setup") or self.said.get("teardown"):
            self.ask("job", "setup and teardown are requests before and after: write them as a job")
        endpoint = self._endpoint()
        self.parts.endpoints.append(endpoint)
        self.parts.streams.append(self._stream())
        state = "question" if self.open else "drafted"
        self.parts.outcomes.append(Outcome(self.name, self.key, state))

    def _iterate(self) -> None:
        said = mapping(self.said.get("iterate"))
        if not said:
            return
        into = re.fullmatch(r"state\.([A-Za-z_]\w*)", str(said.get("into", "")))
        over = said.get("over")
        queue = re.fullmatch(r"\{?\s*queue\.([\w.-]+)\s*\}?", str(over))
        name = into[1] if into else "value"
        known = self.spec.queues.get(queue[1]) if queue else None
        if into and known:
            parent, field = known
            self.items[name] = name
            body = {"stream": self.spec.streams[parent], "field": field, "as": name}
            self.for_each.append(Noted({"parent": body}, f"the queue {queue[1] if queue else ''}"))
        elif into and (values := _values(over)):
            self.items[name] = name
            self.for_each.append({"values": values, "as": name})
        else:
            self.ask("forEach", f"iterates over {str(over)[:80]}: say which values those are")
            self.items[name] = self.parts.value(name, {})

    def _sync(self) -> None:
        """A value that is kept between runs, and the parameter that begins from it."""
        kept = {
            state[1]: field[1]
            for each in _processors(self.said)
            if each.get("aggregation") in ("maximum", "last")
            and (state := re.fullmatch(r"state\.([\w.]+)", str(each.get("output", ""))))
            and (
                field := re.fullmatch(r"record\.([\w.]+)", str(each.get("expression", "")).strip())
            )
        }
        for name, value in self.state.items():
            stored = reads_sync(str(value))
            param = self._param_of(name)
            if stored in kept and param:
                start = default_of(expression(value) or "")
                self.incremental = less(
                    {"cursorField": kept[stored], "startParam": param, "start": start}
                )
                if start is None:
                    self.ask("incremental", f"{param} begins at {str(value)[:80]}: give start")

    def _param_of(self, state: str) -> str | None:
        for name, value in mapping(self.request.get("parameters")).items():
            if scoped(expression(value) or "") == ("state", state):
                return str(name)
        return None

    def _endpoint(self) -> Any:
        raw, _, query = str(self.request.get("url") or "").partition("?")
        bare = self._text(raw, "url")
        pairs = (one.partition("=") for one in query.split("&") if one)
        given = {name: value for name, _, value in pairs}
        params = self._params({**given, **mapping(self.request.get("parameters"))})
        pagination, question = self._pagination(params)
        if question:
            self.ask("pagination", question)
        headers = self.spec.auth.of_headers(mapping(self.request.get("headers")))
        method = str(self.request.get("method") or "GET").upper()
        payload = self.request.get("payload")
        made: dict[str, Any] = {"id": self.name, "method": method if method != "GET" else None}
        made |= {"url": bare or "/", "params": params}
        made["headers"] = {n: self._text(str(v), n) for n, v in headers.items()
                           if n.lower() not in ("content-type", "accept")}  # fmt: skip
        made["body"] = (
            {"json": self._tree(payload)} if isinstance(payload, Mapping | list) else None
        )
        made["responseRowsPath"] = self._rows()
        made["pagination"] = Noted(pagination, open=[question] if question else [])
        rate = self.request.get("rate")
        made["rateLimit"] = {"requestsPerSecond": rate} if isinstance(rate, int | float) else None
        return less(made)

    def _rows(self) -> str | None:
        records = mapping(mapping(self.said.get("response")).get("records"))
        path = records.get("jmespath")
        if not isinstance(path, str):
            return None
        return re.sub(r"\[\*?\]$", "", path.strip()) or "@"

    def _params(self, given: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        paged = set(self.next)
        for name, value in given.items():
            found = scoped(expression(value) or "")
            if found and found[0] == "state" and found[1] in paged:
                continue
            if name == self.incremental.get("startParam"):
                continue
            if is_secret_name(str(name)) or looks_secret(str(value)):
                self.spec.parts.auth.append(
                    {"type": "api_key", "in": "query", "name": str(name),
                     "valueRef": self.spec.auth.secret(value, str(name))}
                )  # fmt: skip
                continue
            plain = self._value(value, str(name))
            if plain is not None:
                kept[str(name)] = plain
        return kept

    def _value(self, value: Any, name: str) -> Any:
        """A value with its type where it is one expression or none."""
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, list):
            return [self._text(str(one), name) for one in value]
        found = scoped(expression(value) or "")
        if found and found[0] == "state":
            state = self._state(found[1])
            if isinstance(state, int | float):
                return state
        return self._text(str(value), name) if value is not None else None

    def _state(self, name: str) -> Any:
        """What a state begins as, through states that name others."""
        value = self.state.get(name)
        for _ in range(_FAR):
            found = scoped(expression(value) or "")
            if not found or found[0] != "state":
                return value
            value = self.state.get(found[1])
        return None

    def _text(self, text: str, name: str, depth: int = 0) -> str:
        made = ""
        for is_expression, piece in pieces(text):
            if is_expression:
                made += self._resolved(piece, name, depth)
            else:
                made += template_text(piece)
        return AsWritten(made)

    def _resolved(self, text: str, name: str, depth: int) -> str:
        plain = literal(text)
        if plain is not None:
            return template_text(str(plain))
        found = scoped(text)
        if found is None or depth > _FAR:
            self.ask(name, f"{text[:80]} has no equal; give its value")
            return f"{{{{{self.parts.value(camel(name), {})}}}}}"
        scope, inner = found
        if scope == "state" and inner in self.items:
            return f"{{{{{self.items[inner]}}}}}"
        if scope == "state" and inner in self.state:
            return self._text(str(self.state[inner]), inner, depth + 1)
        if scope == "secrets" and is_secret_name(inner):
            return self.parts.secret(camel(inner), f"What Sling has as secrets.{inner}")
        field = less({"default": default_of(text)}) | {
            "description": f"What Sling has as {scope}.{inner}"
        }
        return f"{{{{{self.parts.value(camel(inner), field)}}}}}"

    def _tree(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._tree(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._tree(one) for one in value]
        return self._text(value, "body") if isinstance(value, str) else value

    def _pagination(self, params: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The pagination that `next_state` and `stop_condition` describe."""
        if not any(self._is_sent(str(state)) for state in self.next):
            return {"type": "none"}, ""
        stop = str(self.paging.get("stop_condition") or "")
        for state, value in self.next.items():
            text = expression(value) or ""
            param = self._param_of(str(state))
            if made := self._made(str(state), text, param, params, stop):
                return {**made, "maxPages": "unlimited"}, ""
        return {"type": "none"}, f"its next_state is not understood: {json.dumps(self.next)[:120]}"

    def _is_sent(self, state: str) -> bool:
        """Whether a request says the state anywhere."""
        return bool(
            re.search(rf"state\.{re.escape(state)}\b", json.dumps(self.request, default=str))
        )

    def _made(
        self, state: str, text: str, param: str | None, params: dict[str, Any], stop: str
    ) -> dict[str, Any] | None:
        made: dict[str, Any]
        if "link" in text.lower() and "header" in text:
            return {"type": "link_header"}
        if found := answer_path(text):
            path, in_last_row = found
            if param is None:
                return None if in_last_row else {"type": "next_url", "urlField": path}
            field = "lastRecordField" if in_last_row else "cursorField"
            made = {"type": "cursor", field: path, "cursorParam": param}
            more = re.search(
                r"(?:response\.json\.|[\"'])(\w*(?:has_?more|more)\w*)", stop, re.IGNORECASE
            )
            return made | ({"hasMoreField": more[1]} if more else {})
        moved = step(text)
        if not moved or param is None:
            return None
        begin = self._state(state)
        size = self._size(params)
        total = re.search(r"response\.json\.([\w.]*(?:total|pages)[\w.]*)", stop)
        if moved[1] == "1":
            made = {"type": "page", "pageParam": param, **size}
            made |= {"startAt": begin} if isinstance(begin, int) and begin != 1 else {}
            return made | ({"totalPagesField": total[1]} if total and "page" in total[1] else {})
        made = {"type": "offset", "offsetParam": param}
        if size:
            made |= {"limitParam": size["pageSizeParam"], "pageSize": size["pageSize"]}
        return made | ({"totalField": total[1]} if total else {})

    def _size(self, params: dict[str, Any]) -> dict[str, Any]:
        """The size of a page, which moves from the parameters into the pagination."""
        for name in list(params):
            value = params[name]
            number = int(value) if str(value).isdigit() else 0
            if number > 1 and re.search(r"limit|size|per_?page|count|max", name, re.IGNORECASE):
                del params[name]
                return {"pageSizeParam": name, "pageSize": number}
        return {}

    def _stream(self) -> Any:
        records = mapping(mapping(self.said.get("response")).get("records"))
        key = records.get("primary_key")
        made: dict[str, Any] = {"name": self.name}
        made["description"] = " ".join(str(self.said.get("description") or "").split())[:150]
        docs = self.said.get("docs")
        made["docsUrl"] = docs if str(docs).startswith("https://") else None
        made["primaryKey"] = [key] if isinstance(key, str) else key
        if self.incremental and not key:
            self.ask("primaryKey", "it reads only what is new: name what identifies a row")
            self.incremental = {}
        made["incremental"] = self.incremental
        made["forEach"] = self.for_each
        for each in _processors(self.said):
            if str(each.get("output", "")).startswith("record"):
                says = f"{str(each.get('output'))[:40]} is computed: write it in fields.add"
                self.parts.say("note", self.name, "fields", says)
        return Noted(less(made), open=[one for one in self.open if "next_state" not in one])


def _values(over: Any) -> list[Any]:
    if isinstance(over, list):
        return [one for one in over if isinstance(one, str | int)]
    text = expression(over) or str(over or "")
    try:
        found = json.loads(text.replace("'", '"'))
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str | int)] if isinstance(found, list) else []


def _processors(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = mapping(said.get("response")).get("processors")
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
