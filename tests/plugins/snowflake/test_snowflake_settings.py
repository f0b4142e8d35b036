"""The settings of the connector `snowflake`, and Arrow as it is described: no server."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from connector_assets.errors import ResponseError
from connector_assets.plugins.shipped import shipped
from connector_assets.plugins.snowflake.columns import SourceColumn, as_described
from connector_assets.plugins.snowflake.settings import SnowflakeSettings

GIVEN: dict[str, Any] = {"account": "acc", "user": "u", "database": "D", "password": "s3cret"}


def test_it_is_shipped_and_its_secrets_are_secrets() -> None:
    found = shipped("snowflake")
    assert found is not None
    assert found.known_secrets() == {"privateKey", "privateKeyPassphrase", "token", "password"} or (
        found.known_secrets() == {"private_key", "private_key_passphrase", "token", "password"}
    )
    assert "s3cret" not in repr(SnowflakeSettings(**GIVEN))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"password": None}, "privateKey, privateKeyFile, token or password is needed"),
        ({"account": "https://acc.snowflakecomputing.com"}, "this is no name of an account"),
        ({"protocol": "http", "host": "example.com"}, "would not be encrypted"),
        ({"unload": "sometimes"}, "unload"),
        ({"passwort": "x"}, "passwort"),
    ],
)
def test_settings_that_are_wrong_say_so(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SnowflakeSettings(**{**GIVEN, **more})


def test_chunks_of_a_column_become_one_type() -> None:
    columns = [
        SourceColumn("N", "FIXED", 10), SourceColumn("D", "FIXED", 38, 4), SourceColumn("T", "TIMESTAMP_TZ"),
        SourceColumn("V", "VARIANT"), SourceColumn("B", "BINARY"), SourceColumn("C", "TIME"),
    ]  # fmt: skip
    for small, binary in (
        (pa.int8(), pa.array([b"\x01", None])),
        (pa.int64(), pa.array(["01", None])),
    ):
        rows = pa.table(
            [
                pa.array([1, None], small),
                pa.array([Decimal("1.5"), None], pa.decimal128(20, 4)),
                pa.array([1_000, None], pa.timestamp("ns", "UTC")),
                pa.array(['{"a":1}', None]),
                binary,
                pa.array([1_000, None], pa.time64("ns")),
            ],
            names=list("abcdef"),
        )
        found = as_described(rows, columns, "x")
        assert [str(one) for one in found.schema.types[:3]] == [
            "int64", "decimal128(38, 4)", "timestamp[us, tz=UTC]",
        ]  # fmt: skip
        assert found.column("B").to_pylist() == [b"\x01", None]


def test_what_a_microsecond_cannot_hold_is_an_error_that_names_the_column() -> None:
    rows = pa.table([pa.array([1], pa.timestamp("ns"))], names=["t"])
    with pytest.raises(ResponseError, match='column "T" has values beyond microseconds'):
        as_described(rows, [SourceColumn("T", "TIMESTAMP_NTZ")], "x")
