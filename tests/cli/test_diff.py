"""`connector-assets diff`: what the change of a spec does."""

import json

import pytest

SPEC = """\
kind: connector
version: "1.0"
id: shop
displayName: Shop
rateLimit: {requestsPerSecond: 8}
config:
  region: {default: eu}
secrets: {token: {description: The token}}
auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]
defaults:
  baseUrl: "https://{{region}}.shop.example"
  headers: {X-Key: hunter2-literal}
  responseRowsPath: rows
  pagination: {type: cursor, cursorField: next, pageSizeParam: limit, pageSize: 100}
endpoints:
  - {id: list, url: "/{{stream}}"}
read:
  primary: list
  streams:
    - name: orders
      primaryKey: [id]
      columns: {total: bigint}
      incremental: {cursorField: updated, startParam: since, start: "2024-01-01", format: iso}
    - {name: items, primaryKey: [id]}
"""

ROWS = [
    # what is replaced, by what → stream, path, affects, level, words
    ("id: shop\n", "id: store\n", "", "id", "table", "breaking", "names tables"),
    ("PerSecond: 8", "PerSecond: 4", "", "rateLimit.requestsPerSecond", "cost", "info", "2 times"),
    ("{default: eu}", "{}", "", "config.region.default", "access", "breaking", "no default"),
    ("config:\n", "config:\n  shop: {}\n", "", "config.shop", "access", "breaking", "is new"),
    ("displayName: Shop", "displayName: S", "", "displayName", "prose", "info", "no row"),
    (
        "cursorField: updated",
        "cursorField: changed",
        "orders",
        "incremental.cursorField",
        "state",
        "breaking",
        "is kept and taken for",
    ),
    (
        'cursorField: updated, startParam: since, start: "2024-01-01", format: iso',
        "tokenField: sync",
        "orders",
        "incremental.tokenField",
        "state",
        "breaking",
        "something else",
    ),
    ("2024-01-01", "2023-01-01", "orders", "incremental.start", "state", "warning", "earlier"),
    ("[id]\n      col", "[no]\n      col", "orders", "primaryKey", "table", "breaking", "old key"),
    ("bigint", "text", "orders", "columns.total", "columns", "breaking", "type is another"),
    ("{total: bigint}", "{}", "orders", "columns.total", "columns", "warning", "inferred"),
    ("{name: items, ", "{name: items, writeMode: append, ", "items", "writeMode", "table", "warning", "stay"),
    ("items, primaryKey: [id]", "items, primaryKey: [no]", "items", "primaryKey", "rows", "warning", "replaces"),
    ("Size: 100", "Size: 50", "items", "endpoint.pagination.pageSize", "cost", "info", "2 times"),
    ("Path: rows", "Path: data", "items", "endpoint.responseRowsPath", "rows", "breaking", "place"),
    ("hunter2-literal", "hunter3-literal", "items", "endpoint.headers.X-Key", "rows", "warning", "other"),
    ("type: bearer", "type: api_key, name: k", "", "auth.0", "access", "warning", "credentials"),
    ("    - {name: items, primaryKey: [id]}\n", "", "items", "", "table", "breaking", "no longer"),
    ("streams:\n", "streams:\n    - {name: more}\n", "more", "", "table", "info", "is new"),
]  # fmt: skip


def files(project, before, after):
    old, new = project / "old.yaml", project / "new.yaml"
    old.write_text(before)
    new.write_text(after)
    return old, new


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[2]}.{row[3]}")
def test_a_change_is_named_with_what_it_does(cli, project, row):
    before, after, stream, path, affects, level, words = row
    assert before in SPEC
    text = SPEC.replace(before, after)
    if "api_key" in text:
        text = text.replace("tokenRef", "valueRef")
    old, new = files(project, SPEC, text)
    done = cli("diff", old, new, "--json")
    told = json.loads(done.out)
    found = [one for one in told["changes"] if (one["stream"], one["path"]) == (stream, path)]
    assert [(one["affects"], one["level"]) for one in found] == [(affects, level)]
    assert words in found[0]["says"]
    assert done.code == (1 if told["level"] == "breaking" else 0)
    assert "hunter" not in done.out
    plain = cli("diff", old, new)
    assert (plain.code, found[0]["says"] in plain.out) == (done.code, True)
    assert "hunter" not in plain.out


def test_the_same_twice_differs_in_nothing(cli, project):
    old, new = files(
        project, SPEC, "# a comment\n" + SPEC.replace('"2024', "'2024").replace('01"', "01'")
    )
    done = cli("diff", old, new, "--level", "info")
    assert (done.code, done.out) == (0, "nothing differs\n")


def test_streams_whose_rows_may_be_others_are_named(cli, project):
    old, new = files(project, SPEC, SPEC.replace("startParam: since", "startParam: from"))
    assert json.loads(cli("diff", old, new, "--json").out)["rows"] == ["orders"]
    assert "rows may be others: orders;" in cli("diff", old, new).out
    assert cli("diff", old, new, "--level", "warning").code == 1
    old, new = files(project, SPEC, SPEC.replace("PerSecond: 8", "PerSecond: 9"))
    assert cli("diff", old, new).out.endswith("no row changes\n")


@pytest.mark.parametrize("text", ["a: [", "kind: connection\n", "", "kind: connector\n"])
def test_what_is_no_spec_is_an_error(cli, project, text):
    old, new = files(project, SPEC, text)
    done = cli("diff", old, new)
    assert (done.code in (1, 2), done.out) == (True, "")
    assert "new.yaml" in done.err
    assert cli("diff", old, project / "none.yaml").code == 1


CONNECTION = """\
kind: connection
version: "1.0"
id: shop_eu
connector: shop
config: {region: hunter2-region}
destination: duckdb:///a.duckdb
keyPrefix: [raw]
streams:
  orders: {writeMode: append, schedule: "0 4 * * *"}
  items:
"""

CONNECTION_ROWS = [
    ("id: shop_eu", "id: shop_us", "", "id", "table", "breaking"),
    ("connector: shop", "connector: store", "", "connector", "rows", "breaking"),
    ("hunter2-region", "hunter2-other", "", "config.region", "rows", "warning"),
    ("a.duckdb", "b.duckdb", "", "destination", "table", "breaking"),
    ("[raw]", "[clean]", "", "keyPrefix", "asset", "breaking"),
    ("keyPrefix", "adopt: true\nkeyPrefix", "", "adopt", "table", "warning"),
    ("keyPrefix", "group: a\nkeyPrefix", "", "group", "asset", "info"),
    ("keyPrefix", "auth: bearer\nkeyPrefix", "", "auth", "access", "warning"),
    ("append", "merge", "orders", "writeMode", "table", "breaking"),
    ("0 4", "0 5", "orders", "schedule", "asset", "info"),
    ("  items:\n", "", "items", "streams", "table", "breaking"),
    ("  items:\n", "  items: {table: rows}\n", "items", "table", "table", "breaking"),
    ("  items:\n", "  items:\n  more:\n", "more", "streams", "table", "info"),
    ("  items:\n", "  items: {description: x}\n", "items", "description", "prose", "info"),
]  # fmt: skip


@pytest.mark.parametrize(
    "row", CONNECTION_ROWS, ids=[f"{one[3]}-{one[1].strip()}" for one in CONNECTION_ROWS]
)
def test_what_a_change_of_a_connection_does(cli, project, row):
    before, after, stream, path, affects, level = row
    assert before in CONNECTION
    (project / "old.yaml").write_text(CONNECTION)
    (project / "new.yaml").write_text(CONNECTION.replace(before, after))
    done = cli("diff", "old.yaml", "new.yaml", "--json")
    (change,) = json.loads(done.out)["changes"]
    assert (change["stream"], change["path"]) == (stream, path)
    assert (change["affects"], change["level"]) == (affects, level)
    assert done.code == (level == "breaking")
    assert "hunter2" not in done.out, "values of config may be secret"


def test_all_streams_or_named_ones_and_two_of_a_kind(cli, project):
    (project / "some.yaml").write_text(CONNECTION)
    (project / "all.yaml").write_text(CONNECTION.partition("streams:")[0])
    (project / "spec.yaml").write_text(SPEC)
    done = cli("diff", "all.yaml", "some.yaml")
    assert "streams: all streams that are not named are no longer loaded" in done.out
    done = cli("diff", "some.yaml", "all.yaml")
    assert "all streams that are not named are loaded from now on" in done.out
    assert cli("diff", "some.yaml", "some.yaml").out == "nothing differs\n"
    done = cli("diff", "some.yaml", "spec.yaml")
    assert (done.code, done.err.count("one is a spec and one a connection")) == (2, 1)
