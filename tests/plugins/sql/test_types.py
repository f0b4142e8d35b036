"""A value arrives as it is in the database, or the load says which column it is of."""

from __future__ import annotations

import pytest

from connector_assets.errors import ConnectorError
from tests.postgres import run

# What a column is, a value of it, the type in the table by ADBC, and the value as the table writes it.
COLUMNS = {
    "b": ("bool", "true", "BOOLEAN", "true"),
    "i2": ("int2", "-32768", "BIGINT", "-32768"),
    "i4": ("int4", "1", "BIGINT", "1"),
    "i8": ("int8", "-9223372036854775808", "BIGINT", "-9223372036854775808"),
    "f4": ("float4", "16777216", "DOUBLE", "16777216.0"),
    "f8": ("float8", "'NaN'", "DOUBLE", "nan"),
    "n": ("numeric", "1.50", "VARCHAR", "1.50"),
    "endless": ("numeric", "'Infinity'", "VARCHAR", "Infinity"),
    "n18": ("numeric(18,4)", "-12345678901234.5678", "DECIMAL(18,4)", "-12345678901234.5678"),
    "n38": ("numeric(38,0)", "9" * 38, "DECIMAL(38,0)", "9" * 38),
    "n60": ("numeric(60,30)", "0." + "1" * 30, "VARCHAR", "0." + "1" * 30),
    "money": ("money", "'$1.20'", "VARCHAR", "1.20"),
    "t": ("text", "'tä😀'", "VARCHAR", "tä😀"),
    "ch": ("char(3)", "'c'", "VARCHAR", "c  "),
    "raw": ("bytea", r"'\x00ff'", "BLOB", r"\x00\xFF"),
    "d1": ("date", "'0001-01-01'", "DATE", "0001-01-01"),
    "d2": ("date", "'infinity'", "DATE", "infinity"),
    "d3": ("date", "'-infinity'", "DATE", "-infinity"),
    "ts1": ("timestamp", "'0001-01-01'", "TIMESTAMP", "0001-01-01 00:00:00"),
    "ts2": ("timestamp", "'infinity'", "TIMESTAMP", "infinity"),
    "ts3": ("timestamp", "'4713-01-01 BC'", "TIMESTAMP", "4713-01-01 (BC) 00:00:00"),
    "tz1": ("timestamptz", "'2024-01-31 10:00+02'", "TIMESTAMP WITH TIME ZONE", "2024-01-31 08:00:00+00"),
    "tz2": ("timestamptz", "'-infinity'", "TIMESTAMP WITH TIME ZONE", "-infinity"),
    "us": ("timestamp", "'2024-01-31 23:59:59.999999'", "TIMESTAMP", "2024-01-31 23:59:59.999999"),
    "tm": ("time", "'24:00'", "TIME", "24:00:00"),
    "ttz": ("timetz", "'10:00+02'", "VARCHAR", "10:00:00+02"),
    "iv": ("interval", "'1 year 2 mons -3 days 04:05:06.789'", "VARCHAR", "1 year 2 mons -3 days +04:05:06.789"),
    "u": ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "j": ("json", """'{"a":1.0}'""", "JSON", '{"a":1.0}'),
    "jb": ("jsonb", """'{"a":12345678901234567890}'""", "JSON", '{"a": 12345678901234567890}'),
    "mood": ("mood", "'ok'", "VARCHAR", "ok"),
    "pair": ("pair", "row(1, 'b')", "JSON", '{"a": 1, "b": "b"}'),
    "ip": ("inet", "'10.0.0.1'", "VARCHAR", "10.0.0.1/32"),
    "span": ("int4range", "'[1,5)'", "VARCHAR", "[1,5)"),
    "oid": ("oid", "4294967295", "BIGINT", "4294967295"),
}  # fmt: skip
LISTS = {
    "li": ("int[]", "'{1,null,2}'", "INTEGER[]", "[1, NULL, 2]", "[1, null, 2]"),
    "lt": ("text[]", """'{a,NULL,""}'""", "VARCHAR[]", "[a, NULL, '']", '["a", null, ""]'),
    "ln": ("numeric[]", "'{1.50}'", "VARCHAR[]", "[1.50]", "[1.50]"),
}


@pytest.mark.parametrize("by", ["postgres", "by_jdbc"])
def test_every_type_is_exact(request, by, url):
    either = request.getfixturevalue(by)
    run(url, "create type mood as enum ('sad', 'ok'); create type pair as (a int, b text)")
    made = {**{k: v[0] for k, v in COLUMNS.items()}, **{k: v[0] for k, v in LISTS.items()}}
    values = [*(v[1] for v in COLUMNS.values()), *(v[1] for v in LISTS.values())]
    columns = ", ".join(f"{name} {type_}" for name, type_ in made.items())
    run(url, f"create table t (id int primary key, {columns})")
    run(url, f"insert into t values (1, {', '.join(values)}), (2{', null' * len(values)})")
    assert either.load("t").loaded.rows == 2
    types = either.types("t")
    is_adbc = not either.settings.is_jdbc
    for name, (_, _, type_, value) in COLUMNS.items():
        found = either.rows(f"select {name}::text from shop.t order by id")
        assert (name, types[name], found) == (name, type_, [(value,), (None,)])
    for name, (_, _, type_, value, as_json) in LISTS.items():
        found = either.rows(f"select {name}::text from shop.t order by id")[0][0]
        assert (name, types[name], found) == (
            (name, type_, value) if is_adbc else (name, "JSON", as_json)
        )


# What no type of the table holds as it is: the load says so, and what helps.
REFUSED = {
    "int[]": ("'{{1,2},{3,4}}'", "array of several dimensions", "json", "[[1, 2], [3, 4]]"),
    "timestamp": ("'294276-12-31'", "beyond the year 294246", "text", "294276-12-31 00:00:00"),
    "numeric(18,4)": ("'NaN'", "is no decimal128(18, 4)", "text", "NaN"),
}


@pytest.mark.parametrize("type_", REFUSED)
def test_what_does_not_fit_is_refused_and_can_be_read_as_settings_say(postgres, url, type_):
    value, told, instead, kept = REFUSED[type_]
    run(url, f"create table t (id int primary key, odd {type_}); insert into t values (1, {value})")
    with pytest.raises(ConnectorError, match=r"odd|type text") as refused:
        postgres.load("t")
    assert told in str(refused.value)
    postgres.given(tables={"public.t": {"columns": {"odd": instead}}}).load("t")
    assert postgres.rows("select odd::text from shop.t") == [(kept,)]


def test_a_column_is_left_out_or_read_in_another_type(postgres, url):
    run(url, "create table t (id int primary key, price numeric, secret text)")
    run(url, "insert into t values (1, 1.2345, 'x')")
    settings = {"columns": {"secret": "skip", "price": "decimal(18,4)"}}
    postgres.given(tables={"public.t": settings}).load("t")
    assert postgres.types("t") == {"id": "BIGINT", "price": "DECIMAL(18,4)"}
    run(url, "insert into t values (2, 1.23456, 'x')")
    with pytest.raises(
        ConnectorError, match=r'column "price" has a value that is no decimal128\(18, 4\)'
    ):
        postgres.given(tables={"public.t": settings}).load("t")


def test_settings_of_a_column_that_is_not_there_are_a_fault(postgres, url):
    run(url, "create table t (id int primary key)")
    with pytest.raises(ConnectorError, match='no column "nope"; use one of id'):
        postgres.given(tables={"public.t": {"columns": {"nope": "text"}}}).load("t")
