"""Large files of lines: read in blocks as they would be in one piece, and wrong where they are."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib

import httpx
import pytest

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.body import stored_rows
from connector_assets.runtime.body.large_body import page_of
from connector_assets.runtime.body.to_json import json_of
from connector_assets.runtime.body.unpack import unpacked
from connector_assets.runtime.http.exchange import Answer, Limits
from connector_assets.spec.endpoint import EndpointDefaults


def zipped(body):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows", body)
    return out.getvalue()


PACKED = {"plain": bytes, "gzip": gzip.compress, "zip": zipped}
JSONL = "\n".join(json.dumps({"id": n, "name": "é€" * (n % 50)}) for n in range(3_000))
CSV = "id,name\n" + "".join(f'{n},"a ""{n}"",\r\nb"\r\n' for n in range(3_000))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(stored_rows, "BLOCK", 10_000)
    monkeypatch.setattr("connector_assets.runtime.body.unpack.IN_MEMORY", 10_000)


def answered(body, content_type=""):
    headers = httpx.Headers({"content-type": content_type})
    return Answer(200, headers, body[:100], "https://a/", file=io.BytesIO(body))


def read(body, form="jsonl", content_type="", **more):
    endpoint = EndpointDefaults.model_validate({"responseFormat": form, **more})
    answer = unpacked(answered(body, content_type), Limits())
    return list(page_of(answer, endpoint, None).parts())


def rows(found):
    return [json.loads(line) for part in found for line in part.ndjson().splitlines()]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize(("form", "text"), [("jsonl", JSONL), ("csv", CSV)])
def test_blocks_hold_the_rows_of_the_whole(packed, form, text):
    found = read(PACKED[packed](text.encode()), form)
    whole = EndpointDefaults.model_validate({"responseFormat": form})
    in_one = json_of(Answer(200, httpx.Headers(), text.encode(), "https://a/"), whole)
    assert rows(found) == json.loads(in_one)
    assert len(found) > 5
    assert max(len(part.ndjson()) for part in found) < 20_000


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("\ufeff" + JSONL, ""),
        (JSONL.encode("utf-16"), ""),
        ("\n".join(f'{{"id":{n},"name":"é"}}' for n in range(9)).encode("latin-1"), "text/x; charset=latin-1"),
        (JSONL, "application/jsonl; charset=latin-1"),
        ("\n\n" + JSONL + "\n\n", ""),
    ],
)  # fmt: skip
def test_charsets_are_told_as_for_a_body_in_memory(body, content_type):
    body = body if isinstance(body, bytes) else body.encode()
    whole = EndpointDefaults.model_validate({"responseFormat": "jsonl"})
    headers = httpx.Headers({"content-type": content_type})
    in_one = json.loads(json_of(Answer(200, headers, body, "https://a/"), whole))
    assert rows(read(body, content_type=content_type)) == in_one


def test_options_of_csv_hold_for_the_file_and_not_for_each_block():
    text = "a title\n" + "".join(f"{n};x\n" for n in range(5_000))
    found = read(
        text.encode(), "csv", csv={"delimiter": ";", "skipLines": 1, "header": ["id", "x"]}
    )
    assert [row["id"] for row in rows(found)] == [str(n) for n in range(5_000)]


def test_an_empty_file_has_no_rows():
    assert rows(read(b"")) == []
    assert rows(read(b"id\n", "csv")) == []


@pytest.mark.parametrize(
    ("body", "form", "said"),
    [
        ((JSONL + "\n{").encode(), "jsonl", "line 3001 is not one JSON value"),
        ((CSV + "1\r\n").encode(), "csv", "line 6002 has 1 values, the header 2"),
        ((CSV + '1,"').encode(), "csv", "line 6002 is not CSV"),
        (b"\xff" * 9, "jsonl", "the body is not UTF-8"),
        (b"<!doctype html><p>Log in", "csv", "the body is a markup page"),
        (b"", "csv", "the body is empty"),
        (b"x" * 15_000, "jsonl", "a line is longer than 2000 bytes; raise maxResponseBytes"),
        (gzip.compress(gzip.compress(b"{}")), "jsonl", "packed more than once"),
        (gzip.compress(b"0\n" * (20 << 20)), "jsonl", "more than 200 times its size"),
        (zipped(b"0\n" * (20 << 20)), "jsonl", "too many times its size"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_error_with_its_place(body, form, said):
    more = {"maxResponseBytes": 2_000} if b"xxxx" in body else {}
    with pytest.raises(ResponseError, match=said):
        read(body, form, **more)


@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_a_packed_file_that_breaks_off_is_an_error(pack):
    import random

    text = "\n".join(str(random.random()) for _ in range(5_000)).encode()
    with pytest.raises(RequestError, match=r"breaks off|damaged"):
        read(pack(text)[:-5_000])


def test_a_checksum_that_does_not_fit_is_an_error():
    body = bytearray(gzip.compress(JSONL.encode()))
    body[-6] ^= 1
    assert zlib.crc32(JSONL.encode()) != int.from_bytes(body[-8:-4], "little")
    with pytest.raises(RequestError, match="damaged"):
        read(bytes(body))
