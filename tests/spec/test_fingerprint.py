"""The fingerprint changes when the rows may, and not when they cannot."""

from __future__ import annotations

import pytest

from connector_assets.spec.document import parse_connector
from connector_assets.spec.fingerprint import fingerprint
from tests.spec.documents import SEED, with_


def digest(text):
    spec = parse_connector(text)
    return fingerprint(spec, spec.streams[0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("displayName: Shop", "displayName: Another"),
        ("category: crm", "category: sales\ndescription: x\ntags: {a: b}\nowners: [me@example.com]"),
        ("requestsPerSecond: 10", "requestsPerSecond: 5"),
        ("    params:", "    timeoutSeconds: 5.0\n    params:"),
        ("[Item]", "[Item, Other]"),
        ("read:", "secrets: {a: {}}\nread:"),
        ("      q: all", "      q: 'all'"),
    ],
)  # fmt: skip
def test_it_stays_when_the_rows_stay(old, new):
    assert digest(with_(old, new)) == digest(SEED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q: all", "q: some"),
        ("v1/items", "v2/items"),
        ("cursorField: next", "cursorField: after"),
        ("[Item]", "[Other]"),
        ("type: none", "type: basic\n    passwordRef: '{{secrets.p}}'"),
        ("read:", "config: {a: {default: x}}\nread:"),
        ("read:", "defaults: {params: {a: b}}\nread:"),
        ("    params:", "    responseRowsPath: data\n    params:"),
    ],
)
def test_it_changes_when_the_rows_may_change(old, new):
    assert digest(with_(old, new)) != digest(SEED)


def test_it_is_the_same_in_every_process():
    assert digest(SEED) == digest(SEED)
    assert len(digest(SEED)) == 32
