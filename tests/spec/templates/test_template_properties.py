"""What holds of a rendered template whatever the values are."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import ConfigError
from connector_assets.spec.templates.template import Template

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NASTY = st.sampled_from(
    ["..", "/", "\\", "%2e", "@", "?", "#", "\r\n", "{{b}}", "://", ":80", "。", "\0"]
)
VALUES = JSON | st.lists(NASTY | TEXT, max_size=4).map("".join)


@given(VALUES)
def test_whatever_a_value_is_the_url_keeps_its_host_and_its_segments(value):
    try:
        url = Template("https://h.example:8443/v1/{{v}}/a-{{v}}/x?q={{v}}&r=1").url({"v": value})
    except ConfigError:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "h.example:8443", "")
    assert [parts.path.count("/"), parts.query.count("&"), parts.query.count("=")] == [4, 1, 2]
    assert not {".", ".."} & {unquote(segment) for segment in parts.path.split("/")}
    assert url.isascii()
    assert url.isprintable()


@given(VALUES)
def test_whatever_a_value_is_it_stays_inside_the_host(value):
    try:
        parts = urlsplit(Template("https://{{v}}.h.example/v1").url({"v": value}))
    except ConfigError:
        return
    assert parts.hostname.endswith(".h.example")
    assert parts.port is parts.username is None
    assert parts.path == "/v1"


@given(VALUES)
def test_whatever_an_origin_is_the_path_that_was_written_is_asked_for(value):
    try:
        parts = urlsplit(Template("{{v}}/v1").url({"v": value}))
    except ConfigError:
        return
    assert parts.scheme in ("http", "https")
    assert parts.path.endswith("/v1")
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)


@given(VALUES)
def test_whatever_a_value_is_a_header_is_one_line(value):
    try:
        text = Template("Bearer {{v}}").header({"v": value})
    except ConfigError:
        return
    assert not set(text) & set("\r\n\0")
    text.encode("latin-1")


@given(VALUES)
def test_a_rendered_value_is_never_rendered_again(value):
    try:
        text = Template("[{{v}}]").text({"v": value, "b": "AGAIN"})
    except ConfigError:
        return
    assert text == f"[{text[1:-1]}]"
    assert "AGAIN" not in text
    if isinstance(value, str):
        assert text == f"[{value}]"
