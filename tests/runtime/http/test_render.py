"""A call as the request that goes out: its query, and the head that httpx would give it."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import ConfigError
from connector_assets.runtime.http.render import request_of
from connector_assets.spec.request.call import Call

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.one_of(st.sampled_from(["a", "b c", "é", "a&b", "page[size]"]), TEXTS.filter(bool))
PAIRS = st.lists(st.tuples(NAMES, TEXTS), max_size=4)
URLS = st.sampled_from(
    ["https://h.example", "https://h.example/a%2Fb/", "http://[2001:db8::1]:8/x"]
)


@given(url=URLS, written=PAIRS, params=st.dictionaries(NAMES, TEXTS, max_size=3))
def test_parameters_come_after_those_of_the_url_and_replace_them(url, written, params):
    query = urlencode(written, quote_via=quote)
    call = Call("GET", f"{url}?{query}#fragment", params)
    sent = httpx.URL(request_of(call, {}).url)
    assert (sent.scheme, sent.netloc) == (httpx.URL(url).scheme, httpx.URL(url).netloc)
    assert sent.path == httpx.URL(url).path
    assert parse_qsl(sent.query.decode(), keep_blank_values=True) == [
        *(pair for pair in written if pair[0] not in params),
        *params.items(),
    ]


def test_a_query_without_parameters_is_sent_as_it_stands():
    call = Call("GET", "https://h.example/a?x=1&&y=%2f+z&flag")
    assert request_of(call, {}).target == "/a?x=1&&y=%2f+z&flag"


def test_a_url_that_is_left_without_parameters_has_no_question_mark():
    call = Call("GET", "https://h.example/a?x=1", {"x": None})
    assert request_of(call, {}).target == "/a"


@pytest.mark.parametrize("params", [{"a": "\ud800"}, {"\ud800": "a"}])
def test_a_lone_surrogate_in_a_parameter_is_an_error_of_ours(params):
    with pytest.raises(ConfigError, match="lone surrogate"):
        request_of(Call("GET", "https://h.example/a", params), {})


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize("body", [None, {"a": 1}])
@pytest.mark.parametrize("url", ["https://h.example/a", "http://[2001:db8::1]:8080/a?b=c"])
def test_a_request_is_what_httpx_would_make_of_it(method, body, url):
    call = Call(method, url, headers={"X-Team": "a b", "Accept": "text/csv"}, body=body)
    made = request_of(call, {}).to_httpx()
    given_headers = [
        (b"accept", b"text/csv"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"user-agent", b"connector-assets"),
    ]
    if body:
        given_headers.append((b"content-type", b"application/json"))
    given_headers.append((b"x-team", b"a b"))
    content = b'{"a":1}' if body else None
    by_httpx = httpx.Request(method, url, headers=given_headers, content=content)
    assert made.headers.raw == by_httpx.headers.raw
    assert (made.method, made.url, made.content) == (method, by_httpx.url, by_httpx.content)
    assert b"".join(made.stream) == b"".join(by_httpx.stream)
