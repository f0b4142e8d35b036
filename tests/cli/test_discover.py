"""`connector-assets discover`: streams that the API lists, locked beside the spec."""

from __future__ import annotations

import json

import pytest

from tests.loopback import serving

BASE = """
kind: connector
version: "1.0"
id: base
displayName: Base
endpoints:
  - {id: tables, url: "{{base_url}}/tables", responseRowsPath: tables, pagination: {type: cursor, cursorField: next, maxPages: 9}}
  - {id: records, url: "{{base_url}}/records/{{table}}", responseRowsPath: rows}
read:
  dynamic:
    - from: tables
      name: "{{record.name}}"
      only: "{{not record.hidden | default(false)}}"
      endpoint: records
      primaryKey: [id]
      vars: {table: "{{record.id}}"}
"""
TABLES = [
    {"id": "t1", "name": "Leads (EU)"},
    {"id": "t2", "name": "orders"},
    {"id": "t3", "name": "Orders"},
    {"id": "t4", "name": "secret plans", "hidden": True},
]


@pytest.fixture
def tables():
    return list(TABLES)


@pytest.fixture
def base(project, tables, monkeypatch):
    def answer(request):
        if request.path == "/tables":
            half = len(tables) // 2
            if "cursor" in request.query:
                return {"tables": tables[half:]}
            return {"tables": tables[:half], "next": "2"}
        table = request.path.rpartition("/")[2]
        return {"rows": [{"id": n, "table": table} for n in range(3)]}

    (project / "specs").mkdir()
    (project / "specs" / "base.yaml").write_text(BASE)
    with serving(answer) as api:
        monkeypatch.setenv("BASE__BASE_URL", api.origin)
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        yield api


@pytest.fixture
def lock(project):
    return project / "specs" / "base.lock.yaml"


def names(cli):
    [one] = json.loads(cli("list", "--json").out)
    return one["streams"]


def test_streams_are_locked_named_cleanly_and_once(cli, base, lock):
    done = cli("discover", "base")
    assert done.code == 0
    assert done.err == f"{lock.relative_to(lock.parents[1])}: 3 streams of base\n"
    found = names(cli)
    assert found[0] == "Leads_EU"
    assert sorted(one.lower()[:6] for one in found[1:]) == ["orders", "orders"]
    assert len({one.lower() for one in found}) == 3
    assert "secret" not in lock.read_text()


def test_a_discovered_stream_is_read_and_loaded_without_another_discovery(cli, base, lock):
    cli("discover", "base")
    asked = len(base.seen)
    done = cli("read", "base", "Leads_EU", "--format", "jsonl")
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"id": n, "table": "t1"} for n in range(3)
    ]
    assert cli("load", "base").code == 0
    assert "/tables" not in {one.path for one in base.seen[asked:]}


def test_discovering_twice_changes_nothing(cli, base, lock):
    cli("discover", "base")
    first = lock.read_text()
    done = cli("discover", "base")
    assert (done.code, done.out) == (0, "")
    assert lock.read_text() == first
    assert cli("discover", "base", "--check").code == 0


def test_check_shows_what_came_and_went_and_fails(cli, base, lock, tables):
    cli("discover", "base")
    first = lock.read_text()
    del tables[0]
    tables.append({"id": "t9", "name": "deals"})
    done = cli("discover", "base", "--check")
    assert done.code == 1
    assert done.out == (
        '- {"name": "Leads_EU", "from": "tables", "vars": {"table": "t1"}}\n'
        '+ {"name": "deals", "from": "tables", "vars": {"table": "t9"}}\n'
    )
    assert lock.read_text() == first


def test_a_new_table_called_alike_renames_no_other(cli, base, lock, tables):
    cli("discover", "base")
    before = set(names(cli))
    tables.insert(0, {"id": "t0", "name": "ORDERS"})
    cli("discover", "base")
    assert before < set(names(cli))


def test_without_a_lock_the_connector_loads_and_says_what_to_do(cli, base):
    assert names(cli) == []
    for command in (("read", "base"), ("read", "base", "orders"), ("check", "base")):
        done = cli(*command)
        assert done.code == 1
        assert done.err == (
            "base: its streams are not discovered yet; run connector-assets discover specs/base.yaml\n"
        )


def test_a_lock_that_is_no_lock_breaks_its_spec_and_no_other(cli, base, lock, project):
    lock.write_text(
        "kind: lock\nversion: '1.0'\nconnections: {base: [{name: a b, from: tables}]}\n"
    )
    (project / "specs" / "b.yaml").write_text(BASE.replace("id: base", "id: b"))
    done = cli("list", "--json")
    assert "b" in [one["id"] for one in json.loads(done.out)]
    assert "connections.base.0.name" in cli("read", "specs/base.yaml", "a").err


def test_a_value_that_looks_like_a_template_is_refused(cli, base, lock, tables):
    tables[0] = {"id": "{{secrets.token}}", "name": "x"}
    done = cli("discover", "base")
    assert done.code == 1
    assert "vars.table holds" in done.err
    assert not lock.exists()


def test_a_connection_has_streams_of_its_own(cli, base, lock, project, monkeypatch):
    (project / "connections").mkdir()
    mine = 'kind: connection\nversion: "1.0"\nid: mine\nconnector: base\nstreams: [orders]\n'
    (project / "connections" / "mine.yaml").write_text(mine)
    monkeypatch.setenv("MINE__BASE_URL", base.origin)
    assert names(cli) == []
    assert cli("discover", "mine").code == 0
    assert "  mine:\n" in lock.read_text()
    assert names(cli) == ["orders"]


def test_a_connector_without_dynamic_streams_says_so(cli, project):
    (project / "s.yaml").write_text(BASE[: BASE.index("read:")] + "read: {primary: tables}\n")
    done = cli("discover", "s.yaml")
    assert (done.code, done.err) == (1, "base: lists no streams; add read.dynamic to its spec\n")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("from: tables", "from: tabels", 'read.dynamic.0.from: "tabels" is not an endpoint'),
        ("      endpoint: records\n", "", "read.dynamic.0.endpoint: is required"),
        ("{{record.id}}", "{{item.id}}", "read.dynamic.0.vars.table: nothing gives"),
        ("{{record.id}}", "{{secrets.id}}", 'read.dynamic.0.vars.table: "secrets.id" must not'),
    ],
)
def test_faults_have_their_place(cli, project, old, new, fault):
    (project / "s.yaml").write_text(BASE.replace(old, new))
    assert fault in cli("validate", "s.yaml").err
