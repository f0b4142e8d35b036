"""A link beside a URL names what it names in a browser, or is refused."""

from __future__ import annotations

import ada_url
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import BlockedError
from connector_assets.runtime.http.request import Request
from connector_assets.spec.names.url import join

SEGMENTS = st.sampled_from(
    [
        "",
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        ".%2E",
        "...",
        ".a",
        "a",
        "b.c",
        "%2f",
        "%20",
        "x;y=1",
        "a:b",
        "@",
        "~",
        "é",
    ]
)
PATHS = st.lists(SEGMENTS, max_size=7).map("/".join)
ENDS = st.sampled_from(
    ["", "?", "?page=2", "?next=//x/../y", "#top", "?a#b", "?u=https://o.example/.."]
)
ORIGINS = st.sampled_from(["https://h.example", "https://h.example:8443", "http://h.example"])
BASES = st.builds("{}{}{}".format, ORIGINS, st.just("") | PATHS.map("/{}".format), ENDS)
REFERENCES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "/", "//o.example/", "https://o.example/"]),
    PATHS,
    ENDS,
)


@settings(max_examples=500, deadline=None)
@given(base=BASES, reference=REFERENCES)
@example(base="https://h.example/v1//items/", reference="next//3")
@example(base="https://h.example/v1//items/?page=1", reference="../..//x/")
@example(base="https://h.example", reference="a")
def test_a_link_leads_where_the_url_standard_says(base, reference):
    try:
        ours = join(base, reference)
    except BlockedError:
        # A colon in a first segment is a scheme; an empty host is none.
        assume(False)
    theirs = ada_url.URL(reference, base=base)
    assert ada_url.URL(ours).href == theirs.href
    assert ours.partition("#")[0].isascii() is False or ours == theirs.href


@settings(max_examples=500, deadline=None)
@given(base=BASES, reference=REFERENCES)
def test_what_is_sent_is_what_was_joined(base, reference):
    """httpx, which writes the request, has a reading of its own."""
    try:
        url = join(base, reference).partition("#")[0]
    except BlockedError:
        assume(False)
    path = ada_url.URL(url).pathname
    assert Request.get(url, {}).resource.path == path


@pytest.mark.parametrize(
    ("reference", "joined"),
    [  # the URL standard's own tests, "urltestdata.json", with paths only
        ("..//../../foo", "/foo"),
        ("/foo/bar/..", "/foo/"),
        ("/foo/bar/../ton/../../a", "/a"),
        ("/foo/../../../ton", "/ton"),
        ("/foo/%2e", "/foo/"),
        ("/foo/%2e%2", "/foo/%2e%2"),
        ("/foo/%2e./%2e%2e/.%2e/%2e.bar", "/%2e.bar"),
        ("////../..", "//"),
        ("/foo/bar//../..", "/foo/"),
        ("/foo/bar//..", "/foo/bar/"),
        ("/foo", "/foo"),
    ],
)
def test_the_standards_own_tables(reference, joined):
    # Two slashes at the beginning are a host's.
    full = f"https://example.com{reference}" if reference.startswith("//") else reference
    assert join("https://example.com/a/b?q#f", full) == f"https://example.com{joined}"
