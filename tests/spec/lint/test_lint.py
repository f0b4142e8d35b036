"""Each lint rule with a spec it finds and one it does not, and how findings are placed and allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.spec.document import read_connector
from connector_assets.spec.lint.lint import RULES, at_or_above, lint

ROOT = Path(__file__).parents[3]

CLEAN = """\
kind: connector
version: "1.0"
id: shop
displayName: Shop
description: Items of a shop.
docsUrl: https://docs.example.com/api
config: {region: {default: eu}}
secrets: {token: {description: API token}}
auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]
rateLimit: {requestsPerSecond: 10}
endpoints:
  - id: items
    url: https://api.example.com/v1/items
    params: {region: "{{region}}", kind: "{{kind}}"}
    headers: {X-Api-Key: plain}
    pagination: {type: cursor, cursorField: next, maxPages: unlimited}
    errors: [{status: 404, action: ignore}]
read:
  streams:
    - {name: items, primaryKey: [id], vars: {kind: all}}
"""

LOGIN = (
    'auth: [{{type: session, login: {{url: "https://api.example.com/login", {body}}}, tokenPath: t, '
    "in: header, name: X-T}}]"
)
LOGINS = [
    ("body: {json: {user: a, password: hunter2, k: '{{secrets.token}}'}}",
     "body: {json: {user: a, password: '{{secrets.token}}'}}", "body.json.password"),
    ("body: {form: {user: a, passwd: 1234, k: '{{secrets.token}}'}}",
     "body: {form: {user: a, passwd: '{{secrets.token}}'}}", "body.form.passwd"),
    ("body: {text: 'user=a&password=hunter2&k={{secrets.token}}'}",
     "body: {text: 'user=a&password={{secrets.token}}'}", "body.text"),
    ("params: {pwd: hunter2, k: '{{secrets.token}}'}", "params: {pwd: '{{secrets.token}}'}",
     "params.pwd"),
    ("headers: {X-Api-Key: 9f8e7d6c5b4a39281706, K: '{{secrets.token}}'}",
     "headers: {X-Api-Key: '{{secrets.token}}'}", "headers.X-Api-Key"),
]  # fmt: skip

OAUTH = (
    "{type: oauth2, grant: client_credentials, tokenUrl: 'https://a.b/t', clientIdRef: "
    "'{{secrets.token}}', clientSecretRef: '{{secrets.token}}', extraParams: {password: hunter2}}"
)

# rule, what to replace, with what: bad; with what: good, None for the clean spec; path of the finding
CASES = [
    ("page-cap", ", maxPages: unlimited", "", ", maxPages: 500", "endpoints.0.pagination"),
    ("truncating-cap", "unlimited", "9, onMaxPages: truncate", "9, onMaxPages: fail",
     "endpoints.0.pagination.onMaxPages"),
    ("no-stop-rule", "type: cursor, cursorField: next", "type: offset",
     "type: offset, pageSize: 100", "endpoints.0.pagination"),
    ("no-stop-rule", "type: cursor, cursorField: next", "type: page",
     "type: page, totalPagesField: pages", "endpoints.0.pagination"),
    ("no-stop-rule", "cursorField: next", "lastRecordField: id",
     "lastRecordField: id, hasMoreField: more", "endpoints.0.pagination.lastRecordField"),
    ("page-size-above-maximum", "next, maxPages: unlimited}",
     "next, pageSize: 500, maxPages: unlimited}\n    description: At most 250 per page.",
     "next, pageSize: 250, maxPages: unlimited}\n    description: At most 250 per page.",
     "endpoints.0.pagination.pageSize"),
    ("append-without-key", "primaryKey: [id]", "writeMode: append",
     "writeMode: append, primaryKey: [id]", "read.streams.0.writeMode"),
    ("no-primary-key", "primaryKey: [id], ", "", None, "read.streams.0"),
    ("no-lookback", "primaryKey: [id]",
     "primaryKey: [id], incremental: {cursorField: at, startParam: since, format: iso}",
     "primaryKey: [id], incremental: {cursorField: at, startParam: since, format: iso, lookback: PT1H}",
     "read.streams.0.incremental"),
    ("no-lookback", "primaryKey: [id]",
     "primaryKey: [id], incremental: {cursorField: at, startParam: since, format: epoch}",
     "primaryKey: [id], incremental: {cursorField: number, startParam: since}",
     "read.streams.0.incremental"),
    ("unused-endpoint", "read:\n",
     "  - {id: orders, url: 'https://api.example.com/orders'}\nread:\n", None, "endpoints.1.id"),
    ("unused-config", "{region: {default: eu}}", "{region: {default: eu}, zone: {default: a}}",
     None, "config.zone"),
    ("unused-config", '"{{region}}"', "eu", '"{{config.region}}"', "config.region"),
    ("unused-secret", "{description: API token}", "{description: API token}, other: {}", None,
     "secrets.other"),
    ("unused-variable", "vars: {kind: all}", "vars: {kind: all, kin: all}", None,
     "read.streams.0.vars.kin"),
    ("unused-let", "vars: {kind: all}", "vars: {kind: all}, let: {a: 1}",
     "vars: {kind: '{{a}}'}, let: {a: 1}", "read.streams.0.let.a"),
    ("unread-item", "vars: {kind: all}", "forEach: [{values: [a, b], as: kind}, {values: [c], as: x}]",
     "forEach: [{values: [a, b], as: kind}]", "read.streams.0.forEach.1"),
    ("unread-item", "vars: {kind: all}", "forEach: [{values: [a, b], as: x, batch: 2}]",
     "forEach: [{values: [a, b], as: x, batch: 2}], let: {kind: '{{item.values | join}}'}",
     "read.streams.0.forEach.0"),
    ("unread-position", "primaryKey: [id]", "primaryKey: [id], incremental: {cursorField: at}",
     "primaryKey: [id], incremental: {cursorField: at, clientFilter: true}",
     "read.streams.0.incremental"),
    ("undeclared-config", "{{region}}", "{{regoin}}", None, "endpoints.0.params"),
    ("secret-in-query", 'type: bearer, tokenRef: "{{secrets.token}}"',
     'type: api_key, name: key, in: query, valueRef: "{{secrets.token}}"',
     'type: api_key, name: key, in: header, valueRef: "{{secrets.token}}"', "auth.0.in"),
    ("secret-in-query", 'region: "{{region}}"', 'region: "{{region}}", key: "{{secrets.token}}"',
     None, "endpoints.0.params.key"),
    ("literal-secret", "X-Api-Key: plain", "X-Api-Key: 9f8e7d6c5b4a39281706", None,
     "endpoints.0.headers.X-Api-Key"),
    ("literal-secret", "X-Api-Key: plain", "Authorization: Bearer abcdefgh1", None,
     "endpoints.0.headers.Authorization"),
    *[
        ("literal-secret", 'auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]',
         LOGIN.format(body=bad), LOGIN.format(body=good), f"auth.0.login.{path}")
        for bad, good, path in LOGINS
    ],
    ("literal-secret", "    headers: {X-Api-Key: plain}",
     "    method: POST\n    body: {json: {a: [{userPassword: abc}]}}",
     "    method: POST\n    body: {json: {a: [{passwordHint: abc, password: '{{secrets.token}}'}]}}",
     "endpoints.0.body.json.a.0.userPassword"),
    ("literal-secret", '{type: bearer, tokenRef: "{{secrets.token}}"}',
     OAUTH, None,
     "auth.0.extraParams.password"),
    ("plain-http", "https://api.", "http://api.", None, "endpoints.0.url"),
    ("plain-http", "https://api.example.com", "http://8.8.8.8", "http://10.0.0.8:80",
     "endpoints.0.url"),
    ("plain-http", "read:\n", "origins: ['http://files.example.com']\nread:\n",
     "origins: ['http://localhost:8080']\nread:\n", "origins.0"),
    ("no-rate-limit", "rateLimit: {requestsPerSecond: 10}\n", "",
     "defaults: {rateLimit: {requestsPerSecond: 10}}\n", "endpoints.0"),
    ("broad-ignore", "status: 404", "status: 4xx", "status: [404, 410]", "endpoints.0.errors.0"),
    ("broad-ignore", "status: 404", "status: [404, 403]", "status: 403, contains: no orders",
     "endpoints.0.errors.0"),
    ("broad-ignore", "status: 404, action: ignore", "status: 503, action: end",
     "status: 503, action: retry", "endpoints.0.errors.0"),
    ("shadowed-error-rule", "action: ignore}", "action: ignore}, {status: 404, action: end}",
     "action: ignore}, {status: 410, action: end}", "endpoints.0.errors.1"),
    ("shadowed-error-rule", "status: 404, action: ignore",
     "status: 4xx, action: fail}, {status: [404, 410], contains: gone, action: ignore",
     "status: [404, 410], contains: gone, action: ignore}, {status: 4xx, action: fail",
     "endpoints.0.errors.1"),
    ("shadowed-error-rule", "status: 404, action: ignore",
     "contains: gone, action: ignore}, {status: 404, contains: long gone, action: fail",
     "contains: long gone, action: ignore}, {status: 404, contains: gone, action: fail",
     "endpoints.0.errors.1"),
    ("writing-method", "    params: {region", "    method: DELETE\n    params: {region",
     "    method: POST\n    params: {region", "endpoints.0.method"),
    ("statement-in-template", '"{{kind}}"', '"{% if a %}{{kind}}{% endif %}"', None,
     "endpoints.0.params.kind"),
    ("unquoted-text", "kind: all", "kind: no", "kind: 'no'", "read.streams.0.vars.kind"),
    ("unquoted-text", "kind: all", "kind: 2024-01-01", "kind: January", "read.streams.0.vars.kind"),
    ("unquoted-text", "kind: all", "kind: 0x1f", 'kind: "0x1f"', "read.streams.0.vars.kind"),
    ("no-docs-url", "docsUrl: https://docs.example.com/api\n", "", None, "id"),
    ("no-description", "description: Items of a shop.\n", "", None, "id"),
]  # fmt: skip


def found(text):
    return lint(read_connector(text))


def changed(old, new):
    assert CLEAN.count(old) == 1, old
    return CLEAN.replace(old, new)


@pytest.mark.parametrize(("rule", "old", "bad", "good", "path"), CASES)
def test_a_rule_finds_the_bad_and_leaves_the_good(rule, old, bad, good, path):
    findings = [one for one in found(changed(old, bad)) if one.rule == rule]
    assert [one.path for one in findings] == [path]
    assert findings[0].message
    assert findings[0].fix
    others = found(CLEAN if good is None else changed(old, good))
    assert rule not in {one.rule for one in others}


def test_a_name_that_for_each_binds_is_declared():
    bound = changed("vars: {kind: all}", "forEach: [{values: [a, b], as: kind}]")
    assert "undeclared-config" not in {one.rule for one in found(bound)}
    parent = bound.replace("{values: [a, b], as: kind}", "{parent: {stream: kinds, field: kind}}")
    parent += "    - {name: kinds, endpoint: items, primaryKey: [id], vars: {kind: all}}\n"
    assert "undeclared-config" not in {one.rule for one in found(parent)}


def test_a_missing_lookback_is_said_once_a_connector():
    stream = "    - {{name: {}, endpoint: items, primaryKey: [id], vars: {{kind: a}}, incremental: {{cursorField: at, startParam: s, format: iso}}}}\n"
    text = CLEAN + "".join(map(stream.format, "abc"))
    assert [one.rule for one in found(text)] == ["no-lookback"]
    assert found(text)[0].path == "read.streams.1.incremental"


def test_the_clean_spec_is_clean():
    assert found(CLEAN) == []


def test_every_rule_has_a_case_and_says_what_it_finds():
    assert {case[0] for case in CASES} == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.about.split("\n")[0].endswith((".", ":")), rule.id


def test_a_finding_stands_at_its_line_and_column():
    [one] = found(changed("maxPages: unlimited", "maxPages: 9, onMaxPages: truncate"))
    line = CLEAN[: CLEAN.index("    pagination")].count("\n") + 1
    assert (one.line, one.column) == (line, 76)
    assert str(one.fault) == (
        "endpoints.0.pagination.onMaxPages: leaves out all rows after maxPages; "
        "remove it, and raise maxPages [warning: truncating-cap]"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("status: 404, action: ignore}]", "status: 4xx, action: ignore}] # lint: allow broad-ignore"),
        ("    errors: [{status: 404",
         "    # lint: allow page-cap, broad-ignore (nothing else says it)\n    errors: [{status: 4xx"),
    ],
)  # fmt: skip
def test_a_comment_allows_a_finding_on_its_line_or_below(old, new):
    assert found(changed(old, new)) == []


def test_a_comment_allows_only_what_it_names_and_only_there():
    assert found(
        changed(
            "status: 404, action: ignore}]", "status: 4xx, action: ignore}] # lint: allow page-cap"
        )
    )
    far = changed("status: 404", "status: 4xx").replace(
        "read:", "# lint: allow broad-ignore\nread:"
    )
    assert found(far)


def test_a_comment_before_the_first_key_allows_everywhere():
    text = "# lint: allow broad-ignore\n" + changed("status: 404", "status: 4xx")
    assert found(text) == []


def test_levels_are_in_order():
    findings = found(changed("docsUrl: https://docs.example.com/api\n", ""))
    assert at_or_above(findings, "info") == findings
    assert at_or_above(findings, "warning") == []


FOUNDING = {"no-description", "no-docs-url", "page-cap", "undeclared-config"}
"""Of the founding example, which stays letter for letter."""


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda one: one.stem)
def test_the_specs_of_this_project_are_clean(path):
    known = FOUNDING if path.stem == "salesforce_rest" else set()
    assert {one.rule for one in found(path.read_bytes())} == known
