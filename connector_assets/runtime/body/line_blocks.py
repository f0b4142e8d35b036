"""Large bodies of lines, made into JSON lists of some megabytes each.

What is wrong in the middle is an error there, with the number of its line in the whole body.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from typing import IO

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import stored_rows
from connector_assets.runtime.body.large_text import text_of, transcoded_file
from connector_assets.runtime.body.to_json import csv_lists, refuse_other_than_csv
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.request.formats import Csv


def line_blocks(answer: Answer, most: int, lists: Callable[[bytes, int], bytes]) -> Iterator[bytes]:
    """What `lists` makes of some lines and how many came before; a line may have `most` bytes."""
    file, before = text_of(answer), 0
    while block := file.read(stored_rows.BLOCK):
        rest = b"" if block.endswith(b"\n") else file.readline(most + 1)
        if len(rest) > most:
            raise _too_long(most)
        lines = block + rest
        yield lists(lines, before)
        before += lines.count(b"\n")


def csv_blocks(answer: Answer, options: Csv, most: int) -> Iterator[bytes]:
    """Lists of objects; a line may have `most` characters."""
    assert answer.file is not None
    refuse_other_than_csv(answer)
    file = transcoded_file(answer.file, options.charset) if options.charset else text_of(answer)
    start = file.tell()
    file.seek(start + len(codecs.BOM_UTF8) * (file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8))
    text = io.TextIOWrapper(file, "utf-8", newline="")
    # The limit is the whole process's, and meant for files without an end; ours has had its limit.
    csv.field_size_limit(max(csv.field_size_limit(), most))
    try:
        yield from csv_lists(_lines(text, most), options, stored_rows.BLOCK)
    finally:
        text.detach()


def _lines(text: IO[str], most: int) -> Iterator[str]:
    while line := text.readline(most + 1):
        if len(line) > most:
            raise _too_long(most)
        yield line


def _too_long(most: int) -> ResponseError:
    return ResponseError(f"a line is longer than {most} bytes", fix="raise maxResponseBytes")
