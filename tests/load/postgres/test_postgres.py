"""PostgreSQL: the contract of all destinations, on a real server from a package."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from connector_assets.errors import Busy, ConfigError, LoadError
from connector_assets.load.destination import Destination
from connector_assets.load.order import Order
from connector_assets.load.postgres.destination import PostgresDestination
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import Cursor, Overflow, Table
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, MANY, TABLE, DestinationContract, Store, many_of
from tests.postgres import emptied, run, serving_postgres


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with serving_postgres() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """A database with nothing in it."""
    return emptied(server)


class TestPostgres(DestinationContract):
    # PostgreSQL has no NUL in texts.
    @pytest.fixture
    def destination(self, url: str) -> Destination:
        return PostgresDestination(url)


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    return Store(PostgresDestination(url), tmp_path / "staged")


def types(store: Store, table: Table = TABLE) -> dict[str, str]:
    return {column.name: column.type for column in store.destination.describe(table) or ()}


def test_columns_have_the_types_postgres_has_for_them(store: Store) -> None:
    table = Table("crm", "people", columns={"price": "decimal(12,2)", "tags": "varchar[]"})
    row = {
        "a": True, "b": 1, "c": 2**70, "d": 1.5, "e": "x", "f": {}, "g": "2024-01-01", "h": "2024-01-01T00:00:00",
        "i": "2024-01-01T00:00:00Z", "price": "1.10", "tags": ["x"],
    }  # fmt: skip
    store.load(row, table=table)
    assert types(store) == {
        "a": "boolean", "b": "bigint", "c": "numeric", "d": "double precision", "e": "text", "f": "jsonb", "g": "date",
        "h": "timestamp without time zone", "i": "timestamp with time zone", "price": "numeric(12,2)", "tags": "jsonb",
    }  # fmt: skip


def test_a_table_in_use_by_another_load_is_busy_and_says_whose(store: Store, url: str) -> None:
    clock = iter(range(0, 1000, 200))
    hasty = PostgresDestination(url, sleep=lambda _: None, monotonic=lambda: next(clock))
    busy: list[str] = []

    def meanwhile() -> None:
        with pytest.raises(Busy) as held:
            hasty.load(Order(TABLE, "append", store.segments({"id": 2})))
        busy.append(str(held.value))

    store.destination.load(
        Order(TABLE, "append", store.segments({"id": 1}), fence=meanwhile, run_id="r-7")
    )
    assert "held by connector-assets" in busy[0]
    assert "r-7" in busy[0]
    assert store.values("id") == [1]


def test_readers_see_the_old_rows_until_the_commit(store: Store, url: str) -> None:
    store.load({"id": 1})
    seen: list[Any] = []
    store.load({"id": 2}, fence=lambda: seen.extend(run(url, "select id from crm.people")))
    assert seen == [(1,)]
    assert store.values("id") == [2]


def test_a_column_changed_by_hand_is_taken_as_it_is(store: Store, url: str) -> None:
    store.load({"id": 1, "n": 1}, table=KEYED)
    run(url, "alter table crm.people alter n type integer; alter table crm.people add mine text")
    store.load({"id": 1, "n": 2}, table=KEYED, mode="merge")
    assert types(store)["n"] == "integer"
    with pytest.raises(LoadError, match='row 1: column "n"'):
        store.load({"id": 2, "n": 2**40}, table=KEYED, mode="merge")
    assert store.rows("id", "n", "mine") == [[1, 2, None]]


def test_too_many_columns_is_an_error_that_names_the_way(store: Store, url: str) -> None:
    store.load({"id": 1})
    for count, value, words in (
        (1700, 1, r"would have 1,701 columns, .* at most 1,600; set overflow: \{into: rest\}"),
        (1500, "a" * 40, r"row is too big.*; set overflow: \{into: rest\} in the stream"),
    ):
        row = {f"c{number}": value for number in range(count)}
        with pytest.raises(LoadError, match=words):
            store.load(row)
        assert store.columns() == ["id"]
        table = Table("crm", f"w{count}", overflow=Overflow("rest", 400))
        store.load(row, table=table)
        assert store.columns(table)[-2:] == ["c399", "rest"]
        assert run(url, f"select count(*) from crm.w{count}, jsonb_object_keys(rest)") == [
            (count - 400,)
        ]


def test_a_connection_that_is_cut_leaves_the_old_table(store: Store, url: str) -> None:
    store.load({"id": 1}, cursor=Cursor(1))

    def cut() -> None:
        run(
            url,
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'connector-assets%'",
        )

    with pytest.raises(LoadError):
        store.load({"id": 2}, cursor=Cursor(2, 1), fence=cut)
    assert store.values("id") == [1]
    assert store.load({"id": 2}, cursor=Cursor(2, 1)).rows == 1


def test_a_server_that_is_not_there_is_an_error_without_the_password(tmp_path: Path) -> None:
    destination = destination_from_url("postgresql://me:s3cret@127.0.0.1:1/db")
    assert destination.uri == "postgresql://127.0.0.1:1/db"
    assert "s3cret" not in repr(destination)
    with pytest.raises(LoadError) as failed:
        destination.read_cursor(TABLE)
    assert "s3cret" not in str(failed.value)
    assert "127.0.0.1" in str(failed.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:s3cret%zz@h/db", "postgresql://me:s3cret@[h/db", "postgresql://me:s3cret@h:x y/db?nope=1"],
)  # fmt: skip
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigError, match="not a PostgreSQL URL") as refused:
        destination_from_url(url)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


def test_the_uri_shows_what_the_environment_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PGHOST", "db.example"), ("PGPORT", "5433"), ("PGDATABASE", "a/b")):
        monkeypatch.setenv(name, value)
    assert destination_from_url("postgresql://").uri == "postgresql://db.example:5433/a%2Fb"
    assert destination_from_url("postgres://[::1]:1/x").uri == "postgresql://[::1]:1/x"
    socket = destination_from_url("postgresql://me@/x?host=/var/run")
    assert socket.uri == "postgresql://%2Fvar%2Frun:5433/x"


@pytest.fixture
def guarded(url: str) -> Iterator[str]:
    """The URL of a role that needs its password, `s3cret`, and may do nothing but make schemas."""
    (hba, before) = run(url, "select f, pg_read_file(f) from current_setting('hba_file') f")[0]
    file = Path(hba)
    file.write_text(f"local all sam scram-sha-256\n{before}")
    run(url, "drop role if exists sam; create role sam login password 's3cret'")
    run(url, "grant create on database postgres to sam; select pg_reload_conf()")
    yield url.replace("postgres:@", "sam@")
    file.write_text(before)
    run(url, "select pg_reload_conf()")
    run(url, "drop owned by sam cascade; drop role sam")


def test_a_password_comes_from_the_url_the_environment_or_a_file(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LoadError, match="password"):
        PostgresDestination(guarded).read_cursor(TABLE)
    with pytest.raises(LoadError) as failed:
        PostgresDestination(guarded.replace("sam@", "sam:wr0ng@")).read_cursor(TABLE)
    assert "wr0ng" not in f"{failed.value} {failed.value.__cause__}"
    given = PostgresDestination(guarded.replace("sam@", "sam:s3cret@"))
    loaded = Store(given, tmp_path / "a").load({"id": 1})
    assert "s3cret" not in repr((given, loaded))
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:sam:s3cret\n")
    passfile.chmod(0o600)
    assert PostgresDestination(f"{guarded}&passfile={passfile}").count(TABLE) == 1
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    assert PostgresDestination(guarded).count(TABLE) == 1


def test_a_role_that_may_make_nothing_new_loads_into_what_is_there(
    guarded: str, url: str, tmp_path: Path
) -> None:
    store = Store(PostgresDestination(guarded.replace("sam@", "sam:s3cret@")), tmp_path / "a")
    store.load({"id": 1}, table=KEYED, mode="merge")
    run(url, "revoke create on database postgres from sam")
    assert store.load({"id": 2, "new": 1}, table=KEYED, mode="merge").rows == 2
    with pytest.raises(LoadError, match="permission denied"):
        store.load({"id": 1}, table=Table("other", "people"))


def test_who_uses_the_table_is_waited_for_and_named(url: str, tmp_path: Path) -> None:
    store = Store(PostgresDestination(url, wait_s=0.2), tmp_path / "a")
    store.load({"id": 1})
    with psycopg.connect(url, application_name="a report") as reader:
        reader.execute("select * from crm.people")
        assert store.load({"id": 2}).rows == 1  # the same columns: no reader is in the way
        with pytest.raises(Busy, match="in use by a report"):
            store.load({"id": 3, "new": 1})
    assert store.values("id") == [2]
    assert store.load({"id": 3, "new": 1}).rows == 1


def test_who_keeps_readers_out_is_waited_for_and_named(url: str, tmp_path: Path) -> None:
    destination = PostgresDestination(url, wait_s=0.2)
    store = Store(destination, tmp_path / "a")
    store.load({"id": 1}, cursor=Cursor(1))
    reads = {
        "crm.people": [
            lambda: destination.count(TABLE),
            lambda: destination.query("select * from crm.people", 1),
            lambda: list(destination.keys(TABLE, ["id"])),
        ],
        "_connector_assets.state": [lambda: destination.read_cursor(TABLE)],
        "_connector_assets.loads": [lambda: store.load({"id": 2}, load_id="two")],
    }
    for table, waiting in reads.items():
        with psycopg.connect(url, application_name="a migration") as other:
            other.execute(f"lock table {table} in access exclusive mode")
            for read in waiting:
                with pytest.raises(Busy, match="in use by a migration"):
                    read()
    assert destination.read_cursor(TABLE) == 1


def test_loads_into_a_schema_that_is_not_there_yet_do_not_hurt_each_other(
    url: str, tmp_path: Path
) -> None:
    """The second comes while the first, whose schema nobody sees yet, has not committed."""
    stores = [Store(PostgresDestination(url), tmp_path / name) for name in "ab"]
    second: list[threading.Thread] = []

    def meanwhile() -> None:
        other = Table("crm", "orders")
        second.append(threading.Thread(target=lambda: stores[1].load({"id": 2}, table=other)))
        second[0].start()
        waiting = "select 1 from pg_locks where not granted"
        while second[0].is_alive() and not run(url, waiting):
            time.sleep(0.02)

    stores[0].load({"id": 1}, fence=meanwhile)
    second[0].join(30)
    assert [stores[0].values("id", table) for table in (TABLE, Table("crm", "orders"))] == [
        [1],
        [2],
    ]


def test_settings_of_others_change_nothing(url: str, tmp_path: Path) -> None:
    run(
        url,
        "alter role postgres set DateStyle = 'SQL, DMY'; alter role postgres set TimeZone = 'Asia/Kolkata'",
    )
    run(url, "alter role postgres set extra_float_digits = -5; alter role postgres set standard_conforming_strings = off")  # fmt: skip
    try:
        store = Store(PostgresDestination(url), tmp_path / "a")
        table = Table("crm", "people", partition="\\'; drop schema crm cascade; --")
        row = {"at": "2024-02-01T10:00:00Z", "day": "2024-02-01", "x": 0.1 + 0.2, "s": "\\'"}
        for _ in range(2):
            store.load(row, table=table)
        assert store.rows(*row) == [list(row.values())]
        store.load(dict.fromkeys(row, 1), table=table, mode="append")
        assert store.rows(*row) == [list(row.values()), [1, 1, 1, 1]]
    finally:
        run(url, "alter role postgres reset all")


def test_names_of_the_system_s_columns_and_long_names_stay_apart(store: Store) -> None:
    keys = ["xmin", "xmin_1", "ctid", "tableoid", "k" * 63, "k" * 64, "k" * 65]
    for _ in range(2):
        store.load({key: number for number, key in enumerate(keys)})
    assert store.rows(*keys) == [list(range(len(keys)))]


def test_columns_of_types_of_ones_own_take_what_they_can(store: Store, url: str) -> None:
    run(url, "create schema crm; create type crm.mood as enum ('sad', 'ok')")
    run(url, "create table crm.people (id bigint not null, mood crm.mood, j json, at timestamptz(3), ip inet, f varchar(3))")  # fmt: skip
    row = {
        "id": 1,
        "mood": "ok",
        "j": {"a": [1]},
        "at": "2024-01-01T00:00:00Z",
        "ip": "::1",
        "f": "abc",
    }
    store.load(row, mode="append")
    assert run(url, "select id, mood, j, host(ip), f from crm.people") == [
        (1, "ok", {"a": [1]}, "::1", "abc")
    ]
    for bad in ({"id": 2, "mood": "mad"}, {"id": 2, "f": "abcd"}, {"mood": "ok"}):
        with pytest.raises(LoadError) as failed:
            store.load(bad, mode="append")
        assert "mad" not in str(failed.value)
    assert store.destination.count(TABLE) == 1


def test_nanoseconds_are_an_error_not_rounded(store: Store, tmp_path: Path) -> None:
    def load(nanoseconds: int) -> None:
        arrow = pa.table({"at": pa.array([nanoseconds], pa.timestamp("ns"))})
        folder = tmp_path / str(nanoseconds)
        with Staging(folder, connection="crm", stream="people", fingerprint="f") as staged:
            staged.append(arrow, 1, complete=True)
            store.destination.load(Order(TABLE, "replace", staged.segments()))

    load(1_700_000_000_123_456_000)
    with pytest.raises(LoadError, match='"at" has nanoseconds'):
        load(1_700_000_000_123_456_789)
    assert types(store) == {"at": "timestamp without time zone"}
    _, rows = store.destination.query("select at::text from crm.people")
    assert rows == [("2023-11-14 22:13:20.123456",)]


def test_a_character_that_the_database_lacks_is_an_error(url: str, tmp_path: Path) -> None:
    run(url, "drop database if exists latin")
    run(url, "create database latin template template0 encoding latin1 lc_collate 'C' lc_ctype 'C'")
    store = Store(PostgresDestination(url.replace("/postgres?", "/latin?")), tmp_path / "a")
    store.load({"v": "é"})
    with pytest.raises(LoadError, match="LATIN1"):
        store.load({"v": "€"})
    assert store.values("v") == ["é"]


def test_a_query_is_one_statement_and_takes_no_more_rows_than_asked(store: Store) -> None:
    store.load({"id": 1, "j": {"a": 1}})
    for statement in ("commit; delete from crm.people", "select 1; select 2", "vacuum", ""):
        with pytest.raises(LoadError):
            store.destination.query(statement)
    columns, rows = store.destination.query("select generate_series(1, 1000000000::bigint) n", 3)
    assert [(column.name, column.type) for column in columns] == [("n", "bigint")]
    assert rows == [(1,), (2,), (3,)]
    columns, rows = store.destination.query("select id, j from crm.people where false")
    assert ([column.name for column in columns], rows) == (["id", "j"], [])
    assert store.destination.query("select j from crm.people")[1] == [('{"a": 1}',)]


def test_positions_that_an_earlier_version_stored_are_read_on(store: Store, url: str) -> None:
    """They were one value, however many the items, and there was no table of items."""
    store.load({"id": 1}, cursor=Cursor({"": 1}))
    value = json.dumps(many_of(4))
    run(url, f"update _connector_assets.state set cursor = '{value}'")
    found = store.destination.read_cursor(TABLE)
    assert found == many_of(4)
    store.load({"id": 2}, cursor=Cursor({"[3]": 5}, found, adds=True))
    assert store.destination.read_cursor(TABLE) == {**many_of(4), "[3]": 5}
    assert run(url, "select count(*) from _connector_assets.items") == [(MANY,)]
    run(url, "update _connector_assets.state set cursor = '{}'")
    later = {f"later {n}": 3 for n in range(MANY)}
    store.load({"id": 2}, cursor=Cursor(later, {}, adds=True))
    assert store.destination.read_cursor(TABLE) == later


def test_keys_that_only_jsonb_takes_for_equal_are_one_row(store: Store) -> None:
    rows = ['{"id": {"a": 1, "b": 2}, "v": 1}', '{"id": {"b": 2, "a": 1.0}, "v": 2}']
    for _ in range(2):
        assert store.load(*rows, table=KEYED, mode="merge").rows == 1
        assert store.values("v") == [2]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            '{"v": {"secret": 1e200000}}',
            'column "v": value overflows numeric format.*; load the stream into a DuckDB file',
        ),
        (
            {f"c{number}": "s3cret..." for number in range(1550)},
            r"row is too big.*; set overflow: \{into: rest\} in the stream",
        ),
    ],
)
def test_what_is_too_large_is_refused_with_what_to_do(store: Store, row: Any, words: str) -> None:
    with pytest.raises(LoadError, match=words) as refused:
        store.load(row)
    assert "secret" not in str(refused.value)


def test_a_value_that_a_column_does_not_take_is_not_quoted(store: Store, url: str) -> None:
    run(url, "create schema crm; create table crm.people (ip inet unique)")
    for bad, words in (
        ('x "s3cret" y', 'column "ip" has a value that is not exactly a inet'),
        ("::1", "unique"),
    ):
        with pytest.raises(LoadError, match=f"crm.people: .*{words}.*; ") as refused:
            store.load({"ip": "::1"}, {"ip": bad}, mode="append")
        assert "s3cret" not in str(refused.value)


def test_a_view_on_a_column_that_must_widen_is_named_as_what_is_in_the_way(
    store: Store, url: str
) -> None:
    store.load({"v": 1})
    run(url, "create view crm.shown as select v from crm.people")
    with pytest.raises(LoadError, match="used by a view or rule; drop the view, load"):
        store.load({"v": "x"})
    assert store.values("v") == [1]


@pytest.mark.parametrize("key", ["load_id, schema_name, table_name, partition", "load_id"])
def test_a_load_done_into_a_table_that_is_gone_is_done_again(
    store: Store, url: str, key: str
) -> None:
    """Also where an earlier version made the log, whose key is the id alone."""
    store.load({"id": 1}, mode="append", load_id="one")
    run(url, "alter table _connector_assets.loads drop constraint loads_pkey")
    run(url, f"alter table _connector_assets.loads add primary key ({key})")
    run(url, "drop table crm.people")
    for _ in range(2):
        assert store.load({"id": 1}, mode="append", load_id="one").rows == 1
    other = Table("other", "people")
    assert store.load({"id": 1}, table=other, mode="append", load_id="one").rows == 1
