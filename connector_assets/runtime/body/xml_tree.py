"""XML as plain data, in bounded memory and without any entity or DTD of its own.

    <order id="7"><line>a</line><line>b</line><note/></order>
    {"order": {"@id": "7", "line": ["a", "b"], "note": null}}

An element with neither attributes nor elements in it is its text; else it is an object: attributes
under `@name`, elements under their names, those that repeat as a list, and text between them, if
any, under `#text`. Text of white space only is nothing, and an element without text is null.
Prefixes stay as they are written. All values are text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.parsers import expat

from connector_assets.errors import ResponseError

MAX_DEPTH = 100
"""How deep elements may nest."""
MAX_ELEMENTS = 5_000_000
"""Elements and attributes of one body: 200 bytes each, at worst."""


def xml_tree(body: bytes, charset: str | None = None) -> dict[str, Any]:
    """The root element under its name; ResponseError for what is not well-formed XML.

    `charset` is what the server declares; without it the document says (RFC 7303).
    """
    return _parsed(iter((body,)), charset, _Builder())


def xml_without(
    pieces: Iterator[bytes], charset: str | None, keys: Sequence[str], row: Callable[[Any], None]
) -> dict[str, Any]:
    """The tree with an empty list where the rows are: each element at `keys` is given to `row`.

    As long as none is there, nothing stands in its place. Raises as `xml_tree` does.
    """
    return _parsed(pieces, charset, _Cutter(list(keys), row))


def _parsed(pieces: Iterator[bytes], charset: str | None, builder: _Builder) -> dict[str, Any]:
    try:
        parser = expat.ParserCreate(charset)
        parser.buffer_text = True
        parser.StartElementHandler = builder.start
        parser.EndElementHandler = builder.end
        parser.CharacterDataHandler = builder.text
        # Nothing of a DTD is read: entities that multiply or name files come with one.
        parser.StartDoctypeDeclHandler = _refuse_doctype
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ResponseError(
            f"the body is not XML (line {error.lineno}: {expat.ErrorString(error.code)})",
            fix="check the URL and the account",
        ) from None
    except (LookupError, ValueError):
        raise ResponseError("the body is in a charset that is not known") from None
    return builder.root


class _Builder:
    """Makes the tree; `_open` are the elements begun and not ended, outermost first."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[dict[str, Any]] = [self.root]
        self._texts: list[list[str]] = [[]]
        self._count = 0

    def start(self, _name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes)
        if len(self._open) > MAX_DEPTH:
            raise ResponseError(f"the XML nests deeper than {MAX_DEPTH} elements")
        if self._count > MAX_ELEMENTS:
            raise ResponseError(
                f"the XML has more than {MAX_ELEMENTS:,} elements", fix="ask for smaller pages"
            )
        self._open.append({f"@{name}": value for name, value in attributes.items()})
        self._texts.append([])

    def text(self, text: str) -> None:
        self._texts[-1].append(text)

    def end(self, name: str) -> None:
        value: Any = self._open.pop()
        text = "".join(self._texts.pop())
        text = text if text.strip() else ""
        if value and text:
            value["#text"] = text
        _put(self._open[-1], name, value or text or None)


class _Cutter(_Builder):
    """Gives each element at `keys` to `row`; what is counted is what is held."""

    def __init__(self, keys: list[str], row: Callable[[Any], None]) -> None:
        super().__init__()
        self._keys, self._row = keys, row
        self._names: list[str] = []
        self._beside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._names.append(name)
        if self._names == self._keys:
            self._beside = self._count
        super().start(name, attributes)

    def end(self, name: str) -> None:
        is_row = self._names == self._keys
        self._names.pop()
        if not is_row:
            super().end(name)
            return
        parent, between = self._open[-2], self._texts[-2]
        rows = parent.setdefault(name, [])
        super().end(name)
        self._row(rows.pop())
        self._count = self._beside
        # A line's end before each row would be held for all of them.
        if between and not between[-1].strip():
            between.pop()


def _put(parent: dict[str, Any], name: str, value: Any) -> None:
    """Add an element; the second of its name makes a list."""
    if name not in parent:
        parent[name] = value
    elif isinstance(parent[name], list):
        parent[name].append(value)
    else:
        parent[name] = [parent[name], value]


def _refuse_doctype(*_: Any) -> None:
    raise ResponseError("the XML has a DOCTYPE; that is refused", fix="read it with a plugin")
