"""What is written for Snowflake without a server: names, types, literals, exact numbers, URLs."""

from __future__ import annotations

import pytest
from snowflake.connector import errors

from connector_assets.errors import ConfigError, LoadError
from connector_assets.load.snowflake.exact import fits, unfit_in_sql
from connector_assets.load.snowflake.read import query
from connector_assets.load.snowflake.sql import described, duckdb_type, sf_name, sf_type, shown
from connector_assets.load.urls import destination_from_url
from connector_assets.snowflake.account import Account, Proof
from connector_assets.snowflake.literals import sf_literal
from connector_assets.snowflake.refusals import refusal_of

URL = "snowflake://LOADER@myorg-acc1/SHOP?warehouse=W&role=R"


@pytest.mark.parametrize(
    ("name", "kept"),
    [("id", "ID"), ("createdAt", "CREATEDAT"), ("a b", "a b"), ("Über", "Über"), ("1st", "1st"), ("select", "SELECT")],
)  # fmt: skip
def test_a_plain_name_is_as_it_is_without_quotes(name: str, kept: str) -> None:
    assert sf_name(name) == kept
    assert shown(kept) == (name.lower() if kept != name else name)


def test_types_that_nobody_chose_are_ours_and_others_stay() -> None:
    for type_ in ("BIGINT", "HUGEINT", "DECIMAL(18,4)", "VARCHAR", "TIMESTAMP", "JSON", "BLOB"):
        assert sf_type(type_) == described(sf_type(type_))
    for type_ in ("VARCHAR(10)", "TIMESTAMP_NTZ(3)", "BINARY(5)", "TIME(0)"):
        assert described(type_) == type_
        assert duckdb_type(type_)
    assert duckdb_type("GEOGRAPHY") is None


@pytest.mark.parametrize(
    ("text", "is_exact"),
    [
        ("9" * 37, True), ("9" * 39, False), ("1e300", True), ("1e400", False), ("0." + "1" * 40, False),
        ("123456789012345678901234567890.5", True), ('"%s"' % ("9" * 50), True), ("[1, %s]" % ("1" * 45), False),
        ("1" + "0" * 50, True), ("1" + "0" * 49 + "1", False), ("-0.1", True), ("0e-400", True), ("1e-400", False), ('{"a\\"9": 1.50}', True),
    ],
)  # fmt: skip
def test_numbers_that_a_variant_holds_exactly(text: str, is_exact: bool) -> None:
    assert fits(text, "VARIANT") is is_exact


def test_lengths_that_somebody_chose_are_looked_at() -> None:
    assert unfit_in_sql("c0", "VARCHAR(10)") == "length(c0) > 10"
    assert unfit_in_sql("c0", "VARCHAR") == ""
    assert "{3}" in unfit_in_sql("c0", "TIMESTAMP_TZ(3)")


def test_a_literal_ends_where_it_should() -> None:
    assert sf_literal("it's \\' or 1=1 --") == "'it''s \\\\'' or 1=1 --'"


def test_a_url_says_where_and_who_and_no_more() -> None:
    account = Account.from_url(URL)
    assert (account.user, account.account, account.database) == ("LOADER", "myorg-acc1", "SHOP")
    assert (account.warehouse, account.role) == ("W", "R")
    assert account.server == "myorg-acc1.snowflakecomputing.com"
    assert destination_from_url(URL).uri == "snowflake://myorg-acc1/SHOP"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("snowflake://u:s3cret@acc/DB", "a password in the URL would be shown"),
        ("snowflake://acc/DB", "user, account or database is missing"),
        ("snowflake://u@acc", "user, account or database is missing"),
        ("snowflake://u@acc/DB/PUBLIC", "user, account or database is missing"),
        ("snowflake://u@acc/DB?token=s3cret", '"token" is not known'),
        ("snowflake://u@acc/DB?protocol=http&host=example.com", "would not be encrypted"),
        ("snowflake://u@acc/DB?port=x", "the port is no number"),
    ],
)
def test_a_url_that_is_wrong_says_so_without_a_secret(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        Account.from_url(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.fix


def test_what_proves_the_login_is_in_no_repr() -> None:
    proof = Proof(key="s3cret-key", passphrase="s3cret-2", token="s3cret-3", password="s3cret-4")
    assert "s3cret" not in repr(proof)
    assert proof.options() == {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key": "s3cret-key\n",
        "private_key_password": "s3cret-2",
    }
    assert Proof(token="t", password="p").options() == {"authenticator": "OAUTH", "token": "t"}
    environment = {"SNOWFLAKE_TOKEN": "t", "SNOWFLAKE_PRIVATE_KEY_FILE": "/k"}
    assert Proof.from_environment(environment) == Proof(key_file="/k", token="t")


@pytest.mark.parametrize(
    ("number", "message", "what", "fix"),
    [
        (250001, "250001 (08001): Failed to login: 390144 JWT token is invalid. tok-1", "the login failed", "public key"),
        (100038, "Numeric value 'jane@example.com' is not recognized", "Numeric value … is not", ""),
        (2003, "SQL compilation error:\nTable 'T' does not exist or not authorized.", "Table 'T' does", "grant"),
        (606, "No active warehouse selected in the current session.", "No active warehouse", "name a warehouse"),
        (250001, "error sending request: dns error", "acc.snowflakecomputing.com could not be reached", "network"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_without_values(number: int, message: str, what: str, fix: str) -> None:
    error = errors.ProgrammingError(msg=message, errno=number)
    found = refusal_of(error, "acc.snowflakecomputing.com", ["tok-1"])
    assert what in found.what
    assert fix in found.fix
    assert not any(one in found.what for one in ("tok-1", "jane@example.com", "\n"))


@pytest.mark.parametrize(
    "sql",
    ["select system$cancel_query('x')", "select $1 from @~/file", "select * from t, @stage",
     "select * from table(information_schema.query_history())", "select get_ddl('table', 't')"],
)  # fmt: skip
def test_a_query_that_may_do_more_is_never_sent(sql: str) -> None:
    with pytest.raises(LoadError, match="may do more than read tables"):
        query(None, sql, None)  # type: ignore[arg-type] # no session is asked
