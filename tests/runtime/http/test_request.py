"""A request whose URL is read in parts is the one that httpx would have made of the whole."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connector_assets.errors import RequestError
from connector_assets.runtime.http.request import DEFAULT_HEADERS, Request

BEFORE = st.sampled_from(
    [
        "https://h.example",
        "https://h.example/",
        "HTTPS://H.Example:443/a%2Fb/../c",
        "http://[2001:db8::1]:8080/x y",
        "http://bücher.example/ä",
        "http://user:word@h.example/a",
    ]
)
QUERIES = st.one_of(
    st.text(st.sampled_from("aZ0=&?%2f/:@!$'()*+,;~-._ #<>[]{}|\\^`\"é"), max_size=12),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)


def headers_of(request):
    return [(name.lower(), value) for name, value in request.headers]


@given(before=BEFORE, query=st.none() | QUERIES)
def test_a_url_is_what_httpx_makes_of_it(before, query):
    text = before if query is None else f"{before}?{query}"
    made, whole = Request.get(text, {}), httpx.URL(text.replace("HTTPS", "https"))
    assert made.target.encode() == whole.raw_path
    assert httpx.URL(made.url).raw_path == whole.raw_path
    origin, authority, _, has_user = made.resource
    assert origin[:2] == (whole.scheme, whole.raw_host.decode())
    assert origin.port == (whole.port or {"http": 80, "https": 443}[whole.scheme])
    assert (authority.encode(), has_user) == (whole.netloc, bool(whole.userinfo))


@pytest.mark.parametrize("char", [chr(code) for code in range(0x20, 0x7F)])
def test_no_character_of_a_query_is_sent_otherwise_than_by_httpx(char):
    for query in (char, f"a{char}b", f"%{char}1", f"%4{char}"):
        whole = httpx.URL(f"https://h.example/p?{query}")
        assert Request.get(f"https://h.example/p?{query}", {}).target.encode() == whole.raw_path


@given(before=BEFORE, query=QUERIES, content=st.binary())
def test_to_httpx_and_back_changes_nothing(before, query, content):
    made = replace(
        Request.get(f"{before}?{query}", {b"x": b"1", **DEFAULT_HEADERS}), content=content
    )
    theirs = made.to_httpx()
    if "@" not in before:
        assert Request.of(theirs) == made
    assert (theirs.headers.raw, theirs.content) == ([*made.headers], content)
    assert (theirs.url.raw_path, theirs.url.netloc.decode()) == (
        made.target.encode(),
        made.resource.authority,
    )


def test_what_an_auth_made_is_sent_as_it_is():
    made = Request.of(httpx.Request("GET", "https://h.example/", headers={"accept": "a/b"}))
    assert headers_of(made) == [(b"host", b"h.example"), (b"accept", b"a/b")]


def test_a_request_can_be_made_of_another_url():
    first = Request.get("https://one.example/a?x=1", {b"x-key": b"k"})
    other = first.at("http://two.example:81/b")
    assert (other.url, other.query) == ("http://two.example:81/b", None)
    assert headers_of(other) == [(b"host", b"two.example:81"), (b"x-key", b"k")]
    assert first.url == "https://one.example/a?x=1"


def test_a_header_replaces_those_of_its_name():
    first = Request.get("https://h.example/", {b"If-None-Match": b"old", b"x": b"y"})
    assert headers_of(first.having({"if-none-match": "new"}))[1:] == [
        (b"x", b"y"),
        (b"if-none-match", b"new"),
    ]
    assert first.having({}) is first


@pytest.mark.parametrize(
    "url",
    [
        "https://h.example/" + "a" * 70_000,
        "https://h.example/" + "a" * 60_000 + "?q=" + "b" * 8_000,
        "https://h.example:port/",
        "https://h.example/\ud800",
    ],
)
def test_what_httpx_does_not_read_is_an_error_of_ours(url):
    with pytest.raises(RequestError, match="the URL is not valid") as caught:
        Request.get(url, {})
    assert not caught.value.retryable


def test_an_error_shows_no_query_and_no_long_path():
    assert Request.get("https://h.example/a?key=s3cret", {}).label == "GET h.example/a"
    assert Request.get(f"https://h.example/{'a' * 300}", {}).label == "GET h.example/…"


def test_a_repr_shows_neither_headers_nor_path_nor_query():
    made = Request.get("https://h.example/s3cret?key=s3cret", {b"x-key": b"s3cret"})
    assert repr(made) == "Request(GET h.example)"
