"""The connector `snowflake` through the front door, on an emulator: read, killed, gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.snowflake import Emulator, serving_snowflake

pytestmark = pytest.mark.third_party
_PLUGIN = """
from dataclasses import replace
from connector_assets import connector_registry
from connector_assets.plugins.snowflake.plugin import connector
connector_registry.register_plugin(replace(connector, id="house", fixed=lambda _: [
    {"name": "orders", "vars": {"schema": "PUBLIC", "table": "ORDERS"}, "primaryKey": ["ID"],
     "incremental": {"cursorField": "TS"}},
    {"name": "many", "vars": {"schema": "PUBLIC", "table": "MANY"}},
    {"name": "some", "vars": {"query": "some"}},
]))
"""
_PASSPHRASE = "p4ss-phrase"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, key: rsa.RSAPrivateKey) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("snowflake")
    public = folder / "key.pub"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    with serving_snowflake(folder, "--public-key", str(public)) as found:
        yield found


@pytest.fixture
def project(server: Emulator, tmp_path: Path) -> Project:
    (tmp_path / "house_plugin.py").write_text(_PLUGIN)
    database = server.database()
    server.run(
        database,
        'create schema if not exists "PUBLIC"',
        'create table "PUBLIC"."ORDERS" (ID number(38,0), PRICE number(18,4), N number(10,0), '
        "TS timestamp_ntz, TZ timestamp_tz, D date, T time, V variant, B binary, F float, "
        "OK boolean, S varchar)",
        'insert into "PUBLIC"."ORDERS" select 12345678901234567890123456789, 1234567890.1234, 7, '
        "'2024-01-01 10:00:00.123456'::timestamp_ntz, "
        "'2024-01-01 10:00:00.123456 +00:00'::timestamp_tz, '2024-02-29'::date, "
        "'10:11:12.5'::time, parse_json('{\"a\": [1, 2.5]}'), to_binary('00ff', 'HEX'), "
        "0.1::float, true, 'x'",
        'insert into "PUBLIC"."ORDERS" (ID, TS) select 2, \'2024-03-01\'::timestamp_ntz',
        'create table "PUBLIC"."MANY" as select seq::number(10,0) as I, \'x\' || seq as S '
        "from (select unnest(range(5500)) as seq)",
    )
    return Project(server, tmp_path, database)


class Project:
    """A folder with the plugin, and the command line in it."""

    def __init__(self, server: Emulator, folder: Path, database: str) -> None:
        self.server, self.folder, self.database = server, folder, database

    def run(self, *args: str, killed_at: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        queries = {"some": {"sql": "select 1::number(3,0) as one -- all"}}
        given = {
            "ACCOUNT": "acme", "USER": "tester", "DATABASE": self.database, "WAREHOUSE": "w",
            "HOST": "127.0.0.1", "PORT": str(self.server.port), "PROTOCOL": "http",
            "PASSWORD": "good-password", "QUERIES": json.dumps(queries), **more,
        }  # fmt: skip
        environment = {
            **os.environ,
            "CONNECTOR_ASSETS_PLUGINS": "house_plugin",
            "PYTHONPATH": str(self.folder),
            "KILLED_AT": killed_at,
            **{f"HOUSE__{name}": value for name, value in given.items() if value},
        }
        command = [sys.executable, "-W", "ignore", "-m", "connector_assets.cli", *args]
        if killed_at:
            command = [sys.executable, "-W", "ignore", "-c", _KILLED, *args]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def stage(self) -> Path:
        return self.server.folder / "stage"

    def unloaded(self) -> list[Path]:
        return sorted(path for path in self.stage.rglob("*") if path.is_file())

    def tables(self, sql: str) -> list[Any]:
        with duckdb.connect(str(self.folder / "data.duckdb"), read_only=True) as tables:
            return tables.sql(sql).fetchall()


# Dies with the n-th chunk or file that has been read: what came before may be safe, it is not.
_KILLED = """
import os, signal
from connector_assets.plugins.snowflake import reading, unload
left = int(os.environ["KILLED_AT"])
def counted(made):
    def rows(*args):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return made(*args)
    return rows
reading.as_described = unload.as_described = counted(reading.as_described)
from connector_assets.cli import main
main()
"""


def pem(key: rsa.RSAPrivateKey, passphrase: str = "") -> str:
    way: Any = serialization.NoEncryption()
    if passphrase:
        way = serialization.BestAvailableEncryption(passphrase.encode())
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, way).decode()


@pytest.mark.parametrize("unload", ["never", "always"])
def test_every_type_is_exact_by_either_way(project: Project, unload: str) -> None:
    done = project.run("load", "house", "orders", UNLOAD=unload)
    assert done.returncode == 0, done.stdout + done.stderr
    types = [row[:2] for row in project.tables("describe house.orders")]
    assert types == [
        ("ID", "DECIMAL(38,0)"), ("PRICE", "DECIMAL(18,4)"), ("N", "BIGINT"), ("TS", "TIMESTAMP"),
        ("TZ", "TIMESTAMP WITH TIME ZONE"), ("D", "DATE"), ("T", "TIME"), ("V", "JSON"),
        ("B", "BLOB"), ("F", "DOUBLE"), ("OK", "BOOLEAN"), ("S", "VARCHAR"),
    ]  # fmt: skip
    values = project.tables("select * replace (cast(TZ as varchar) as TZ) from house.orders")
    assert [str(value) for value in values[0]] == [
        "12345678901234567890123456789", "1234567890.1234", "7", "2024-01-01 10:00:00.123456",
        "2024-01-01 10:00:00.123456+00", "2024-02-29", "10:11:12.500000", '{"a":[1,2.5]}',
        r"b'\x00\xff'", "0.1", "True", "x",
    ]  # fmt: skip
    assert (
        any(one.startswith("copy into @~/") for one in project.server.noted()) or unload == "never"
    )


def test_a_cursor_reads_what_is_new_and_stores_the_position_with_the_rows(project: Project) -> None:
    assert project.run("load", "house", "orders").returncode == 0
    project.server.run(
        project.database,
        'insert into "PUBLIC"."ORDERS" (ID, TS) select 3, \'2024-04-01 00:00:00.000001\'::timestamp',
    )
    project.server.forget()
    done = project.run("load", "house", "orders")
    assert "now has 3 rows" in done.stdout + done.stderr
    (select,) = [one for one in project.server.noted() if one.startswith("select * from")]
    assert select.endswith(
        """where ("TS" > '2024-03-01 00:00:00' and "TS" <= '2024-04-01 00:00:00.000001' """
        'or "TS" is null)'
    )
    again = project.run("load", "house", "orders")
    assert "served 0" in again.stdout + again.stderr


@pytest.mark.parametrize(("unload", "kind"), [("never", "chunk"), ("always", "get")])
def test_a_run_that_is_killed_goes_on_with_the_same_result(
    project: Project, unload: str, kind: str
) -> None:
    killed = project.run("load", "house", "many", killed_at="3", UNLOAD=unload)
    assert killed.returncode == -signal.SIGKILL
    project.server.forget()
    done = project.run("load", "house", "many", UNLOAD=unload)
    assert done.returncode == 0, done.stdout + done.stderr
    said = project.server.noted()
    assert not [one for one in said if one.startswith(("select *", "copy into"))]
    assert 1 <= len(project.server.noted(kind)) <= 4  # of six
    found = project.tables('select count(*), count(distinct "I"), sum("I") from house.many')
    assert found == [(5500, 5500, sum(range(5500)))]


def test_a_result_that_is_gone_is_read_anew_and_nothing_is_doubled(
    project: Project,
) -> None:
    killed = project.run("load", "house", "many", killed_at="4", UNLOAD="never")
    assert killed.returncode == -signal.SIGKILL
    httpx.post(f"http://127.0.0.1:{project.server.port}/forget")
    project.server.run(project.database, 'delete from "PUBLIC"."MANY" where I >= 2500')
    done = project.run("load", "house", "many", UNLOAD="never")
    assert "no longer kept: reading anew" in done.stdout + done.stderr
    assert project.tables('select count(*), count(distinct "I"), min("S") from house.many') == [
        (2500, 2500, "x0")
    ]


def killed_unload(project: Project) -> list[Path]:
    """The files that a run leaves in the stage which is killed at its third."""
    shutil.rmtree(project.stage, ignore_errors=True)
    done = project.run("load", "house", "many", killed_at="3", UNLOAD="always")
    assert done.returncode == -signal.SIGKILL
    return project.unloaded()


def test_files_of_a_run_that_never_came_back_are_removed_a_week_later(project: Project) -> None:
    left = killed_unload(project)
    assert len(left) == 6
    shutil.rmtree(project.folder / ".connector_assets")  # and with it where that run had got to
    assert project.run("load", "house", "many", UNLOAD="always").returncode == 0
    assert project.unloaded() == left  # as another project may still be reading them
    for path in left:
        os.utime(path, (path.stat().st_mtime - 8 * 86_400,) * 2)
    assert project.run("load", "house", "some", UNLOAD="always").returncode == 0
    assert project.unloaded() == left  # of another stream
    assert project.run("load", "house", "many", UNLOAD="always").returncode == 0
    assert project.unloaded() == []


def test_where_one_unloaded_file_is_gone_all_is_read_anew(project: Project) -> None:
    killed_unload(project)[0].unlink()
    done = project.run("load", "house", "many", UNLOAD="always")
    assert "the unloaded files are gone: reading anew" in done.stdout + done.stderr
    found = project.tables('select count(*), count(distinct "I"), sum("I") from house.many')
    assert found == [(5500, 5500, sum(range(5500)))]
    assert project.unloaded() == []


def test_a_table_that_gets_other_columns_meanwhile_does_not_change_what_files_hold(
    project: Project,
) -> None:
    killed_unload(project)
    project.server.run(
        project.database,
        'create or replace table "PUBLIC"."MANY" as select S, I from "PUBLIC"."MANY"',
    )
    done = project.run("load", "house", "many", UNLOAD="always")
    assert done.returncode == 0, done.stdout + done.stderr
    found = project.tables('select count(*), sum("I"), min("S") from house.many')
    assert found == [(5500, sum(range(5500)), "x0")]


def test_a_check_names_what_is_wrong(project: Project, key: rsa.RSAPrivateKey) -> None:
    def told(**more: str) -> str:
        done = project.run("check", "house", **more)
        assert not any(secret in done.stdout + done.stderr for secret in ("s3cret-", "PRIVATE KEY"))
        return (done.stdout + done.stderr).splitlines()[-1]

    assert "2 tables and 1 query can be read by PUBLIC, in the warehouse W" in told()
    by_key = {"PASSWORD": "", "PRIVATE_KEY": pem(key).replace("\n", "\\n")}
    assert "can be read" in told(**by_key)
    file = project.folder / "key.p8"
    file.write_text(pem(key, _PASSPHRASE))
    encrypted = {"PASSWORD": "", "PRIVATE_KEY_FILE": str(file)}
    assert "can be read" in told(**encrypted, PRIVATE_KEY_PASSPHRASE=_PASSPHRASE)
    assert "can be read" in told(PASSWORD="", TOKEN="good-token")
    other = rsa.generate_private_key(65537, 2048)
    wrong: Mapping[str, tuple[dict[str, str], str]] = {
        "password": ({"PASSWORD": "s3cret-1"}, "Incorrect username or password"),
        "token": ({"PASSWORD": "", "TOKEN": "s3cret-2"}, "Invalid OAuth access token"),
        "key": ({"PASSWORD": "", "PRIVATE_KEY": pem(other)}, "JWT token is invalid"),
        "role": ({"ROLE": "NOBODY"}, "Role 'NOBODY'"),
        "warehouse": ({"WAREHOUSE": "nowhere"}, 'the warehouse "nowhere" is not there'),
        "host": ({"PORT": "1"}, "127.0.0.1 could not be reached"),
        "table": ({"TABLES": '{"PUBLIC.NOPE": {}}'}, 'there is no table "PUBLIC.NOPE"'),
        "query": ({"QUERIES": '{"q": {"sql": "select * from nope"}}'}, "queries.q"),
        "nothing": ({"PASSWORD": ""}, "privateKey, privateKeyFile, token or password is needed"),
    }
    for name, (more, words) in wrong.items():
        assert words in told(**more), name
