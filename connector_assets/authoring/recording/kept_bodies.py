"""A body as it is kept: JSON as data, lines of JSON, or text; scrubbed, and back to bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector_assets.authoring.recording.scrub import Scrubber
from connector_assets.authoring.recording.scrubbed_xml import scrubbed_xml
from connector_assets.authoring.recording.written_json import read_json, write_json
from connector_assets.spec.request.formats import Csv


class NoText(Exception):
    """A body that is no text, such as a picture."""


@dataclass(frozen=True)
class KeptBody:
    """`kind` is json, lines or text; `content` plain data, a list of them, or a text."""

    kind: str
    content: Any

    @classmethod
    def of(cls, raw: bytes) -> KeptBody:
        """From the bytes of an answer or a request; NoText where they are no text."""
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise NoText from None
        try:
            return cls("json", read_json(text.removeprefix("\ufeff")))
        except (ValueError, RecursionError):
            pass
        lines = [line for line in text.split("\n") if line.strip()]
        try:
            if len(lines) > 1 and lines[0].lstrip()[:1] in "{[":
                return cls("lines", [read_json(line) for line in lines])
        except (ValueError, RecursionError):
            pass
        return cls("text", text)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> KeptBody:
        """From what `plain` made."""
        return next((cls(kind, kept[kind]) for kind in _KINDS if kind in kept), cls("text", ""))

    def plain(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {} if (self.kind, self.content) == ("text", "") else {self.kind: self.content}

    def raw(self) -> bytes:
        """The bytes that are served."""
        if self.kind == "json":
            return write_json(self.content, step="").encode()
        if self.kind == "lines":
            return b"".join(write_json(one, step="").encode() + b"\n" for one in self.content)
        return str(self.content).encode()

    def scrubbed(self, scrubber: Scrubber, table: Csv | None = None) -> KeptBody:
        """The same with values replaced; `table` says how a text is separated values."""
        if self.kind != "text":
            return KeptBody(self.kind, scrubber.data(self.content))
        text = str(self.content)
        if table is not None:
            return KeptBody("text", _scrubbed_table(text, table, scrubber))
        if text.lstrip()[:1] == "<":
            return KeptBody("text", scrubbed_xml(text, scrubber))
        return KeptBody("text", "".join(map(scrubber.text, text.splitlines(keepends=True))))


_KINDS = ("json", "lines", "text")


def _scrubbed_table(text: str, form: Csv, scrubber: Scrubber) -> str:
    source = io.StringIO(text, newline="")
    head = [source.readline() for _ in range(form.skip_lines)]
    rows = csv.reader(source, delimiter=form.delimiter, quotechar=form.quote)
    out = io.StringIO()
    ending = "\r\n" if "\r\n" in text else "\n"
    writer = csv.writer(out, delimiter=form.delimiter, quotechar=form.quote, lineterminator=ending)
    writer.writerows(_scrubbed_rows(rows, form, scrubber))
    return "".join(map(scrubber.text, head)) + out.getvalue()


def _scrubbed_rows(rows: Iterator[list[str]], form: Csv, scrubber: Scrubber) -> Iterator[list[str]]:
    names: list[str] = []
    if form.header is True:
        names = next(rows, [])
        yield names
    else:
        names = list(form.header)
    for row in rows:
        called = [*names, *[""] * (len(row) - len(names))]
        yield [scrubber.value(cell, name) for cell, name in zip(row, called, strict=False)]
