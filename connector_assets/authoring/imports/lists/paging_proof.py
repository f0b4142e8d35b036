"""How a list pages, proven by two requests of it and the answer to the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from connector_assets.authoring.imports.lists.operation import plain
from connector_assets.authoring.imports.lists.page_facts import Paging
from connector_assets.authoring.imports.lists.page_words import SIZES
from connector_assets.authoring.imports.lists.rows import FoundRows, dotted

DEEPEST = 4


class RecordedRequest(Protocol):
    """A request that was recorded, as far as paging goes."""

    @property
    def params(self) -> Sequence[tuple[str, str]]: ...
    @property
    def url(self) -> str: ...
    @property
    def answer(self) -> Any: ...


def proof_of(requests: Sequence[RecordedRequest], rows: FoundRows) -> Paging | None:
    """The pagination that explains how one request follows from another's answer."""
    for one in requests:
        for other in requests:
            if one is not other and one.answer is not ...:
                found = _followed(one, other, rows) or _counted(one, other, rows)
                if found:
                    return found
    return None


def _followed(one: RecordedRequest, other: RecordedRequest, rows: FoundRows) -> Paging | None:
    """The second request's URL or a parameter of it stands in the first one's answer."""
    before, after = dict(one.params), dict(other.params)
    changed = {n: v for n, v in after.items() if before.get(n) != v and v}
    if not changed:
        return None
    fields = list(_scalars(one.answer, rows))
    for path, value in fields:
        if isinstance(value, str) and _same_url(value, other):
            spec = {"type": "next_url", "urlField": dotted(path), "maxPages": "unlimited"}
            return Paging(spec, f"a second request asked the URL in {'.'.join(path)}")
    for name, value in changed.items():
        for path, found in fields:
            if str(found) == value and (len(value) > 3 or "next" in plain(path[-1])):  # noqa: PLR2004
                spec = {"type": "cursor", "cursorField": dotted(path), "cursorParam": name}
                why = f"a second request sent {'.'.join(path)} of the answer before as {name}"
                return Paging({**spec, **_size(one), "maxPages": "unlimited"}, why)
        if last := _in_last_row(one.answer, rows, value):
            spec = {"type": "cursor", "lastRecordField": dotted((last,)), "cursorParam": name}
            why = f"a second request sent {last} of the last row before as {name}"
            return Paging({**spec, **_size(one), "maxPages": "unlimited"}, why)
    return None


def _counted(one: RecordedRequest, other: RecordedRequest, rows: FoundRows) -> Paging | None:
    """One parameter is a number that grew by one, or by the number of rows."""
    before, after = dict(one.params), dict(other.params)
    names = [n for n in after if before.get(n) != after[n]]
    if len(names) != 1 or not after[names[0]].isdigit():
        return None
    (name,) = names
    first = before.get(name, "")
    came = len(_rows(one.answer, rows))
    size = _size(one)
    word = plain(name)
    second = int(after[name])
    by_offset = any(w in word for w in ("offset", "skip", "start", "from"))
    step = second - (int(first) if first.isdigit() else (0 if by_offset else 1))
    if step == 1 and not by_offset:
        spec: dict[str, Any] = {"type": "page", "pageParam": name, **size}
        if first == "0":
            spec["startAt"] = 0
        return Paging({**spec, "maxPages": "unlimited"}, f"a second request sent {name} plus one")
    if step > 1 and step in (came, size.get("pageSize")):
        made = {"type": "offset", "offsetParam": name, "maxPages": "unlimited"}
        if size:
            made |= {"limitParam": size["pageSizeParam"], "pageSize": size["pageSize"]}
        return Paging(made, f"a second request sent {name} plus the number of rows")
    return None


def _size(request: RecordedRequest) -> dict[str, Any]:
    for name, value in request.params:
        if plain(name) in SIZES and value.isdigit() and int(value) > 0:
            return {"pageSizeParam": name, "pageSize": int(value)}
    return {}


def _same_url(value: str, other: RecordedRequest) -> bool:
    if not value.startswith(("http://", "https://", "/", "?")):
        return False
    parts = urlsplit(value)
    same_path = not parts.path or urlsplit(other.url).path.endswith(parts.path)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    return bool(asked) and same_path and sorted(asked) == sorted(other.params)


def _scalars(
    answer: Any, rows: FoundRows, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(answer, Mapping) or len(before) >= DEEPEST:
        return
    for name, value in answer.items():
        path = (*before, str(name))
        if path == rows.steps:
            continue
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield path, value
        else:
            yield from _scalars(value, rows, path)


def _rows(answer: Any, rows: FoundRows) -> list[Any]:
    for step in rows.steps:
        answer = answer.get(step) if isinstance(answer, Mapping) else None
    return answer if isinstance(answer, list) else []


def _in_last_row(answer: Any, rows: FoundRows, value: str) -> str | None:
    found = _rows(answer, rows)
    last = found[-1] if found else None
    if not isinstance(last, Mapping):
        return None
    fields = [str(name) for name, one in last.items() if str(one) == value]
    return next(iter(sorted(fields, key=lambda one: one != "id")), None)
