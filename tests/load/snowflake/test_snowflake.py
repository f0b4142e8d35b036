"""Snowflake: the contract of all destinations, on an emulator from a package.

What the emulator cannot show is skipped by name. What a real account does beyond it is asserted of
the statements that it is sent.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.destination import Destination
from connector_assets.load.order import Order
from connector_assets.load.snowflake.destination import SnowflakeDestination
from connector_assets.load.table import Cursor, Table, Wanted
from tests.load.contract import KEYED, TABLE, DestinationContract, Store
from tests.snowflake import ENVIRONMENT, PROOF, Emulator, serving_snowflake

pytestmark = pytest.mark.third_party
_DDL = re.compile(r"(create|alter|drop|truncate|comment|use|grant)\b", re.IGNORECASE)
_DIGITS = "the emulator makes doubles of the numbers in a VARIANT, which Snowflake does not"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with serving_snowflake(tmp_path_factory.mktemp("snowflake")) as found:
        yield found


class TestSnowflake(DestinationContract):
    @pytest.fixture
    def destination(self, server: Emulator) -> Destination:
        return SnowflakeDestination(server.url(server.database()), proof=PROOF)

    def test_decimals_inside_a_declared_type_are_exact(self) -> None:  # type: ignore[override]
        pytest.skip(_DIGITS)

    def test_keys_beyond_the_first_go_into_one_column_where_that_is_asked_for(self) -> None:  # type: ignore[override]
        pytest.skip(_DIGITS)


@pytest.fixture
def database(server: Emulator) -> str:
    return server.database()


@pytest.fixture
def store(server: Emulator, database: str, tmp_path: Path) -> Store:
    return Store(SnowflakeDestination(server.url(database), proof=PROOF), tmp_path / "staged")


def transactions(statements: list[str]) -> list[list[str]]:
    """What stood between each BEGIN and its COMMIT."""
    found: list[list[str]] = []
    inside: list[str] | None = None
    for statement in statements:
        if statement == "begin":
            inside = []
        elif statement == "commit":
            assert inside is not None
            found.append(inside)
            inside = None
        elif inside is not None:
            inside.append(statement)
    return found


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
def test_rows_and_position_are_one_transaction_without_ddl(
    server: Emulator, store: Store, mode: Any
) -> None:
    wanted = Wanted("Who there is", {"id": "its key"}, required=("v",))
    table = Table("crm", "people", ("id",), wanted=wanted, schema_policy="quarantine")
    store.load({"id": 1, "v": 1}, table=table, mode=mode, cursor=Cursor(1))
    server.forget()
    rows = {"id": 1, "v": 2}, {"id": 2, "v": None}
    assert store.load(*rows, table=table, mode=mode, cursor=Cursor(2, 1)).rejected == 1
    (inside,) = transactions(server.noted())
    assert not [one for one in inside if _DDL.match(one)]
    assert server.noted("committed") == []
    # The lock of the table comes first; the position is written between the same two.
    assert inside[0].startswith('update "_CONNECTOR_ASSETS"."TABLES" set updated_at')
    assert any(one.startswith('insert into "_CONNECTOR_ASSETS"."STATE"') for one in inside)
    assert any('"CRM"."PEOPLE__REJECTED"' in one for one in inside)


def test_rows_come_by_a_stage_and_every_type_is_said(server: Emulator, store: Store) -> None:
    types = {
        "d": "decimal(38,4)", "t": "timestamp", "z": "timestamptz", "day": "date", "b": "blob",
        "n": "timestamp_ns", "c": "time", "f": "double", "ok": "boolean", "i": "bigint", "h": "hugeint",
    }  # fmt: skip
    table = Table("crm", "people", columns=types)
    server.forget()
    store.load({"d": "1.5", "i": 1, "v": {"a": 1}, "s": "x", "select": 1, "a b": 2}, table=table)
    said = server.noted()
    (put,) = [one for one in said if one.startswith("put")]
    assert re.fullmatch(
        r"put 'file:///\S+/rows' @\"CA_\w+\" auto_compress = false overwrite = true", put
    )
    (copy,) = [one for one in said if one.startswith("copy")]
    assert copy.endswith("file_format = (type = parquet null_if = ()) on_error = abort_statement")
    for part in (
        "::VARCHAR::NUMBER(38,4)", "::VARCHAR::TIMESTAMP_NTZ", "::VARCHAR::TIMESTAMP_TZ",
        "::VARCHAR::DATE", "to_binary($1:", "::VARCHAR::TIME,", "::FLOAT", "::BOOLEAN",
        "::VARCHAR::NUMBER(19,0)", "::VARCHAR::NUMBER(38,0)", "parse_json($1:",
    ):  # fmt: skip
        assert part in copy, part
    (made,) = [one for one in said if one.startswith('create table if not exists "CRM"."PEOPLE"')]
    for part in ('"D" NUMBER(38,4)', '"Z" TIMESTAMP_TZ', '"V" VARIANT', '"SELECT" NUMBER', '"a b"'):
        assert part in made, part
    temporary = [one for one in said if one.startswith("create temporary")]
    assert [one.split()[2] for one in temporary] == ["table", "stage"]


def test_a_type_that_somebody_chose_stays_and_values_must_fit_it(
    server: Emulator, database: str, store: Store
) -> None:
    server.run(
        database,
        'create schema "CRM"',
        'create table "CRM"."PEOPLE" ("ID" number(5,0), "NAME" varchar(3), "PRICE" number(6,2), '
        "\"NOTE\" varchar default 'x')",
    )
    before = store.destination.describe(TABLE)
    store.load({"id": 1, "name": "abc", "price": 1.5}, mode="append")
    for row in ({"id": 10**6}, {"name": "abcd"}, {"price": 1.555}, {"price": "x"}):
        with pytest.raises(RowsError, match=r"row 1: column .* has a value that is not exactly a"):
            store.load(row, mode="append")
    aside = Table("crm", "people", schema_policy="quarantine")
    rows = {"id": 2, "name": "abcd"}, {"id": 3, "name": "é" * 3}
    assert store.load(*rows, table=aside, mode="append").rejected == 1
    assert store.destination.describe(TABLE) == before
    assert store.rows("id", "name", "note") == [[1, "abc", "x"], [3, "ééé", "x"]]


def test_a_number_that_a_variant_cannot_hold_is_refused_or_set_aside(store: Store) -> None:
    rows = '{"v": [1]}', '{"v": {"a": [%s]}}' % ("9" * 40), '{"v": {"t": "%s"}}' % ("9" * 40)
    with pytest.raises(RowsError, match='row 2: column "v" has a value that is not exactly a var'):
        store.load(*rows)
    aside = Table("crm", "people", schema_policy="quarantine")
    assert store.load(*rows, table=aside).rejected == 1
    assert len(store.values("v", aside)) == 2


def test_what_is_remembered_is_readable(server: Emulator, database: str, store: Store) -> None:
    store.load({"id": 1}, table=KEYED, mode="merge", cursor=Cursor({"at": 1}))
    sql = "select schema_name, table_name, primary_key, mode from _connector_assets.tables"
    assert server.run(database, sql) == [("crm", "people", '["id"]', "merge")]
    found = server.run(database, "select cursor from _connector_assets.state")
    assert found == [('{"at": 1}',)]


@pytest.mark.parametrize(
    ("password", "more", "words"),
    [
        ("s3cret-wrong", "", "the login failed: .*Incorrect username or password.*check user and"),
        ("good-password", "&role=NOBODY", "the login failed: .*Role 'NOBODY'.*grant the role"),
    ],
)
def test_a_login_that_fails_says_what_is_wrong_and_no_secret(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, password: str, more: str, words: str
) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", password)
    destination = SnowflakeDestination(server.url("DB1", more))
    with pytest.raises(LoadError, match=words) as failed:
        destination.count(TABLE)
    assert password not in repr(failed.value) + str(failed.value) + repr(destination)
    assert failed.value.__cause__ is None


_LOADER = """
import os, signal, sys
from pathlib import Path
from connector_assets.load.order import Order
from connector_assets.load.snowflake.destination import SnowflakeDestination
from connector_assets.load.table import Cursor, Segment, Table
from connector_assets.snowflake.session import Session

at, path = sys.argv[1], Path(sys.argv[2])
run = Session.run
def counted(self, sql, *values):
    if at in sql:
        os.kill(os.getpid(), signal.SIGKILL)
    return run(self, sql, *values)
Session.run = counted
segment = Segment(path, 2, path.stat().st_size, "ndjson", "load-2")
order = Order(Table("crm", "people", ("id",)), "merge", [segment], Cursor(2, 1))
print(SnowflakeDestination(sys.argv[3]).load(order).rows)
"""


@pytest.mark.parametrize(
    "at",
    ["create temporary table", "put ", "copy into", "alter table", "begin", 'merge into "CRM"',
     'insert into "_CONNECTOR_ASSETS"."LOADS"', "commit"],
)  # fmt: skip
def test_a_load_that_is_killed_leaves_the_table_and_the_next_one_does_it_once(
    server: Emulator, database: str, store: Store, tmp_path: Path, at: str
) -> None:
    store.load({"id": 1, "v": 1}, table=KEYED, mode="merge", cursor=Cursor(1), load_id="load-1")
    path = tmp_path / "rows.ndjson"
    path.write_text('{"id": 1, "v": 2, "new": 1}\n{"id": 2, "v": 2}\n')
    environment = {**os.environ, **ENVIRONMENT}

    def load(at: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            _LOADER,
            at,
            str(path),
            server.url(database),
        ]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    assert load(at).returncode == -signal.SIGKILL
    assert store.rows("id", "v", table=KEYED) == [[1, 1]]
    assert store.destination.read_cursor(KEYED) == 1
    for _ in range(2):  # the second finds that it has been done
        done = load("nothing")
        assert done.stdout.strip() == "2", done.stderr
    assert sorted(store.rows("id", "v", table=KEYED)) == [[1, 2], [2, 2]]
    assert store.destination.read_cursor(KEYED) == 2


def test_another_run_that_moved_the_position_is_noticed_in_the_transaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look before and the transaction: the second look is under the lock."""
    from connector_assets.load.snowflake import destination as module

    store.load({"id": 1}, mode="append", cursor=Cursor(1))
    looked = module._require_turn
    monkeypatch.setattr(
        module,
        "_require_turn",
        lambda order, state: looked(order, state) if state.locked else None,
    )
    with pytest.raises(LoadError, match="position moved"):
        store.destination.load(Order(TABLE, "append", store.segments({"id": 2}), Cursor(3, 2)))
    assert store.values("id") == [1]
