"""A secret is masked by its value, however often and by whatever it was encoded on the way."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector_assets.redact import Secrets

VALUE = "a\"b\\c'd/é€😀+e%41&f <g>\n-\\\\."
CORE = "dK9zQ2"
VALUES = st.text(min_size=4, max_size=12).map(lambda text: f"{text}{CORE}{text[:3]}")
ENCODINGS: dict[str, Callable[[str], str]] = {
    "percent": lambda text: quote(text, safe="", errors="surrogatepass"),
    "percent, small": lambda text: quote(text, safe="", errors="surrogatepass").lower(),
    "form": lambda text: quote_plus(text, errors="surrogatepass"),
    "URL": lambda text: quote(text, errors="surrogatepass"),
    "json": lambda text: json.dumps(text)[1:-1],
    "json in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "PHP's json": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "Go's json": lambda text: text.replace("<", r"\u003c").replace("&", r"\u0026"),
    "html": html.escape,
    "html by number": lambda text: "".join(c if c.isalnum() else f"&#x{ord(c):X};" for c in text),
    "repr": lambda text: repr(text)[1:-1],
}


@pytest.mark.parametrize("outer", [None, "percent", "form", "json", "html", "repr"])
@pytest.mark.parametrize("inner", ENCODINGS)
def test_a_value_is_found_in_every_writing_and_one_within_another(
    inner: str, outer: str | None
) -> None:
    said = ENCODINGS[inner](VALUE)
    said = ENCODINGS[outer](said) if outer else said
    if "small" in (f"{inner} {outer}"):  # letters of the value itself are small already
        said = said.lower()
    assert Secrets({"key": VALUE}).mask(f"<{said}>") == "<[secret:key]>"


@pytest.mark.parametrize("encoding", [None, "percent", "json", "PHP's json", "html", "repr"])
@given(value=VALUES)
@example(value="00%0dK9zQ200%")
@example(value="%25%dK9zQ2\\&%")
@example(value="dK9zQ2& +%")
def test_no_piece_of_any_value_stays(encoding: str | None, value: str) -> None:
    said = ENCODINGS[encoding](value) if encoding else value
    masked = Secrets({"key": value}).mask(f"({said})")
    assert masked == "([secret:key])"


@pytest.mark.parametrize("before", ["", "u", "u:", "user:", "é:"])
@pytest.mark.parametrize("form", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_a_value_behind_anything_is_masked(
    before: str, form: Callable[[bytes], bytes]
) -> None:
    said = form(f"{before}{VALUE}{CORE}!".encode()).decode()
    for text in (said, quote(said, safe=""), said.replace("/", r"\/")):
        left = Secrets({"key": VALUE + CORE}).mask(text).replace("[secret:key]", "")
        assert len(left) <= len(form(before.encode())) + 8


def test_the_value_that_is_longer_is_masked_whole() -> None:
    secrets = Secrets({"a": "abcd", "b": "abcdefgh"})
    assert secrets.mask("abcdefgh abcd") == "[secret:b] [secret:a]"
    secrets.learn("token", "abcdefgh.more")
    assert secrets.mask("abcdefgh.more") == "[secret:token]"


def test_a_short_value_is_masked_only_where_it_stands_alone() -> None:
    assert Secrets({"pin": "42"}).mask("42 of 1420") == "[secret:pin] of 1420"


def test_an_empty_value_masks_nothing() -> None:
    assert Secrets({"none": ""}).mask("as it was") == "as it was"


def test_a_key_in_pem_is_masked_with_line_ends_of_any_kind() -> None:
    pem = "-----BEGIN KEY-----\nMIIB+9/x\nqq==\n-----END KEY-----\n"
    for said in (pem.replace("\n", "\r\n"), pem.replace("\n", "\\n"), pem.replace("\n", "\\r\\n")):
        assert Secrets({"key": pem}).mask(f"<{said}>") == "<[secret:key]>"


@pytest.mark.parametrize(
    "before", ["\\", "\\\\", "%5c", "%255c", "x;", "&#92;", "u005c", r"\u005c", "amp;#92;"]
)
@pytest.mark.parametrize("value", [r"\\a\b-", "-abcd", "&x&y", "%20z", "\r\nab"])
def test_backslashes_before_a_value_hide_it_not(value: str, before: str) -> None:
    masked = Secrets({"key": value}).mask(f"{before}{value}")
    assert value not in masked
    assert "[secret:key]" in masked


@pytest.mark.parametrize(
    "hostile",
    [
        "\\" * 20_000,
        "%5c" * 10_000,
        "&#92;" * 10_000,
        "%25" * 7_000,
        "&amp;" * 4_000,
        "a+" * 10_000,
    ],
)
def test_masking_takes_linear_time_whatever_a_server_sends(hostile: str) -> None:
    """Without an end: a pattern that tried every split would not come back."""
    value = "\\\\a\\\\\\b%%25&&amp; a+a+\\"
    assert Secrets({"key": value}).mask(hostile) == hostile


def test_a_value_of_four_characters_is_held_and_a_shorter_one_is_taken_for_a_word() -> None:
    secrets = Secrets({"pin": "1234", "short": "abc"})
    assert secrets.holds("W/x1234y")
    assert not secrets.holds("abc")
    assert secrets.finds("abc")
