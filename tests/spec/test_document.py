"""YAML text → spec: every fault of the models at once, each with its message and its place."""

from __future__ import annotations

import pytest

from connector_assets.errors import SpecError
from connector_assets.spec.document import load_connector, parse_connector, read_connector
from connector_assets.spec.yaml.yaml_source import MAX_FAULTS
from tests.spec.documents import SEED, faults, lines, with_


@pytest.mark.parametrize(
    ("change", "line", "place"),
    [
        (('version: "1.0"', "version: 1.0"), 'version: must be "1.0"; quote it', (2, 10)),
        (('version: "1.0"', 'version: "2.0"'), 'version: must be "1.0"', (2, 10)),
        (
            ("kind: connector", "kind: connection"),
            'kind: must be "connector"; this document is a connection',
            (1, 7),
        ),
        (("displayName: Shop", "displayName: 5"), "displayName: must be text; quote it", (4, 14)),
        (("displayName: Shop", "displayName:"), "displayName: must be text", (4, 13)),
        (("displayName: Shop\n", ""), "displayName: is required", (1, 1)),
        (
            ("      cursorField: next", "      cursorfield: next"),
            'endpoints.0.pagination.cursorfield: is not a known key; did you mean "cursorField"?',
            (16, 7),
        ),
        (
            ("pageSize: 200", "page_size: 200"),
            'endpoints.0.pagination.page_size: is not a known key; did you mean "pageSize"?',
            (17, 7),
        ),
        (
            ("    params:\n      q: all", "    verb: x"),
            "endpoints.0.verb: is not a known key; use one of id, url, description, job, conditional",
            (12, 5),
        ),
        (
            ("type: cursor", "type: keyset"),
            'endpoints.0.pagination.type: "keyset" is not known; use one of none, cursor, next_url',
            (15, 13),
        ),
        (
            ("      type: cursor\n", ""),
            "endpoints.0.pagination.type: is required; use one of none, cursor, next_url",
            (15, 7),
        ),
        (("type: none", "type: bearer"), "auth.0.tokenRef: is required", (7, 5)),
        (("  - type: none", "  - none"), "auth.0: must be a mapping", (7, 5)),
        (("  - type: none", "  -"), "auth.0: must be a mapping", (7, 4)),
        (
            ("pageSize: 200", "pageSize: 0"),
            "endpoints.0.pagination.pageSize: must be a whole number of at least 1",
            (17, 17),
        ),
        (
            ("pageSize: 200", 'pageSize: "200"'),
            "endpoints.0.pagination.pageSize: must be a whole number; write it without quotes",
            (17, 17),
        ),
        (
            ("pageSize: 200", "pageSize: 1e30"),
            "endpoints.0.pagination.pageSize: must be a whole number",
            (17, 17),
        ),
        (
            ("pageSize: 200", "maxPages: 0"),
            'endpoints.0.pagination.maxPages: must be a whole number of at least 1 or "unlimited"',
            (17, 17),
        ),
        (
            ("pageSize: 200", "maxPages: all"),
            'endpoints.0.pagination.maxPages: must be a whole number or "unlimited"',
            (17, 17),
        ),
        (
            ("requestsPerSecond: 10", "requestsPerSecond: -1"),
            "endpoints.0.rateLimit.requestsPerSecond: must be a number greater than 0",
            (19, 26),
        ),
        (
            ("requestsPerSecond: 10", "requestsPerSecond: .nan"),
            "endpoints.0.rateLimit.requestsPerSecond: must be a number",
            (19, 26),
        ),
        (
            ("q: all", "q: {a: b}"),
            "endpoints.0.params.q: must be text, a number, true or false, or a list of these",
            (13, 10),
        ),
        (
            ("q: all", "q: [a, {b: c}]"),
            "endpoints.0.params.q.1: must be text, a number, true or false",
            (13, 14),
        ),
        (("q: all", 'q: "{{ a b }}"'), "endpoints.0.params.q: not one expression", (13, 10)),
        (("q: all", 'q: "all of {{ a b }}"'), "endpoints.0.params.q: not one expression", (13, 18)),
        (("q: all", "q: 1.10"), "endpoints.0.params.q: would be sent as 1.1; quote it", (13, 10)),
        (
            ("cursorField: next", 'cursorField: "a["'),
            "endpoints.0.pagination.cursorField: is not a JMESPath expression",
            (16, 20),
        ),
        (
            ("      cursorField: next\n", ""),
            "endpoints.0.pagination.cursorField: is required",
            (15, 7),
        ),
        (
            ("resourceTypes: [Item]", "resourceTypes: Item"),
            "read.resourceTypes: must be a list",
            (22, 18),
        ),
        (("auth:\n  - type: none", "auth:\n    type: none"), "auth: must be a list", (6, 1)),
        (("endpoints:", "endpoints: []\nx:"), "endpoints: must not be empty", (8, 12)),
    ],
)
def test_a_fault_of_the_model_says_what_to_do_at_its_place(change, line, place):
    found = [fault for fault in faults(with_(*change)) if str(fault).startswith(line)]
    assert [(fault.line, fault.column) for fault in found] == [place], lines(with_(*change))


OAUTH = """\
auth:
  - type: oauth2
    authorizeUrl: https://login.example.com/authorize
    tokenUrl: http://login.example.com/token
    clientIdRef: "{{secrets.clientId}}"
    clientSecretRef: "{{secrets.clientSecret}}"
"""


def test_a_token_url_over_http_is_this_exact_line():
    text = with_("auth:\n  - type: none\n", OAUTH)
    [fault] = faults(text)
    assert str(fault) == "auth.0.tokenUrl: must be https://"
    assert (fault.line, fault.column) == (9, 15)


def test_all_faults_come_at_once_in_document_order():
    text = with_("auth:\n  - type: none\n", OAUTH)
    text = with_("id: shop", "id: Shop\nid: shop", text)
    text = with_("url: https", "urll: https", text)
    text = with_("pageSize: 200", "pageSize: 0", text)
    text = with_("q: all", 'q: "{{item.x}}"', text)
    text = with_("primary: items", "primary: orders", text)
    assert [line.split(":")[0] for line in lines(text)] == [
        "id",
        "auth.0.tokenUrl",
        "endpoints.0.url",
        "endpoints.0.urll",
        "endpoints.0.params.q",
        "endpoints.0.pagination.pageSize",
        "read.primary",
    ]


def test_no_more_faults_are_listed_than_a_person_reads():
    found = faults(SEED + "".join(f"x{number}: 1\n" for number in range(1000)))
    assert len(found) == MAX_FAULTS + 1
    assert found[-1].message == "has more faults than are shown"


def test_what_a_value_says_is_not_repeated_where_it_may_be_a_secret():
    key = "sk_live_51HxXyZ0a9B8c7D6e5F4"
    text = with_("type: none", f"type: api_key\n    in: {key}\n    name: x\n    valueRef: {key}")
    text = with_("method: GET", f"method: {key}\n    responseRowsPath: '[{key}'", text)
    assert len(faults(text)) == 4
    assert key not in "\n".join(lines(text))


def test_a_spec_error_carries_its_source_and_every_line():
    with pytest.raises(SpecError) as caught:
        parse_connector(with_("id: shop", "id: 1"), source="specs/shop.yaml")
    assert caught.value.source == "specs/shop.yaml"
    assert str(caught.value) == "id: must be text; quote it"


def test_a_file_that_cannot_be_read_is_a_spec_error(tmp_path):
    with pytest.raises(SpecError, match="cannot be read: no such file or directory"):
        load_connector(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="cannot be read: is a directory"):
        load_connector(tmp_path)


def test_a_document_knows_the_line_of_each_stream():
    streams = "resourceTypes: [Item]\n  streams:\n    - name: orders\n      endpoint: items\n"
    document = read_connector(with_("resourceTypes: [Item]\n", streams), source="shop.yaml")
    assert [document.stream_line(name) for name in ("Item", "orders")] == [22, 24]
    assert document.position("endpoints", 0, "url") == (11, 10)
    assert document.source == "shop.yaml"
