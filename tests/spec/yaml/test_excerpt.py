"""Faults in a terminal: the line, the caret, and no secret that a document may hold by mistake."""

from __future__ import annotations

import pytest

from connector_assets.errors import Fault
from connector_assets.spec.yaml.excerpt import render_fault
from tests.spec.documents import faults, with_


def test_a_fault_is_shown_with_its_line_and_a_caret():
    text = with_("type: cursor", "type: keyset")
    [fault] = faults(text)
    assert render_fault(fault, text, "specs/shop.yaml").splitlines() == [
        (
            'specs/shop.yaml:15:13: endpoints.0.pagination.type: "keyset" is not known; use one of '
            "none, cursor, next_url, link_header, offset, page"
        ),
        "          type: keyset",
        "                ^",
    ]


def test_without_a_file_or_a_place_the_rest_is_shown():
    assert render_fault(Fault("a", "is wrong", 1, 1), "a: b").startswith("<text>:1:1: a: is wrong")
    assert render_fault(Fault("a", "is wrong"), "a: b", "x.yaml") == "x.yaml: a: is wrong"
    assert render_fault(Fault("", "cannot be read"), b"", "x.yaml") == "x.yaml: cannot be read"
    assert render_fault(Fault("a", "is wrong", 9, 9), "a: b", "x.yaml") == "x.yaml:9:9: a: is wrong"


@pytest.mark.parametrize("column", [1, 50, 99, 150, 250, 300])
def test_a_long_line_is_cut_around_the_caret(column):
    text = "".join(chr(97 + at % 26) for at in range(299))
    _, line, caret = render_fault(Fault("", "x", 1, column), text).splitlines()
    assert len(line) <= 108
    at = len(caret) - 1
    assert column == 300 or line[at] == text[column - 1]


def test_the_caret_stands_below_tabs_and_wide_characters():
    _, line, caret = render_fault(Fault("", "x", 1, 5), "\t\t日本x").splitlines()
    assert line == "            日本x"
    assert len(caret) - 1 == 4 + 8 + 4


def test_what_a_terminal_would_obey_is_not_shown():
    shown = render_fault(Fault("", "x", 1, 1), "a\x1b[31m\u202eb\x85")
    assert not {"\x1b", "\u202e", "\x85"} & set(shown)


SECRETS = [
    ("tokenRef: sk_live_51HxX, more", "auth.0.tokenRef", 11),
    ("tokenRef: 'sk_live_51HxX'", "auth.0.tokenRef", 11),
    ('  - {type: bearer, tokenRef: "sk_live_51HxX, a}", x: 1}', "auth.0.x", 50),
    ('{"type": "bearer", "tokenRef": "sk_live_51HxX"}', "auth.0.type", 2),
    ('{"type":"bearer","tokenRef":"sk_live_51HxX"}', "auth.0.type", 2),
    ("  Authorization: Bearer sk_live_51HxX", "endpoints.0.headers.x", 3),
    ("  api_key: sk_live_51HxX", "endpoints.0.params.api_key", 3),
    ("  apiKey: sk_live_51HxX", "secrets.apiKey", 11),
    ("  whatever: sk_live_51HxX", "secrets.whatever", 13),
    ("      sk_live_51HxX", "auth.0.valueRef", 7),
    ("  url: https://user:sk_live_51HxX@api.example.com/", "endpoints.0.url", 8),
    ("  url: https://api.example.com/?api_key=sk_live_51HxX&page=1", "endpoints.0.url", 8),
    ("  password: sk_live_51HxX # the real one", "x", 1),
    ("client_secret: sk_live_51HxX", "client_secret", 1),
]


@pytest.mark.parametrize(("line", "path", "column"), SECRETS)
def test_a_literal_secret_on_the_line_is_masked(line, path, column):
    _, shown, caret = render_fault(Fault(path, "is wrong", 1, column), line).splitlines()
    assert "sk_live_51HxX" not in shown
    assert len(shown) == len(line) + 4
    assert len(caret) == column + 4


def test_a_template_is_no_secret():
    line = '  - {type: bearer, tokenRef: "{{secrets.token}}"}'
    assert line in render_fault(Fault("auth.0.tokenRef", "is wrong", 1, 30), line)


@pytest.mark.parametrize("line", ["x" * 1_000_000, "?" * 1_000_000, "x" * 999_990 + ": ref: 1"])
def test_a_line_of_one_long_word_takes_no_time_to_speak_of(line):
    shown = render_fault(Fault("", "is wrong", 1, 1), line)
    assert len(shown) < 1_000
