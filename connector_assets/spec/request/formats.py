"""What an answer's body is written in, beside JSON."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.spec.names.model import Many, Model, fault

Format = Literal["json", "jsonl", "csv", "xml", "text"]

ACCEPT: dict[Format, str] = {
    "json": "application/json",
    "jsonl": "application/x-ndjson, application/jsonl",
    "csv": "text/csv",
    "xml": "application/xml, text/xml",
    "text": "text/plain",
}
"""What a request asks for, unless the endpoint sets the header itself."""

OF_LINES: frozenset[Format] = frozenset({"jsonl", "csv", "text"})
"""Formats in which every line is a row, so that there are no fields beside the rows."""


def _one_character(value: str) -> str:
    if len(value) != 1 or value in "\r\n\0\ufeff":
        raise ValueError("must be one character, and no line end")
    return value


def _known_charset(value: str) -> str:
    try:
        is_text = codecs.lookup(value)._is_text_encoding  # noqa: SLF001 - as bytes.decode looks
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise ValueError("is not a charset, as utf-8 or windows-1252")
    return value


Character = Annotated[str, AfterValidator(_one_character)]
ColumnName = Annotated[str, Field(min_length=1, max_length=1000)]


class Csv(Model):
    """How a CSV body is written, where it is not as RFC 4180 says."""

    delimiter: Character = ","
    """What parts the values of a line, as ";" or "\\t"."""
    quote: Character = '"'
    """What stands around a value that holds a delimiter, a line end or, doubled, itself."""
    header: Literal[True] | Many[ColumnName] = True
    """`true`: the first line has the names; else the names, for a body without such a line."""
    skip_lines: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Lines before the header that are no data, as a report's title."""
    charset: Annotated[str, AfterValidator(_known_charset)] | None = None
    """Default: UTF-8, or what the server declares."""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.delimiter == self.quote:
            raise fault("quote", "must not be the delimiter")
        if isinstance(self.header, tuple) and len(set(self.header)) < len(self.header):
            raise fault("header", "names a column twice")
        return self
