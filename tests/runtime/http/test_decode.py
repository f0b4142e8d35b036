"""Bodies come out whole, or not at all: encodings, damage and bombs."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.http.decode import DecodedBody

MIB = 1 << 20


def decode(encoding, wire, *, step=65536, max_bytes=64 * MIB, max_ratio=200.0):
    body = DecodedBody(encoding, max_bytes=max_bytes, max_wire_bytes=64 * MIB, max_ratio=max_ratio)
    for start in range(0, len(wire), step):
        body.feed(wire[start : start + step])
    return body.finish()


def bare(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def two_members(data):
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])


WRITERS = [
    ("", bytes),
    ("identity", bytes),
    ("gzip", gzip.compress),
    (" GZip , identity", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", two_members),
    ("gzip", lambda data: gzip.compress(b"") + gzip.compress(data) + b"\0" * 20),
    ("deflate", zlib.compress),
    ("deflate", bare),
]


@given(st.sampled_from(WRITERS), st.binary(max_size=5000), st.integers(1, 300))
def test_a_body_is_the_same_however_it_is_packed_and_cut(writer, data, step):
    encoding, pack = writer
    assert decode(encoding, pack(data), step=step) == data


@pytest.mark.parametrize(("encoding", "pack"), WRITERS)
def test_a_body_larger_than_a_step_comes_out_whole(encoding, pack):
    data = bytes(range(256)) * (5 * MIB // 256) + b"\0" * (3 * MIB)
    assert decode(encoding, pack(data)) == data


@pytest.mark.parametrize(("encoding", "pack"), WRITERS[2:5] + WRITERS[7:])
def test_a_compressed_body_that_breaks_off_may_be_tried_again(encoding, pack):
    wire = pack(b"some text, " * 50)
    for length in range(1, len(wire)):
        with pytest.raises(RequestError) as caught:
            decode(encoding, wire[:length])
        assert caught.value.retryable


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_empty_body_needs_no_packing(encoding):
    assert decode(encoding, b"") == b""


def test_damage_and_trailing_garbage_are_errors():
    good = gzip.compress(b"x" * 1000)
    for wire in (b"not gzip at all", good[:-8] + b"\0" * 8, good + b"garbage", b"\x1f\x8b" + good):
        with pytest.raises(RequestError):
            decode("gzip", wire)


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "zzz", "gzip, gzip", "deflate,gzip", "gzip\0", "a b"]
)
def test_other_encodings_are_refused(encoding):
    with pytest.raises(ResponseError, match="encod"):
        decode(encoding, b"{}")


def test_an_unknown_encoding_is_named_but_not_quoted_at_length():
    with pytest.raises(ResponseError, match="is zstd"):
        decode("zstd", b"{}")
    with pytest.raises(ResponseError, match="is an unknown name"):
        decode("<script>" * 100, b"{}")


def test_a_bomb_is_stopped_at_the_ratio_and_a_big_body_at_the_limit():
    bomb = gzip.compress(b"A" * (40 * MIB))
    with pytest.raises(ResponseError, match="200 times"):
        decode("gzip", bomb)
    with pytest.raises(ResponseError, match="raise maxResponseBytes"):
        decode("gzip", bomb, max_ratio=10_000, max_bytes=30 * MIB)
    with pytest.raises(ResponseError, match="more than 10 bytes"):
        decode("", b"x" * 11, max_bytes=10)


def test_a_short_body_may_be_as_repetitive_as_it_likes():
    assert len(decode("gzip", gzip.compress(b"0" * (15 * MIB)))) == 15 * MIB
