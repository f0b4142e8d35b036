"""Files of lines, read block by block: memory does not grow with the file.

Each block becomes a body of its own, so from there on it is read as any other answer. What is wrong
in the middle of a file is an error there: what came before must not be kept without the rest.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from connector_assets.errors import ResponseError
from connector_assets.runtime.client import Answer
from connector_assets.runtime.formats import csv_lists, json_lines, refuse_other_than_csv
from connector_assets.runtime.page import charset_of
from connector_assets.runtime.unpack import opened
from connector_assets.spec.endpoint import EndpointDefaults
from connector_assets.spec.formats import Format

LINES: tuple[Format, ...] = ("jsonl", "csv")
"""The formats that are read in blocks."""

_BLOCK = 4 << 20
_STEP = 1 << 20
_HEAD = 64 << 10
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def blocks(answer: Answer, endpoint: EndpointDefaults, max_ratio: float) -> Iterator[bytes]:
    """The rows of a downloaded file as JSON lists, some megabytes each; at least one list.

    A line may have `maxResponseBytes`. Raises ResponseError for what is not in the format, and
    RequestError where a packed file is damaged.
    """
    assert answer.file is not None
    file, most = answer.file, endpoint.max_response_bytes
    charset = _charset(answer, endpoint, max_ratio)
    is_csv = endpoint.response_format == "csv"
    text = io.TextIOWrapper(opened(file, max_ratio), charset, newline="" if is_csv else "\n")
    found = False
    try:
        if is_csv:
            # The limit is the whole process's, and meant for files without an end.
            csv.field_size_limit(max(csv.field_size_limit(), most))
            lists = csv_lists(_lines(text, most), endpoint.csv, _BLOCK)
        else:
            lists = _json_blocks(text, most)
        for one in lists:
            found = True
            yield one
    except UnicodeError:
        raise ResponseError(f"the file is not in {charset.removesuffix('-sig')}") from None
    if not found:
        yield b"[]"


def _json_blocks(text: IO[str], most: int) -> Iterator[bytes]:
    before = 0
    while block := text.read(_BLOCK):
        rest = "" if block.endswith("\n") else text.readline(most + 1)
        if len(rest) > most:
            raise _too_long(most)
        lines = (block + rest).encode()
        yield json_lines(lines, before)
        before += lines.count(b"\n")


def _lines(text: IO[str], most: int) -> Iterator[str]:
    while line := text.readline(most + 1):
        if len(line) > most:
            raise _too_long(most)
        yield line


def _too_long(most: int) -> ResponseError:
    return ResponseError(f"a line is longer than {most} bytes", fix="raise maxResponseBytes")


def _charset(answer: Answer, endpoint: EndpointDefaults, max_ratio: float) -> str:
    """What the file is written in, as for a body in memory: UTF-8 unless it cannot be."""
    assert answer.file is not None
    head = opened(answer.file, max_ratio).read(_HEAD)
    if endpoint.response_format == "csv":
        refuse_other_than_csv(replace(answer, body=head))
        if endpoint.csv.charset:
            return endpoint.csv.charset
    if head.startswith(_UTF_16):
        return "utf-16"
    declared = (charset_of(answer) or "utf-8").lower()
    if declared in ("utf-8", "utf8") or _is_utf_8(opened(answer.file, max_ratio)):
        return "utf-8-sig"
    try:
        codecs.lookup(declared)
    except LookupError:
        raise ResponseError(f"the body is not in its declared charset {declared}") from None
    return declared


def _is_utf_8(raw: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while step := raw.read(_STEP):
            decoder.decode(step)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
