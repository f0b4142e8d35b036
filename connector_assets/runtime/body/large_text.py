"""What is written in a large body, as UTF-8: the same as for a small one, a step at a time."""

from __future__ import annotations

import codecs
import io
from contextlib import suppress
from typing import IO

from connector_assets.runtime.body.page import (
    BOMS,
    charset_of,
    is_charset,
    not_in_charset,
    not_utf_8,
)
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.http.spill import Temporary

_STEP = 1 << 20


def text_of(answer: Answer) -> IO[bytes]:
    """As `page.json_text`: the file from behind its byte order mark, or one in UTF-8."""
    assert answer.file is not None
    body, head = answer.file, answer.body[:4]
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    declared = charset_of(answer)
    if head.startswith(BOMS):
        return transcoded_file(body, "utf-16")
    if b"\0" in head[start:] and declared:
        return transcoded_file(body, declared, start)
    wrong = _first_that_is_not_utf_8(body, start)
    if wrong is not None and declared and declared.lower() not in ("utf-8", "utf8"):
        return transcoded_file(body, declared, start)
    if wrong is not None:
        raise not_utf_8(wrong)
    body.seek(start)
    return body


def transcoded_file(body: IO[bytes], charset: str, start: int = 0) -> IO[bytes]:
    """As `page.transcoded`: a file in UTF-8."""
    body.seek(start)
    out = Temporary()
    with suppress(LookupError, UnicodeError):
        if is_charset(charset):
            text = io.TextIOWrapper(body, charset, newline="")
            try:
                while step := text.read(_STEP):
                    out.write(step.encode())
            finally:
                text.detach()
            out.seek(0)
            return out
    raise not_in_charset(charset)


def _first_that_is_not_utf_8(body: IO[bytes], start: int) -> int | None:
    """Where the first byte is that cannot be, counted from `start`."""
    body.seek(start)
    decoder, before = codecs.getincrementaldecoder("utf-8")(), 0
    while True:
        step = body.read(_STEP)
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(step, final=not step)
        except UnicodeDecodeError as error:
            return before - held + error.start
        if not step:
            return None
        before += len(step)
