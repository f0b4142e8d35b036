"""A lock file says what was found, whatever it was, or is not written; one bad row stays alone."""

from __future__ import annotations

import pytest

from connector_assets.errors import SpecError
from connector_assets.legible import legible
from connector_assets.project.discovery import _unwritable
from connector_assets.spec.dynamic import (
    Locked,
    discovered,
    locked,
    read_lock,
    still_locked,
    write_lock,
)
from tests.loopback import serving

CHARACTERS = [
    *map(chr, range(1, 0x20)),
    *map(chr, range(0x7F, 0xA1)),
    *"\u061c\u200e\u200f\u2028\u2029\u202e\u2066\ufeff\ufffd\ufffe\uffff\U0001f600\U0001fffe\U0010ffff",
    *"'\"\\/#:{}[]&*!|>%@`~?-, é漢",
]


def row(value, name="A"):
    return Locked.model_validate({"name": name, "from": "tables", "vars": {"table": value}})


@pytest.mark.parametrize("one", CHARACTERS, ids=lambda one: f"U+{ord(one):04X}")
def test_every_character_comes_back(tmp_path, one):
    path = tmp_path / "a.lock.yaml"
    rows = [row(f"x{one}y"), row(one, "B"), row(f"{one} {one}", "C")]
    write_lock(path, "crm", rows)
    assert list(discovered(path, "crm")) == rows
    assert legible(path.read_text()) == path.read_text()


@pytest.mark.parametrize(
    "value",
    ["1", "1.10", "null", "~", "true", "", " ", "<<", 0, -1, 10**30, 0.1, 1e300, True, None],
)
def test_every_kind_of_value_comes_back(tmp_path, value):
    path = tmp_path / "a.lock.yaml"
    write_lock(path, "crm", [row(value)])
    assert discovered(path, "crm")[0].vars["table"] == value
    assert type(discovered(path, "crm")[0].vars["table"]) is type(value)


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x" * 10_001, float("inf"), 10**1001])
def test_what_would_not_come_back_is_refused(tmp_path, value):
    assert _unwritable(value)
    path = tmp_path / "a.lock.yaml"
    write_lock(path, "crm", [row("kept")])
    before = path.read_text()
    if not isinstance(value, str) or len(value) < 10:
        with pytest.raises((SpecError, ValueError)):
            write_lock(path, "crm", [row(value)])
    assert path.read_text() == before


def test_a_file_too_large_to_be_read_is_not_written(tmp_path):
    path = tmp_path / "a.lock.yaml"
    with pytest.raises(SpecError, match="larger than 1 MiB"):
        write_lock(path, "crm", [row("x" * 9_000, f"S{n}") for n in range(200)])
    assert not path.exists()


BAD = [
    '    - {"name": "Bad", "from": "tables", "vars": {"table": "x\x7fy"}}',
    '    - {"name": "Bad", "from": "tables", "vars": {"table": "x\\u0000y"}}',
    '    - {"name": "b a d", "from": "tables", "vars": {}}',
    '    - {"name": "Bad", "from": "tables", "vars": {"table": [1]}}',
    '    - {"name": "Bad", "from": "tables"',
    "    - nothing of ours",
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_takes_no_other_connection_s_streams(tmp_path, bad):
    path = tmp_path / "a.lock.yaml"
    write_lock(path, "crm", [row("1")])
    write_lock(path, "shop", [row("2")])
    path.write_text(path.read_text().replace("  shop:\n", f"  shop:\n{bad}\n"))
    with pytest.raises(SpecError):
        read_lock(path)
    assert list(discovered(path, "crm")) == [row("1")]
    assert locked(path, "other") is None
    assert row("2") in still_locked(path, "shop")
    if "\x7f" not in bad:
        with pytest.raises(SpecError):
            discovered(path, "shop")
    write_lock(path, "shop", [row("3")])
    assert read_lock(path).connections == {"crm": (row("1"),), "shop": (row("3"),)}


DYNAMIC = """
kind: connector
version: "1.0"
id: dy
displayName: Dy
endpoints:
  - {{id: tables, url: "{url}/tables"}}
  - {{id: rows, url: "{url}/rows/{{{{table}}}}"}}
read: {{dynamic: [{{from: tables, endpoint: rows, vars: {{table: "{{{{record.id}}}}"}}}}]}}
"""


def test_a_bad_row_of_yesterday_does_not_stand_in_the_way_of_today_s(tmp_path, monkeypatch, capsys):
    from connector_assets.cli.app import run

    monkeypatch.chdir(tmp_path)
    with serving(lambda asked: [{"id": 1, "name": "A"}]) as api:
        (tmp_path / "specs").mkdir()
        (tmp_path / "specs" / "dy.yaml").write_text(DYNAMIC.format(url=api.origin))
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        for bad in BAD:
            lock = tmp_path / "specs" / "dy.lock.yaml"
            lock.write_text(f'kind: lock\nversion: "1.0"\nconnections:\n  dy:\n{bad}\n')
            assert run(["discover", "dy"]) == 0, capsys.readouterr().err
            assert [one.name for one in discovered(lock, "dy")] == ["A"]


def test_an_endless_list_of_streams_is_not_kept_in_memory(tmp_path, monkeypatch, capsys):
    from connector_assets.cli.app import run

    monkeypatch.chdir(tmp_path)
    pages = []

    def answer(asked):
        pages.append(1)
        return {
            "rows": [{"id": f"{len(pages)}-{n}", "name": f"n{n}"} for n in range(1000)],
            "next": "/tables?" + str(len(pages)),
        }

    with serving(answer) as api:
        spec = DYNAMIC.format(url=api.origin).replace(
            '/tables"}',
            '/tables", responseRowsPath: rows, pagination: {type: next_url, urlField: next}}',
        )
        (tmp_path / "specs").mkdir()
        (tmp_path / "specs" / "dy.yaml").write_text(spec)
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        assert run(["discover", "dy"]) == 1
    assert "more than 5,000 streams are listed" in capsys.readouterr().err
    assert len(pages) <= 8
