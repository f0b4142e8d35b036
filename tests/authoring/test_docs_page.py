"""A page of documentation as text, whatever it is made of."""

from __future__ import annotations

import pytest

from connector_assets.authoring.docs_page import read_docs_page
from connector_assets.errors import ConfigError

URL = "https://docs.example/api/"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<!-- b --> c</p>", "a c"),
        ("<p>1 < 2 &amp;&lt;b&gt;</p>", "1 < 2 &<b>"),
        ("<p>a<script>if (a < b) '</p>'</script>b", "ab"),
        ("<p>a<style>p > q {}</style><svg><text>x</text></svg>b", "ab"),
        ("<nav>menu <b>x</b></nav><main>it</main><footer>f</footer>", "it"),
        ('<a href="v1?a=1&amp;b=2">v1</a>', "[v1](https://docs.example/api/v1?a=1&b=2)"),
        ("<a href='http://[bad'>x</a>", "[x](#)"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ("<p>open <b>never closed", "open never closed"),
        ("</p></div>stray", "stray"),
        ("<!doctype html><?x?><p>a", "a"),
        ("# Markdown <b>\n", "# Markdown <b>"),
    ],
)
def test_html_becomes_text(html, text):
    assert read_docs_page(URL, lambda _: html.encode()).text == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "hostile",
    [
        "<p><!--",
        "<a href=x>",
        "<p><![",
        '<p a="',
        "<div>",
        "<script>",
        "<p><?",
        "<a href =",
        "</q>",
    ],
)
def test_what_is_never_closed_takes_no_time(hostile):
    """Each took minutes, or would, where all that is left is looked through for every one."""
    page = read_docs_page(URL, lambda _: b"<p>" + hostile.encode() * (2_000_000 // len(hostile)))
    assert len(page.text) <= 2_100_000


def test_what_is_no_page_is_an_error():
    with pytest.raises(ConfigError, match="is no text"):
        read_docs_page(URL, lambda _: b"\x89PNG\x00\x00")
    with pytest.raises(ConfigError, match="no http or https URL"):
        read_docs_page("file:///etc/passwd", lambda _: b"")
