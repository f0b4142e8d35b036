"""A manifest's paginator → a pagination of a spec.

The CDK ends a counted list at a page that is not full, and a list with cursors where the cursor is
empty or a condition says so. A spec says the first with `stopOn: short`; the condition becomes part
of the cursor's path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from connector_assets.authoring.imports.airbyte.answer_paths import (
    AnswerPath,
    AnswerPaths,
    keyed,
)
from connector_assets.authoring.imports.airbyte.code import Code, Const, Value
from connector_assets.authoring.imports.airbyte.expressions import Expressions, Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import (
    Chain,
    Refused,
    chain_of,
    chains_in,
    is_plain,
    only_expression,
)
from connector_assets.authoring.imports.airbyte.list_ends import Stop, as_number, stop_of
from connector_assets.authoring.imports.airbyte.request_parts import Option, RequestParts
from connector_assets.authoring.imports.airbyte.texts import Texts

_ENDLESS = {"maxPages": "unlimited"}


@dataclass
class ConvertedPaging:
    """The pagination of one stream: its keys, how templates read the place, and what differs."""

    keys: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    sent: list[tuple[Option, str]] = field(default_factory=list)
    expected: list[Option] = field(default_factory=list)
    static: list[tuple[Option, Any]] = field(default_factory=list)
    near: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PagedStream:
    """What a pagination has to know of its stream."""

    reading: Reading
    rows: str
    reads_token: bool
    filtered: bool = False
    parts: RequestParts = field(default_factory=RequestParts)


def paging_of(paginator: Any, stream: PagedStream) -> ConvertedPaging:
    """The pagination that `paginator` is; Refused where a spec has no equal."""
    if not isinstance(paginator, Mapping) or paginator.get("type") in (None, "NoPagination"):
        return ConvertedPaging()
    if paginator.get("type") != "DefaultPaginator":
        raise Refused(f"the paginator {paginator.get('type')}")
    strategy = paginator.get("pagination_strategy")
    if not isinstance(strategy, Mapping):
        raise Refused("a paginator without a strategy")
    return _Paginator(paginator, strategy, stream).paging()


class _Paginator:
    def __init__(
        self, paginator: Mapping[str, Any], strategy: Mapping[str, Any], stream: PagedStream
    ) -> None:
        self.strategy, self.stream = strategy, stream
        self.texts = Texts(stream.reading)
        token = paginator.get("page_token_option")
        kind = token.get("type") if isinstance(token, Mapping) else None
        self.follows = kind == "RequestPath" or (
            isinstance(token, Mapping) and token.get("inject_into") == "path"
        )
        self.option = Option.of(token, self.texts) if token and not self.follows else None
        size = paginator.get("page_size_option")
        self.unnamed = bool(size) and _is_unnamed(size, stream.reading)
        self.size_option = Option.of(size, self.texts) if size and not self.unnamed else None
        self.size = self._size(strategy.get("page_size"))

    def paging(self) -> ConvertedPaging:
        made = self._paging()
        if self.unnamed:
            made.near.append("a page size, whose parameter has no name there, is not sent")
        return made

    def _paging(self) -> ConvertedPaging:
        kind = self.strategy.get("type")
        if kind == "PageIncrement":
            return self._counted("page", "pageParam", "pageSizeParam", "page.number")
        if kind == "OffsetIncrement":
            return self._counted("offset", "offsetParam", "limitParam", "page.offset")
        if kind == "CursorPagination":
            return self._cursor()
        raise Refused(f"the pagination strategy {kind}")

    def _size(self, size: Any) -> Any:
        if size is None or isinstance(size, int):
            return size
        if isinstance(size, str) and size.strip().isdigit():
            return int(size)
        return as_number(self.texts.one(size))

    # Pages that are counted.

    def _counted(self, kind: str, param: str, size_param: str, read: str) -> ConvertedPaging:
        if self.follows:
            raise Refused(f"a path that is a {kind} number")
        if self.option is None and not self.stream.reads_token:
            return ConvertedPaging(static=self._static_size())
        made = ConvertedPaging({"type": kind, **_ENDLESS}, read)
        in_template = self.option is None or self._limit_is_elsewhere(kind)
        if in_template:
            made.keys["in"] = "template"
            if self.option is not None:
                made.sent.append((self.option, f"{{{{ {read} | default(none) }}}}"))
        else:
            assert self.option is not None
            made.keys[param] = self.option.name
            made.expected.append(self.option)
            if self.option.where != "query":
                made.keys["in"] = self.option.where
        first = self.strategy.get("start_from_page", 0) if kind == "page" else 0
        if isinstance(first, str):
            first = self._number(first)
        if kind == "page" and first != 1:
            made.keys["startAt"] = first
        if not self.strategy.get("inject_on_first_request"):
            made.keys["omitFirst"] = True
        self._sized(made, size_param, in_template=in_template)
        return made

    def _number(self, text: str) -> int:
        found = self.texts.one(text)
        if isinstance(found, Const) and str(found.value).lstrip("-").isdigit():
            return int(found.value)
        raise Refused("a first page that is computed")

    def _limit_is_elsewhere(self, kind: str) -> bool:
        """Whether an offset's page size is known and not sent as an option of its own."""
        return kind == "offset" and self.size is not None and self.size_option is None

    def _sized(self, made: ConvertedPaging, size_param: str, *, in_template: bool) -> None:
        if self.size is None:
            return
        made.keys["pageSize"] = self.size
        made.keys["stopOn"] = "short"
        if self.size_option is None:
            return
        if in_template:
            made.static += self._static_size()
            return
        made.keys[size_param] = self.size_option.name
        made.expected.append(self.size_option)
        assert self.option is not None
        if self.size_option.where != self.option.where:
            made.keys["pageSizeIn"] = self.size_option.where

    def _static_size(self) -> list[tuple[Option, Any]]:
        """The page size as a parameter of every request."""
        if self.size_option is None or self.size is None:
            return []
        return [(self.size_option, self.size)]

    # Pages whose answers say where the next is.

    def _cursor(self) -> ConvertedPaging:
        source = self.strategy.get("cursor_value")
        if not isinstance(source, str):
            raise Refused("a cursor without a value")
        if self.option is None and not self.follows and not self.stream.reads_token:
            return ConvertedPaging(static=self._static_size())
        stop = stop_of(
            self.strategy.get("stop_condition"),
            self.stream.reading,
            self._paths(),
            self.stream.rows,
        )
        if stop.never_goes_on:
            return ConvertedPaging(static=self._static_size())
        link = _link_relation(source)
        if link is not None:
            return self._link(link, stop, source)
        header = _header_name(source)
        made = self._by_header(header, stop) if header else self._by_body(source, stop)
        if self.size is not None and self._goes_by_url(made):
            made.static += self._static_size()
        elif self.size is not None:
            self._cursor_size(made)
        return made

    def _goes_by_url(self, made: ConvertedPaging) -> bool:
        return made.keys["type"] != "cursor" or made.keys.get("cursorIn") == "template"

    def _cursor_size(self, made: ConvertedPaging) -> None:
        made.keys["pageSize"] = self.size
        if self.size_option is None:
            return
        made.keys["pageSizeParam"] = self.size_option.name
        made.expected.append(self.size_option)
        if self.size_option.where != made.keys.get("cursorIn", "query"):
            made.keys["pageSizeIn"] = self.size_option.where

    def _link(self, relation: str, stop: Stop, source: str) -> ConvertedPaging:
        if not self.follows:
            raise Refused("a Link header whose URL is sent as a parameter")
        if stop.condition is not None:
            raise Refused("a Link header with a condition on the body")
        keys: dict[str, Any] = {"type": "link_header", "keepParams": True, **_ENDLESS}
        if relation != "next":
            keys["rel"] = relation
        near: list[str] = []
        if "split" in source:
            near.append("the next page is the Link header's rel=next, not its first link")
        return ConvertedPaging(keys, static=self._static_size(), near=near)

    def _by_header(self, name: str, stop: Stop) -> ConvertedPaging:
        if stop.condition is not None:
            raise Refused("a cursor in a header with a condition on the body")
        if self.follows:
            return ConvertedPaging(
                {"type": "next_url", "urlHeader": name, "keepParams": True, **_ENDLESS}
            )
        return self._sent_cursor({"type": "cursor", "cursorHeader": name, **_ENDLESS})

    def _sent_cursor(self, keys: dict[str, Any], template: str = "") -> ConvertedPaging:
        """A cursor that goes where the option says, or where a template reads it."""
        made = ConvertedPaging(keys, template or "page.cursor")
        if self.option is None or template:
            keys["cursorIn"] = "template"
            if self.option is not None:
                made.sent.append((self.option, f"{{{{ {template} }}}}"))
            return made
        keys["cursorParam"] = self.option.name
        if self.option.where != "query":
            keys["cursorIn"] = self.option.where
        elif self.option.name == "cursor":
            keys["cursorIn"] = "query"
        made.expected.append(self.option)
        return made

    def _by_body(self, source: str, stop: Stop) -> ConvertedPaging:
        node = only_expression(source)
        chain = chain_of(node) if node is not None else None
        last = chain if chain is not None and chain.root == "last_record" else None
        if last is not None and (stop.condition is None or stop.flag) and not self.follows:
            return self._last_record(last, stop)
        try:
            # Sums are computed by a template, which also takes texts that are numbers.
            sums = isinstance(node, nodes.Add) or (node is not None and node.find(nodes.Add))
            found = self._paths().path(node) if node is not None and not sums else None
        except Refused:
            found = None
        if found is None or found.is_constant:
            return self._computed(source, stop)
        keys: dict[str, Any] = {"type": "next_url" if self.follows else "cursor"}
        self._placed(keys, "urlField" if self.follows else "cursorField", found, stop)
        if self.follows:
            return ConvertedPaging({**keys, "keepParams": True, **_ENDLESS})
        return self._sent_cursor({**keys, **_ENDLESS})

    def _placed(self, keys: dict[str, Any], name: str, found: AnswerPath, stop: Stop) -> None:
        """The cursor's path, with the condition under which the list goes on."""
        if stop.short is not None and not self.follows:
            keys.update(pageSize=stop.short, stopOn="short")
        goes_on = stop.goes_on
        if goes_on is None or goes_on.text == "`true`" or _follows_from(goes_on, found):
            keys[name] = found.text
        elif stop.flag and name == "cursorField":
            keys[name], keys["hasMoreField"] = found.text, goes_on.text
        else:
            keys[name] = f"{goes_on.inner} && {found.inner}"

    def _last_record(self, chain: Chain, stop: Stop) -> ConvertedPaging:
        keys: dict[str, Any] = {"type": "cursor", "lastRecordField": keyed("", chain.keys)}
        if stop.short is not None:
            keys.update(pageSize=stop.short, stopOn="short")
        if stop.flag and stop.goes_on is not None:
            keys["hasMoreField"] = stop.goes_on.text
        return self._sent_cursor({**keys, **_ENDLESS})

    def _computed(self, source: str, stop: Stop) -> ConvertedPaging:
        """A cursor that is computed of the answer: the answer gives its parts, a template it."""
        if self.follows:
            raise Refused("a next URL that is computed of the answer")
        chains = list(dict.fromkeys((c.root, c.keys) for c in chains_in(source)))
        read = [one for one in chains if one[0] in ("response", "last_record")]
        if not read:
            raise Refused(_nothing_read(source, chains))
        template, path = self._computed_of(source, read)
        keys: dict[str, Any] = {"type": "cursor"}
        self._placed(keys, "cursorField", AnswerPath(path, compound="{" in path), stop)
        return self._sent_cursor({**keys, **_ENDLESS}, template)

    def _computed_of(self, source: str, read: list[Any]) -> tuple[str, str]:
        """The template that makes the cursor, and the path of what it is made of."""
        paths = [self._paths()._place(Chain(root, keys)) for root, keys in read]  # noqa: SLF001
        if len(read) == 1:
            path, names = paths[0], {read[0]: "page.cursor | default(none)"}
        else:
            parts = {f"p{at}": one for at, one in enumerate(paths)}
            path = "{" + ", ".join(f"{name}: {one}" for name, one in parts.items()) + "}"
            names = {one: f"page.cursor.p{at} | default(none)" for at, one in enumerate(read)}
        value = self.texts.one(source, _OfCursor(self.stream.reading, names))
        if not isinstance(value, Code):
            raise Refused("a cursor that is a constant")
        # The first request has no place yet, so that nothing of it may be computed.
        return f"none if (page.cursor | default(none)) == none else ({value.text})", path

    def _paths(self) -> AnswerPaths:
        rows = "" if self.stream.filtered else self.stream.rows
        return AnswerPaths(self.stream.reading.parameters, rows)


class _OfCursor(Expressions):
    """Expressions in which what is read of the answer is read of the cursor, by `names`."""

    def __init__(self, reading: Reading, names: Mapping[Any, str]) -> None:
        super().__init__(reading)
        self.names = names

    def chain(self, chain: Chain) -> Value:
        name = self.names.get((chain.root, chain.keys))
        return Code(name) if name else super().chain(chain)


def _is_unnamed(option: Any, reading: Reading) -> bool:
    """Whether the name of an option is a value that the manifest does not ask its user for."""
    name = option.get("field_name") if isinstance(option, Mapping) else None
    node = only_expression(name) if isinstance(name, str) and not is_plain(name) else None
    chain = chain_of(node) if node is not None else None
    if chain is None or chain.root != "config" or not chain.keys:
        return False
    path = tuple(map(str, chain.keys))
    return path not in reading.given.by_path and reading.given.above(path) is None


def _follows_from(goes_on: AnswerPath, cursor: AnswerPath) -> bool:
    """Whether a list goes on exactly where there is a cursor, or something around it."""
    said = goes_on.text.removesuffix(" != `null`").removesuffix(" != ''")
    if said == cursor.text:
        return True
    plain = re.fullmatch(r"[\w.]+", said) is not None
    if plain and cursor.text.startswith((f"{said}.", f"{said}[")):
        return True
    looked = re.fullmatch(r"contains\(keys\((.+?)(?: \|\| `\{\}`)?\), '(\w+)'\)", goes_on.text)
    if looked is None:
        return False
    path = looked[2] if looked[1] == "@" else f"{looked[1]}.{looked[2]}"
    return cursor.text == path or cursor.text.startswith(f"{path}.")


def _link_relation(source: str) -> str | None:
    """The relation of the Link header that a cursor is the URL of."""
    for chain in chains_in(source):
        keys = [str(key).lower() for key in chain.keys]
        if chain.root != "headers" or not keys or keys[0] != "link":
            continue
        if len(keys) == 3 and keys[2] == "url":  # noqa: PLR2004
            return keys[1]
        if len(keys) == 1 and re.search(r"split\(['\"][;>]['\"]\)\[0\]", source):
            return "next"
        raise Refused("a part of the Link header other than a URL")
    return None


def _header_name(source: str) -> str | None:
    node = only_expression(source)
    chain = chain_of(node) if node is not None else None
    if chain is None or chain.root != "headers" or len(chain.keys) != 1:
        return None
    return str(chain.keys[0])


def _nothing_read(source: str, chains: list[Any]) -> str:
    roots = sorted({root for root, _ in chains})
    if "headers" in roots:
        return "a cursor that is computed of headers"
    if "last_page_size" in roots:
        return "a cursor that is computed of the size of a page"
    return f"a cursor that reads {', '.join(roots) or 'nothing'}: {source:.60}"
