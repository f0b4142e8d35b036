"""What `check` says is wrong, and that no password is told to anybody."""

from __future__ import annotations

import json
import logging

import pytest

from connector_assets.plugins.sql.faults import DatabaseError, host_of, told
from connector_assets.plugins.sql.settings import SqlSettings
from tests.postgres import run


def of(url, **given):
    """The URL of the server as a user would write it."""
    return {"uri": url.replace("postgres:@", ""), "username": "postgres", **given}


def test_a_connection_that_is_right_says_what_can_be_read(postgres, url):
    run(url, "create table t (id int); create view v as select 1 as one")
    found = postgres.given(queries={"q": {"sql": "select 1 as x -- one"}}).check()
    assert (found.ok, found.message) == (True, "2 tables and 1 query can be read")


def test_who_may_not_read_a_table_learns_which(postgres, url, guarded):
    run(
        url,
        "create table open (id int); grant select on open to reader; create table closed (id int)",
    )
    user, password = guarded
    found = postgres.given(**of(url, username=user, password=password)).check()
    assert (found.ok, found.failed) == (False, "permission")
    assert (
        "public.closed: permission denied for table closed; grant the user SELECT" in found.message
    )
    assert "open" not in found.message


@pytest.mark.parametrize("driver", ["postgres", pytest.param("by_jdbc", marks=pytest.mark.slow)])
def test_a_wrong_password_is_named_and_told_to_nobody(request, driver, url, guarded, caplog):
    database, wrong = request.getfixturevalue(driver), "wr@ng/pä ss"
    caplog.set_level(logging.DEBUG)
    if driver == "postgres":
        database = database.given(**of(url))
    found = database.given(username="reader", password=wrong).check()
    assert (found.ok, found.failed) == (False, "auth")
    assert 'check the user in uri and the secret "password"' in found.message
    assert "wr@ng" not in found.message + caplog.text
    assert "wr%40ng" not in found.message + caplog.text


def test_a_password_of_odd_characters_lets_in_and_stands_nowhere(postgres, url, guarded):
    run(
        url,
        "create table t (id int primary key); insert into t values (1); grant select on t to reader",
    )
    user, password = guarded
    database = postgres.given(**of(url, username=user, password=password))
    done = database.load("t")
    assert done.loaded.rows == 1
    kept = [one for one in database.folder.rglob("*") if one.is_file()]
    assert kept
    for text in (password, "p%C3%A4", json.dumps(password)[1:-1]):
        assert not [one for one in kept if text.encode() in one.read_bytes()]
        assert text not in repr(database.settings) + repr(done)


WRONG = {
    "dns": ({"uri": "postgresql://no-such-host.invalid/db"}, "dns", "check the host in uri"),
    "port": ({"uri": "postgresql://127.0.0.1:1/db"}, "connection", "check that the database is up"),
    "tls": ({"uri": "postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=require"}, "tls", "check sslmode"),
    "database": ({"uri": "postgresql://postgres@127.0.0.1:{port}/nope"}, "config", "check the database in uri"),
    "query": ({"queries": {"q": {"sql": "select * from nope"}}}, "config", "queries.q: relation"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named(postgres, url, port, what):
    config, part, told_of = WRONG[what]
    config = {n: v.format(port=port) if n == "uri" else v for n, v in config.items()}
    found = postgres.given(**config).check()
    assert (found.ok, found.failed) == (False, part)
    assert told_of in found.message
    assert "postgresql://" not in found.message


def test_a_password_in_the_uri_is_refused_and_not_repeated(postgres):
    found = postgres.given(uri="postgresql://me:pw-8f2c11@db.example.com/shop").check()
    assert "must not hold a password; give it as the secret password" in found.message
    assert "pw-8f2c11" not in found.message


def test_settings_of_a_table_that_is_not_there_are_a_fault(postgres, url):
    run(url, "create table t (id int)")
    found = postgres.given(tables={"public.orders": {}}).check()
    assert 'there is no table "public.orders"; known are: public.t' in found.message


def test_values_of_rows_are_not_told():
    error = DatabaseError('ERROR:  invalid input syntax for type integer: "Ada Lovelace"', "22P02")
    assert "Ada" not in str(told(error, "db", str))


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("jdbc:mariadb://db.example.com/shop?user=x", "db.example.com"),
        ("sqlite:///data/shop.db", "shop.db"),
        ("postgresql://me@[::1]:5433/shop", "[::1]:5433"),
    ],
)
def test_messages_name_the_host_alone(uri, host):
    assert host_of(uri) == host


FAULTS = {
    "jars": ({"uri": "jdbc:mariadb://h/db"}, "jars are needed for JDBC"),
    "driver": ({"uri": "snowflake://h/db"}, "driver is needed for snowflake"),
    "scheme": ({"uri": "shop.db"}, "must begin with a scheme"),
    "unknown": ({"uri": "sqlite:///a.db", "tabels": {}}, "tabels"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_settings_that_fit_nothing_are_refused(what):
    config, text = FAULTS[what]
    with pytest.raises(ValueError, match=text):
        SqlSettings.model_validate(config)
