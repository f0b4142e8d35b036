"""The requests that pages give as examples, with the parameters and answers around each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from connector_assets.authoring.drafts.samples import param_of, params_of, request, sample
from connector_assets.authoring.drafts.sourced_text import Block, Sourced
from connector_assets.authoring.imports.curl import curl_requests
from connector_assets.authoring.imports.lists.operation import Operation, Param
from connector_assets.authoring.imports.lists.page_words import (
    is_cursor,
    is_offset,
    is_page,
    is_size,
)
from connector_assets.authoring.imports.lists.schema import View, schema_of
from connector_assets.authoring.imports.recorded import Recorded, RecordedDraft, recorded
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConnectorError

_CALL = re.compile(r"(?<![\w-])(GET|POST)`?\s+`?(https?://[^\s/`\"'<>]+)?(/[^\s`\"'|)]*)")
_BASE = re.compile(r"https?://[^\s`\"'<>|)\],]+")
_IS_BASE = re.compile(
    r"base url|base address|all (?:requests|urls|endpoints)|served from", re.IGNORECASE
)
_PAGING = re.compile(r"paginat|paging|^\W*pages\W*$", re.IGNORECASE)
_PART = re.compile(
    r"(?:query |path |url )?param|request|response|answer|example|return|error|header|attribute",
    re.IGNORECASE,
)
"""Headings of the parts of one request."""
_LINKED = re.compile(r"\blink\b[`*]*\s+(?:response\s+)?header|\blink:\s*<", re.IGNORECASE)


@dataclass
class Example:
    """One request of the API, and all that pages show of it."""

    method: str
    path: str
    origin: str = ""
    title: str = ""
    params: dict[str, Param] = field(default_factory=dict)
    answers: list[Any] = field(default_factory=list, repr=False)
    headers: dict[str, str] = field(default_factory=dict)

    def operation(self, shared: Sequence[Param], linked: str) -> Operation:
        """As the rules of lists take it."""
        own = dict(self.params)
        if not any(_pages(one) for one in own.values()):
            own = {one.name: one for one in shared} | own
        names = re.findall(r"\{([^{}]+)\}", self.path)
        query = [one for one in own.values() if one.name not in names]
        paths = [Param(one, "path", text=own[one].text if one in own else "") for one in names]
        headers = dict(self.headers) | ({"link": linked} if linked else {})
        answer = {"allOf": [schema_of(one) for one in self.answers[:5]]} if self.answers else None
        return Operation(
            method=self.method,
            path=self.path,
            summary=self.title,
            params=[*query, *paths],
            answer=answer,
            headers=headers,
        )


@dataclass
class Examples:
    """All of a documentation; `drafting` holds what requests are signed with."""

    drafting: RecordedDraft
    calls: dict[tuple[str, str], Example] = field(default_factory=dict)
    shared: dict[str, Param] = field(default_factory=dict)
    linked: str = ""
    bases: list[str] = field(default_factory=list)
    tokens: list[Recorded] = field(default_factory=list)
    """Requests that get an access token."""
    origins: list[str] = field(default_factory=list)
    """Origins of requests in code, each as often as it is shown."""

    def read(self, page: Sourced) -> None:
        """Take what a page shows."""
        _Page(self, page).read()

    def at(self, method: str, path: str, origin: str = "") -> Example:
        """The example of a request, by its path whatever stands for parameters in it."""
        path = _templated(path)
        known = self.calls.get((method, path)) or next(
            (one for one in self.calls.values() if one.method == method and _fits(one.path, path)),
            None,
        )
        if known is None:
            known = self.calls[(method, path)] = Example(method, path)
        elif "{" in path and "{" not in known.path:
            known.path = path
        known.origin = known.origin or origin
        return known

    def merge(self) -> None:
        """Make one of the calls that have come to the same path."""
        calls, self.calls = list(self.calls.values()), {}
        for one in calls:
            known = self.calls.setdefault((one.method, one.path), one)
            if known is not one:
                known.params |= one.params
                known.answers += one.answers
                known.headers |= one.headers
                known.title = one.title or known.title


@dataclass
class _Page:
    all: Examples
    page: Sourced
    current: Example | None = None
    heading: str = ""
    paging: bool = False
    ahead: list[Param] = field(default_factory=list)
    """Parameters that stand before the request they belong to."""

    def read(self) -> None:
        for block in self.page.blocks:
            if block.kind == "heading":
                self._heading(block.text)
            elif block.kind == "code":
                self._code(block.text)
            elif block.kind == "table":
                self._table(block)
            else:
                self._text(block.text)

    def _heading(self, text: str) -> None:
        self.heading = text
        self.paging = bool(_PAGING.search(text))
        found = _CALL.search(text)
        if found:
            self.ahead.clear()
            self._call(found)
        elif not _PART.match(text):
            self.ahead.clear()
            self.current = None

    def _text(self, text: str) -> None:
        found = _CALL.search(text)
        if found and len(text) < 200:  # noqa: PLR2004 - a call that stands by itself
            self._call(found)
        if _IS_BASE.search(text) and (base := _BASE.search(text)):
            self.all.bases.append(base[0].rstrip("/."))
        if (param := param_of(text)) is not None:
            self._params([param])
        if _LINKED.search(text) and re.search(r"next", text, re.IGNORECASE):
            self._linked(text)

    def _linked(self, text: str) -> None:
        if self.current is not None and not self.paging:
            self.current.headers["link"] = text
        else:
            self.all.linked = self.all.linked or text

    def _call(self, found: re.Match[str]) -> None:
        path, _, query = found[3].rstrip(".,").partition("?")
        self.current = self.all.at(found[1], path, found[2] or "")
        self.current.title = self.current.title or _title(self.heading)
        self._sent(re.findall(r"([^&=]+)=([^&]*)", query))

    def _table(self, block: Block) -> None:
        params = params_of(block.text)
        if params:
            self._params(params)
            return
        for line in block.text.splitlines():
            if (found := _CALL.search(line)) is not None:
                self._call(found)

    def _params(self, params: Sequence[Param]) -> None:
        if self.current is not None and not self.paging:
            self.current.params |= {one.name: one for one in params}
        elif self.paging:
            self.all.shared |= {one.name: one for one in params}
        else:
            self.ahead += params

    def _code(self, code: str) -> None:
        if re.match(r"\$?\s*curl\s", code):
            self._curl(code)
            return
        if (asked := request(code)) is not None:
            self._request(*asked)
            return
        answer = sample(code)
        if answer is None:
            if (found := _CALL.match(code)) is not None:
                self._call(found)
            elif _BASE.fullmatch(code) and not self.current:
                self.all.bases.append(code.rstrip("/"))
            return
        if self.current is None:
            self._linked(f"Link: {answer.headers['link']}") if "link" in answer.headers else None
        elif answer.status < 300:  # noqa: PLR2004 - an answer that has rows
            self.current.headers |= answer.headers
            if answer.body is not ...:
                self.current.answers.append(answer.body)

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        host = headers.pop("Host", "")
        origin = f"https://{host}" if host else ""
        self._asked(recorded(method, f"{origin}{target}", headers=tuple(headers.items())))

    def _curl(self, code: str) -> None:
        source = Source(self.page.url, code.lstrip("$ ").encode("utf-8", "replace"))
        try:
            requests = curl_requests(source, self.all.drafting)
        except ConnectorError:
            return
        for one in requests:
            self._asked(one)

    def _asked(self, one: Recorded) -> None:
        if one.origin:
            self.all.origins.append(one.origin)
        form = one.body.get("form") if isinstance(one.body, dict) else None
        if isinstance(form, dict) and "grant_type" in form:
            self.all.tokens.append(one)
            self.current = None
            return
        credentials = self.all.drafting.credentials
        if one.login:
            credentials.basic(*one.login)
        credentials.headers(one.headers)
        kept = credentials.params(one.params)
        self.current = self.all.at(one.method, one.path, one.origin)
        self.current.title = self.current.title or _title(self.heading)
        self._sent([(name, str(value)) for name, value in kept.items()])

    def _sent(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Parameters of the request: those said before it, and those that an example sends."""
        self._params(self.ahead)
        self.ahead = []
        for name, value in pairs:
            kind = frozenset({"integer" if value.isdigit() else "string"})
            if self.current is not None:
                self.current.params.setdefault(name, Param(name, "query", View(types=kind)))


def origin_of(url: str) -> str:
    """Scheme and host of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _templated(path: str) -> str:
    made = re.sub(r":([A-Za-z_]\w*)|<([A-Za-z_]\w*)>|\$\{?([A-Za-z_]\w*)\}?", _braced, path)
    return made.rstrip("/") or "/"


def _braced(found: re.Match[str]) -> str:
    return f"{{{next(filter(None, found.groups()))}}}"


def _fits(one: str, other: str) -> bool:
    """Whether two paths are the same one, where a parameter of either is a value in the other."""
    first, second = one.split("/"), other.split("/")
    if len(first) != len(second):
        return False
    return all(
        a == b or _stands_for(a, b) or _stands_for(b, a) for a, b in zip(first, second, strict=True)
    )


def _stands_for(one: str, other: str) -> bool:
    return "{" in one and (
        "{" in other or (bool(re.search(r"\d", other)) and not re.fullmatch(r"v\d+", other))
    )


def _title(heading: str) -> str:
    return "" if _CALL.search(heading) else heading.strip()[:120]


def _pages(param: Param) -> bool:
    return is_cursor(param) or is_page(param) or is_offset(param) or is_size(param)
