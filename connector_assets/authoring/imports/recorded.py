"""Requests that were made, with their answers where those were kept → a draft.

What differs between two requests of one list is proof of how it pages, better than any document.
Values of people are not copied: only those that say how to ask.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connector_assets.authoring.imports.credentials import USUAL_HEADERS, Credentials, Pairs
from connector_assets.authoring.imports.draft import AsWritten, Draft, Outcome
from connector_assets.authoring.imports.lists.compose import Composer
from connector_assets.authoring.imports.lists.found import Details, ListIndex, found_lists
from connector_assets.authoring.imports.lists.operation import (
    Operation,
    Param,
    singular,
    snake,
)
from connector_assets.authoring.imports.lists.page_facts import Paging
from connector_assets.authoring.imports.lists.paging_proof import proof_of
from connector_assets.authoring.imports.lists.rows import FoundRows, rows_of
from connector_assets.authoring.imports.lists.schema import Schemas, View, schema_of
from connector_assets.authoring.imports.lists.together import habits_of, needed
from connector_assets.authoring.imports.secret_values import camel, is_secret_name, looks_secret
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.authoring.recording.personal_fields import kind_of
from connector_assets.errors import ConfigError

_ID = re.compile(
    r"\d+|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}"
    r"|(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}"
)
_LOGIN = re.compile(r"(?<=:)//([^/?#\s@]*)@")
_READS = ("GET", "POST")


@dataclass(frozen=True)
class Recorded:
    """One request, and its answer if it was kept.

    `url` is whole. `answer` is the JSON of the answer, `...` where there is none. `personal` says
    that it was recorded from somebody's work, so that values are copied only where they are words.
    """

    method: str
    url: str
    headers: Pairs = ()
    params: Pairs = ()
    body: Any = None
    answer: Any = ...
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    personal: bool = False
    order: int = 0
    login: tuple[str, str] | None = None
    """User name and password that stood in the URL."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, or the template that stands for them."""
        found = re.match(r"(?:https?://[^/?#]+|\{\{[^{}]+\}\})", self.url)
        return found[0] if found else ""

    @property
    def path(self) -> str:
        """The path as it was asked."""
        return re.split(r"[?#]", self.url[len(self.origin) :])[0] or "/"


def recorded(method: str, url: str, **more: Any) -> Recorded:
    """A request of which the query may stand in its URL."""
    query = urlsplit(url).query if "{{" not in url else url.partition("?")[2].partition("#")[0]
    inner = tuple(parse_qsl(query, keep_blank_values=True))
    params = (*inner, *more.pop("params", ()))
    login = _LOGIN.search(url)
    more["login"] = _login(login[1]) if login else None
    whole = without_login(re.split(r"[?#]", url)[0])
    return Recorded(method.upper(), whole, params=params, **more)


def without_login(url: str) -> str:
    """The URL without a user name and password in it."""
    return _LOGIN.sub("//", url, count=1)


def _login(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    parts = [AsWritten(one) if "{{" in one else unquote(one) for one in (user, password)]
    return parts[0], parts[1]


class RecordedDraft:
    """Drafts the lists among recorded requests, all of one origin."""

    def __init__(self, parts: Parts, title: str, wanted_id: str | None = None) -> None:
        self.parts, self.title, self.wanted_id = parts, title, wanted_id
        self.credentials = Credentials(parts)
        self.schemas = Schemas()

    def draft(self, requests: Sequence[Recorded]) -> Draft:
        """The draft; raises ConfigError where no request reads a list."""
        chosen, origin = self._of_one_origin(requests)
        listed = [one for one in map(self._list, _groups(chosen)) if one]
        if not listed:
            why = "; ".join(dict.fromkeys(o.why for o in self.parts.outcomes if o.why)) or "none"
            raise ConfigError(
                f"has no request that reads a list: {why[:300]}", where=self.parts.source
            )
        operations = [(operation, rows) for operation, rows, _ in listed]
        found = found_lists(operations, Details(op for op, _, _ in listed), self.schemas)
        proofs = {
            one.name: proof for one, (_, _, proof) in zip(found, listed, strict=True) if proof
        }
        index = ListIndex(found)
        composer = Composer(self.parts, self.schemas, index, habits_of(found, self.schemas))
        composer.proofs = proofs
        for one in needed(found, index):
            composer.add(one)
        composer.finish()
        self.parts.auth = list(self.credentials.auth)
        if not self.parts.auth:
            says = "no credentials were seen: say how requests are signed, if they are"
            self.parts.say("question", "", "auth", says)
        return self.parts.draft(self.title, self.wanted_id, defaults={"baseUrl": origin})

    def _of_one_origin(self, requests: Sequence[Recorded]) -> tuple[list[Recorded], str]:
        counted = Counter(one.origin for one in requests if one.origin and _is_list(one.answer))
        counted = counted or Counter(one.origin for one in requests if one.origin)
        if not counted:
            raise ConfigError("has no request with a whole URL", where=self.parts.source)
        origin = counted.most_common(1)[0][0]
        for one in requests:
            if one.origin != origin:
                self._skip(one, "it is of another server; import it by itself")
        return [one for one in requests if one.origin == origin], origin

    def _skip(self, one: Recorded, why: str) -> None:
        source = f"{one.method} {one.origin or ''}{one.path}"
        made = Outcome("", source[:200], "skipped", why)
        if made not in self.parts.outcomes:
            self.parts.outcomes.append(made)

    def _list(self, group: _Group) -> tuple[Operation, FoundRows, Paging | None] | None:
        first = group.requests[0]
        if first.method not in _READS:
            self._skip(first, "it writes")
            return None
        operation = self._operation(group)
        if first.answer is ...:
            rows: FoundRows | str = FoundRows("", "no answer was kept", View(), question=_UNSEEN)
        else:
            rows = rows_of(operation, self.schemas)
        if isinstance(rows, str):
            self._skip(first, rows)
            return None
        return operation, rows, proof_of(group.requests, rows)

    def _operation(self, group: _Group) -> Operation:
        first = group.requests[0]
        answers = [one.answer for one in group.requests if one.answer is not ...]
        headers = {n.lower(): v for one in group.requests for n, v in one.answer_headers.items()}
        if first.login:
            self.credentials.basic(*first.login)
        sent_headers = self.credentials.headers(self._own_headers(first))
        sent = self.credentials.params(first.params)
        changing = _changing(group.requests)
        query = [
            Param(name, "query", _view_of(value, name in changing), required=True, sent=True)
            for name, value in sent.items()
            if _is_copied(name, value, first)
        ]
        query += [
            Param(name, "query", _view_of(value, changes=True))
            if name in changing
            else Param(name, "query", required=True)
            for name, value in sent.items()
            if not _is_copied(name, value, first)
        ]
        body = self.credentials.body(self._own_body(first.body, first))
        return Operation(
            method=first.method,
            path=group.path,
            id=first.name,
            summary=first.name,
            params=[*query, *group.path_params, *_body_params(body)],
            answer={"allOf": [schema_of(one) for one in answers[:5]]} if answers else None,
            headers={n: v for n, v in headers.items() if n != "link" or "next" in v},
            has_body=first.method == "POST" and isinstance(body, Mapping) and "json" in body,
            extra={"body": body, "headers": sent_headers},
        )

    def _own_headers(self, one: Recorded) -> Pairs:
        """The headers without those whose values may be somebody's."""
        given = [pair for pair in one.headers if _is_sent_header(*pair, one)]
        for name, value in one.headers:
            if (name, value) not in given:
                says = f"{name} was sent, and its value is not copied: add it where it is needed"
                self.parts.say("note", "", "headers", says)
        return given

    def _own_body(self, body: Any, one: Recorded, name: str = "") -> Any:
        """A body in which texts that may be somebody's are values of the connection."""
        if isinstance(body, Mapping):
            return {key: self._own_body(inner, one, str(key)) for key, inner in body.items()}
        if isinstance(body, list):
            return [self._own_body(inner, one, name) for inner in body]
        if not isinstance(body, str) or not name or _is_copied(name, body, one):
            return body
        if looks_secret(body) or _GRAPHQL.match(body):
            return body
        about = {"description": f"What was sent as {name} in {one.path}"[:150]}
        return AsWritten(f"{{{{{self.parts.value(camel(name), about)}}}}}")


_UNSEEN = "no answer was seen: say where its rows are and how it pages, or give --answer FILE"


@dataclass(frozen=True)
class _Group:
    """Requests of one list: the same method and path, ids aside."""

    path: str
    requests: list[Recorded]
    path_params: list[Param] = field(default_factory=list)


def _groups(requests: Iterable[Recorded]) -> list[_Group]:
    grouped: dict[tuple[str, str], list[Recorded]] = {}
    for one in requests:
        path = _templated(one.path) if one.personal else one.path
        grouped.setdefault((one.method, path), []).append(one)
    made = []
    for (_, path), same in grouped.items():
        ordered = sorted(same, key=lambda one: (one.answer is ..., one.order))
        names = re.findall(r"\{([^{}]+)\}", re.sub(r"\{\{[^{}]*\}\}", "", path))
        made.append(_Group(path, ordered, [Param(name, "path") for name in names]))
    return made


def _templated(path: str) -> str:
    """The path with ids as parameters: `/orders/17/lines` → `/orders/{order_id}/lines`."""
    made: list[str] = []
    for part in path.split("/"):
        is_own = _ID.fullmatch(part) or looks_secret(part) or re.search("@|%40", part)
        if part and is_own and not re.fullmatch(r"v\d+", part):
            before = next((one for one in reversed(made) if one and "{" not in one), "item")
            made.append(f"{{{singular(snake(before)) or 'item'}_id}}")
        else:
            made.append(part)
    return "/".join(made)


def _changing(requests: Sequence[Recorded]) -> set[str]:
    """Parameters that are not the same in all requests: they page, or somebody typed them."""
    seen: dict[str, set[str]] = {}
    for one in requests:
        for name, value in one.params:
            seen.setdefault(name, set()).add(value)
    counts = Counter(name for one in requests for name in dict(one.params))
    return {n for n, values in seen.items() if len(values) > 1 or counts[n] < len(requests)}


_WORD = re.compile(r"[\w.,:+-]{0,40}")
_GRAPHQL = re.compile(r"\s*(?:query\b|\{|fragment\b|mutation\b)")
_NAMES_ONE = re.compile(r"(?:^|[_.\[-])id\]?$|[a-z]I[dD]$", re.ASCII)


def _is_copied(name: str, value: Any, request: Recorded) -> bool:
    """Whether a value may be copied: of what people did only words are, and no addresses."""
    if not request.personal or is_secret_name(name):
        return True
    if kind_of(name) or _NAMES_ONE.search(name):
        return False
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(one, str) and _is_word(one) for one in texts)


def _is_word(text: str) -> bool:
    is_id = _ID.fullmatch(text) and not text.isdigit()
    return bool("@" not in text and _WORD.fullmatch(text) and not is_id)


def _is_sent_header(name: str, value: Any, request: Recorded) -> bool:
    """Whether a header may be copied, or becomes a secret or nothing at all."""
    is_usual = bool(USUAL_HEADERS.fullmatch(name)) or name.lower() in (
        "authorization",
        "content-type",
    )
    return is_usual or looks_secret(str(value)) or _is_copied(name, value, request)


def _view_of(value: Any, changes: bool = False) -> View:
    """The view of a value that was sent as text: digits are a number."""
    number = isinstance(value, str) and value.isdigit()
    said = {} if changes and not number else {"default": value}
    return View(types=frozenset({"integer" if number else "string"}), said=said)


def _body_params(body: Any, before: tuple[str, ...] = ()) -> list[Param]:
    """The scalars of a JSON body as parameters by their path."""
    inner = body.get("json") if not before and isinstance(body, Mapping) else body
    if not isinstance(inner, Mapping):
        return []
    made: list[Param] = []
    for name, value in inner.items():
        path = (*before, name)
        if isinstance(value, Mapping) and len(path) < 3 and "." not in name:  # noqa: PLR2004
            made += _body_params(value, path)
        elif isinstance(value, str | int) and "." not in name:
            kind = "integer" if isinstance(value, int) and not isinstance(value, bool) else "string"
            made.append(Param(".".join(path), "body", View(types=frozenset({kind}))))
    return made


def _is_list(answer: Any) -> bool:
    if isinstance(answer, list):
        return True
    return isinstance(answer, Mapping) and any(
        isinstance(one, list | Mapping) for one in answer.values()
    )


def with_answer(requests: list[Recorded], answer: Any) -> list[Recorded]:
    """The first request with an answer that was recorded elsewhere."""
    return [replace(requests[0], answer=answer), *requests[1:]]
