"""Packed files: one of them, not too large, not in layers; a damaged one is worth another try."""

from __future__ import annotations

import gzip
import io
import zipfile

import httpx
import pytest

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.body.unpack import unpacked
from connector_assets.runtime.http.exchange import Answer, Limits

PLAIN = b'[{"a":1}]' * 100


def packed(*members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def unpack(body, max_bytes=1 << 20, max_ratio=200.0):
    answer = Answer(200, httpx.Headers(), body, "https://a/")
    return unpacked(answer, Limits(max_bytes=max_bytes, max_ratio=max_ratio)).body


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        gzip.compress(PLAIN),
        gzip.compress(PLAIN[:300]) + gzip.compress(PLAIN[300:]),
        packed(("rows.csv", PLAIN)),
        packed(("folder/", b""), ("folder/rows.csv", PLAIN)),
        packed(("rows.csv", PLAIN), method=zipfile.ZIP_STORED),
        packed(("rows.csv", PLAIN)) + b"",
    ],
)
def test_one_file_is_what_it_holds(body):
    assert unpack(body) == PLAIN


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (packed(), "holds 0 files"),
        (packed(("a", b"1"), ("b", b"2")), "holds 2 files; one is expected"),
        (packed(*((str(n), b"") for n in range(5000))), "too many files"),
        (packed(("a", PLAIN), method=zipfile.ZIP_BZIP2), "not compressed by deflate"),
        (packed(("a", PLAIN), method=zipfile.ZIP_LZMA), "not compressed by deflate"),
        (gzip.compress(gzip.compress(PLAIN)), "packed more than once"),
        (packed(("a", packed(("a", PLAIN)))), "packed more than once"),
        (gzip.compress(packed(("a", PLAIN))), "packed more than once"),
        (gzip.compress(b"x" * (2 << 20)), "more than 1048576 bytes"),
        (packed(("a", b"x" * (2 << 20))), "more than 1048576 bytes"),
    ],
)
def test_what_is_not_one_file_of_a_fair_size_is_refused(body, said):
    with pytest.raises(ResponseError, match=said):
        unpack(body)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: packed(("a", data))])
def test_a_bomb_within_the_limit_of_bytes_is_stopped_by_its_ratio(pack):
    bomb = pack(b"\0" * (40 << 20))
    with pytest.raises(ResponseError, match="times its size"):
        unpack(bomb, max_bytes=1 << 30)


def test_a_member_that_is_encrypted_is_refused():
    body = bytearray(packed(("a", PLAIN)))
    for head in (b"PK\x03\x04", b"PK\x01\x02"):
        flags = body.index(head) + (6 if head == b"PK\x03\x04" else 8)
        body[flags] |= 1
    with pytest.raises(ResponseError, match="encrypted"):
        unpack(bytes(body))


@pytest.mark.parametrize("whole", [gzip.compress(PLAIN), packed(("a", PLAIN))])
def test_whatever_is_cut_or_damaged_is_an_error_worth_another_try(whole):
    for at in range(4, len(whole)):
        with pytest.raises(RequestError) as raised:
            unpack(whole[:at])
        assert raised.value.retryable
    for at in range(4, len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        try:
            found = unpack(bytes(damaged))
        except (RequestError, ResponseError):
            continue
        assert found == PLAIN  # a name or a date changed, no data
