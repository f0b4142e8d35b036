"""What only the whole document can show: each fault at its place, and none where there is none."""

from __future__ import annotations

import pytest

from connector_assets.spec.document import parse_connector
from tests.spec.documents import SEED, faults, lines, with_

TWO = with_(
    "read:\n",
    "  - id: orders\n    url: https://api.example.com/v1/orders\nread:\n",
)


EACH = with_(
    "resourceTypes: [Item]",
    "streams:\n    - {name: a, forEach: [{values: [eu, us], as: region}]}",
    with_("q: all", 'q: "{{item.region}}"'),
)


def test_the_seed_has_no_fault():
    assert lines(SEED) == []
    assert lines(EACH) == []


FAULTS = [
    # references
    (SEED, "primary: items", "primary: itmes",
     'read.primary: "itmes" is not an endpoint; use one of items'),
    (TWO, "primary: items", "primary: other",
     'read.primary: "other" is not an endpoint; use one of items, orders'),
    (SEED, "  primary: items\n", "", "read.primary: is required where resourceTypes is given"),
    (SEED, "resourceTypes: [Item]", "streams: [{name: a, endpoint: b}]",
     'read.streams.0.endpoint: "b" is not an endpoint; use one of items'),
    (SEED, "primary: items\n  resourceTypes: [Item]", "streams: [{name: a}]",
     "read.streams.0.endpoint: is required, as no endpoint has the stream's name; use one of items"),
    # names
    (TWO, "id: orders", "id: items",
     "endpoints.1.id: is the same name as endpoints.0.id; choose another"),
    (TWO, "id: orders", "id: Items",
     "endpoints.1.id: is the same table name as endpoints.0.id; choose another"),
    (SEED, "[Item]", "[Item, Item]",
     "read.resourceTypes.1: is the same name as read.resourceTypes.0; choose another"),
    (SEED, "[Item]", "[Item, item]",
     "read.resourceTypes.1: is the same table name as read.resourceTypes.0; choose another"),
    (SEED, "[Item]", "[a.b]\n  streams: [{name: a_b}]",
     "read.streams.0.name: is the same table name as read.resourceTypes.0; choose another"),
    (SEED, "primary: items\n  resourceTypes: [Item]",
     "primary: items\n  resourceTypes: [A.b__Rejected]\n  streams: [{name: a-b, schemaPolicy: quarantine}]",
     'read.resourceTypes.0: "A.b__Rejected" is the table of rows that read.streams.0.name sets aside; choose another'),
    # addresses
    (SEED, "https://api.example.com/v1/items", "/v1/items",
     "endpoints.0.url: begins with /, but there is no defaults.baseUrl to put before it"),
    (SEED, "read:", "origins: [files.example.com]\nread:",
     "origins.0: must be an origin without a path, such as https://files.example.com"),
    (SEED, "read:", "origins: ['https://files.example.com/a']\nread:",
     "origins.0: must be an origin without a path, such as https://files.example.com"),
    (SEED, "read:", "docsUrl: javascript:alert(1)\nread:", "docsUrl: must begin with https://"),
    # parameters that the pagination sets
    (SEED, "type: cursor\n      cursorField: next", "type: offset\n      limitParam: q",
     "endpoints.0.params.q: is set by the pagination; remove it, and set pagination.pageSize"),
    (SEED, "type: cursor\n      cursorField: next", "type: page\n      pageParam: q",
     "endpoints.0.params.q: is set by the pagination; remove it, and set pagination.startAt"),
    (SEED, "cursorField: next", "cursorField: next\n      pageSizeParam: q",
     "endpoints.0.params.q: is set by the pagination; remove it, and set pagination.pageSize"),
    # writing
    (SEED, "resourceTypes: [Item]", "streams: [{name: a, writeMode: merge}]",
     "read.streams.0.primaryKey: is required with writeMode: merge"),
    # config
    (SEED, "read:", "config: {a: {type: integer, default: ten}}\nread:",
     "config.a.default: must be a whole number"),
    (SEED, "read:", "config: {a: {type: date, default: 01/02/2024}}\nread:",
     "config.a.default: must be a date such as 2024-01-31"),
    (SEED, "read:", "config: {a: {enum: [x, y], default: z}}\nread:",
     "config.a.default: must be one of x, y"),
    (SEED, "read:", "config: {a: {pattern: '[a-z]+', default: '5'}}\nread:",
     "config.a.default: must match [a-z]+"),
    (SEED, "read:", "config: {a: {pattern: '[a-z]+', default: 'b', example: '5'}}\nread:",
     "config.a.example: must match [a-z]+"),
    (SEED, "read:", "config: {a: {type: integer, example: ten}}\nread:",
     "config.a.example: must be a whole number"),
    (SEED, "read:", "config: {a: {pattern: '(a'}}\nread:",
     "config.a.pattern: is not a regular expression of RE2"),
    (SEED, "read:", "config: {a: {default: 1.10}}\nread:",
     "config.a.default: would be sent as 1.1; quote it to send it as it is written"),
    (SEED, "read:", "config: {window: {}}\nread:",
     "config.window: is a name that templates have already; choose another"),
    (SEED, "resourceTypes: [Item]", "streams: [{name: a, vars: {item: 1}}]",
     "read.streams.0.vars.item: is a name that templates have already; choose another"),
    # names in templates
    (SEED, "q: all", 'q: "{{item.x}}"',
     'endpoints.0.params.q: nothing gives "item.x" a value here; it comes with forEach'),
    (SEED, "q: all", 'q: "{{parent.id}}"',
     'endpoints.0.params.q: nothing gives "parent.id" a value here; it comes with forEach'),
    (SEED, "q: all", 'q: "{{window.start}}"',
     'endpoints.0.params.q: nothing gives "window.start" a value here; it comes with incremental'),
    (SEED, "q: all", 'q: "{{cursor}}"',
     'endpoints.0.params.q: nothing gives "cursor" a value here; it comes with incremental'),
    (SEED, "q: all", 'q: "{{response.a}}"',
     'endpoints.0.params.q: nothing gives "response.a" a value here; it exists in errors rules'),
    (SEED, "q: all", 'q: "{{record.a}}"',

     'endpoints.0.params.q: nothing gives "record.a" a value here; it exists in where and fields'),
    (SEED, "q: all", 'q: "{{itme.x}}"',
     'endpoints.0.params.q: nothing gives "itme.x" a value; did you mean "item"?'),
    (SEED, "read:", "config: {region: {}}\ndefaults: {params: {r: '{{config.regoin}}'}}\nread:",
     'defaults.params.r: "config.regoin" is not declared; did you mean "region"?'),
    (SEED, "read:", "defaults: {params: {r: '{{config.region}}'}}\nread:",
     'defaults.params.r: "config.region" is not declared; add it to config'),
    (SEED, "read:", "secrets: {token: {}}\ndefaults: {headers: {X-A: '{{secrets.tokn}}'}}\nread:",
     'defaults.headers.X-A: "secrets.tokn" is not declared; did you mean "token"?'),
    # secrets where they must not stand
    (SEED, "api.example.com/v1/items", "{{secrets.token}}.example.com/v1/items",
     ('endpoints.0.url: "secrets.token" must not be in the origin, only in the path')),
    (SEED, "read:", "defaults: {baseUrl: 'https://{{secrets.host}}'}\nread:",
     'defaults.baseUrl: "secrets.host" must not be in the origin, only in the path'),
    (SEED, "resourceTypes: [Item]", "streams: [{name: a, vars: {t: '{{secrets.t}}'}}]",
     ('read.streams.0.vars.t: "secrets.t" must not stand here; secrets go in auth, url, headers, '
     "params and body")),
    (SEED, "read:",
     "defaults: {errors: [{status: 404, action: fail, message: '{{secrets.t}}'}]}\nread:",
     ('defaults.errors.0.message: "secrets.t" must not stand here; secrets go in auth, url, '
     "headers, params and body")),
    # templates in a free JSON body
    (SEED, "    params:", "    body: {json: {a: [{b: '{{ 1 +'}]}}\n    params:",
     'endpoints.0.body.json.a.0.b: "{{" is never closed; end the expression with "}}"'),
    (SEED, "    params:", "    body: {json: {a: '{{item.x}}'}}\n    params:",
     'endpoints.0.body.json.a: nothing gives "item.x" a value here; it comes with forEach'),
    (SEED, "    params:", "    headers: {'{{x}}': a}\n    params:",
     "endpoints.0.headers.{{x}}: is not a header name"),
    (SEED, "q: all", '"{{secrets.x}}": all',
     'endpoints.0.params.{{secrets.x}}: "secrets.x" must not stand in a name'),
    # addresses that no request could use
    (SEED, "https://api", "https://me:secret@api",
     "endpoints.0.url: the URL holds a user name; credentials belong in auth"),
    (SEED, "example.com", "example.com:99999",
     "endpoints.0.url: the port is not a number from 1 to 65535"),
    (SEED, "https://api.example.com", "http://0xa9fea9fe",
     "endpoints.0.url: the host is an odd spelling of an IPv4 address"),
    (SEED, "https://api.example.com", "http://[::ffff:169.254.169.254]",
     "endpoints.0.url: is an address of the machine's own network, which no connector may read"),
    (SEED, "read:", "defaults: {baseUrl: 'https://a.example.com:0'}\nread:",
     "defaults.baseUrl: the port is not a number from 1 to 65535"),
    # what could never be sent
    (SEED, "    params:", '    headers: {X-A: "a\\r\\nb"}\n    params:',
     "endpoints.0.headers.X-A: must be one line without control characters"),
    (SEED, "Second: 10", "Second: 1e-300",
     "endpoints.0.rateLimit.requestsPerSecond: must be at least one request a day: 0.0000116"),
    (SEED, "[Item]", "['..']", "read.resourceTypes.0: must hold a letter or digit"),
    # what a stream binds
    (EACH, "{{item.region}}", "{{item.regoin}}",
     'endpoints.0.params.q: nothing gives "item.regoin" a value here; use item.region'),
    (EACH, "{{item.region}}", "{{window.start}}",
     'endpoints.0.params.q: nothing gives "window.start" a value here; it comes with incremental'),
    (EACH, "name: a,", "name: b, endpoint: items}\n    - {name: a,",
     'endpoints.0.params.q: nothing gives "item.region" a value here; it comes with forEach'),
    (EACH, "{values: [eu, us], as: region}", "{parent: {stream: c, field: id, as: region}}",
     'read.streams.0.forEach.0.parent.stream: "c" is not a stream; use one of a'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "line"), FAULTS)
def test_a_fault_of_the_whole_is_found(text, old, new, line):
    assert lines(with_(old, new, text)) == [line]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q: all", 'q: "{{anything}} {{stream}} {{resourceType}}"'),
        ("q: all", 'q: "{{secrets.anything}}"'),
        ("q: all", "q: '{{status}}'"),
        ("/v1/items", "/v1/items?limit={{limit}}"),
        ("q: all", "q: all\n      limit: 7"),
        ("q: all", "q: all\n      cursor: '*'"),
        ("    params:", "    body: {json: {cost: 1.10, t: '{{secrets.t}}'}}\n    params:"),
        ("requestsPerSecond: 10", "requestsPerSecond: 2.50"),
        ("read:", "defaults: {baseUrl: '{{instance_url}}', pagination: {type: offset}}\nread:"),
        ("read:", "origins: ['https://a.example.com', 'http://127.0.0.1:8080', 'https://[::1]']\nread:"),
        ("read:", "defaults: {errors: [{when: '{{response.e and headers.x and status}}', action: fail}]}\nread:"),
        ("read:", "config: {a: {type: list, default: [x]}, b: {type: boolean, default: true}}\nread:"),
        ("resourceTypes: [Item]", "streams: [{name: a, writeMode: append}, {name: b, writeMode: merge, primaryKey: [id]}]"),
        ("primary: items\n  resourceTypes: [Item]", "streams: [{name: items}]"),
        ("type: cursor\n      cursorField: next", "type: page\n      pageParam: q\n      in: body"),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_fault_is_none(old, new):
    assert lines(with_(old, new)) == []


def test_a_relative_url_stands_below_the_base_of_the_defaults():
    text = with_("https://api.example.com/v1/items", "/v1/items")
    text = with_("read:", "defaults: {baseUrl: https://api.example.com}\nread:", text)
    assert lines(text) == []


def test_a_fault_of_a_model_hides_no_fault_of_the_whole():
    text = with_("displayName: Shop", "displayName: 5")
    text = with_("primary: items", "primary: other", text)
    assert lines(text) == [
        "displayName: must be text; quote it",
        'read.primary: "other" is not an endpoint; use one of items',
    ]


def test_a_fault_of_a_model_is_not_told_twice():
    assert len(lines(with_("q: all", 'q: "{{ a b }} {{item.x}}"'))) == 1


def test_the_caret_of_a_template_name_is_at_the_name():
    [fault] = faults(with_("q: all", 'q: "all of {{ item.x }}"'))
    assert (fault.line, fault.column) == (13, 21)


def test_every_spec_of_the_repository_is_without_fault(pytestconfig):
    for path in sorted((pytestconfig.rootpath / "specs").glob("*.yaml")):
        assert parse_connector(path.read_bytes(), source=str(path)).streams
