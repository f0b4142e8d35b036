"""What a connection says of a database: where it is, which tables and queries, and how to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from connector_assets.passwords import may_hold_password

Names = tuple[str, ...]
_ADBC_SCHEMES = ("postgresql", "postgres", "sqlite", "duckdb")


def _without_password(uri: str) -> str:
    scheme, colon, _ = uri.partition(":")
    if not colon or not scheme:
        raise ValueError("must begin with a scheme, as postgresql:// or jdbc:mariadb://")
    if may_hold_password(uri.removeprefix("jdbc:")):
        raise ValueError("must not hold a password; give it as the secret password")
    return uri


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class TableSettings(_Model):
    """What is said of one table or view."""

    cursor: str | None = None
    """A column that grows with each change, as `updated_at` or a serial number: a run then reads
    only the rows beyond the stored position.
    """
    primary_key: Names = ()
    """Columns that identify a row, where the database does not know: of a view, of a query."""
    lookback: str | None = None
    """How far before the stored position a run begins, for rows that arrive late: `PT10M`, or a
    number for a cursor that is one. The rows that come again are merged.
    """
    where: str = ""
    """A condition in the database's SQL that the rows fulfil."""
    chunk_by: str | None = None
    """The column whose ranges are read in parallel; default: the first of a table's primary key.
    It should have an index.
    """
    columns: Mapping[str, str] = {}
    """Types of columns, instead of those that follow from the database's: boolean, bigint,
    double, decimal(18,4), text, date, timestamp, timestamptz, json, or `skip` to leave it out.
    """


class QuerySettings(TableSettings):
    """A query that is a stream."""

    sql: Annotated[str, Field(min_length=1)]
    """One SELECT in the database's SQL. It is the operator's own, and runs as it stands."""
    description: str = ""
    """Shown with the asset."""

    @property
    def source(self) -> str:
        """What stands after FROM; the query may end with a comment."""
        return f"({self.sql.rstrip().rstrip(';')}\n) q"


class SqlSettings(_Model):
    """A database, the streams it has, and how they are read."""

    uri: Annotated[str, AfterValidator(_without_password)]
    """Where it is, without a password: `postgresql://reader@db.example.com/shop`,
    `sqlite:///data/shop.db`, `jdbc:mariadb://db.example.com/shop`. What begins with `jdbc:` is
    read by JDBC, all else by ADBC.
    """
    username: str | None = None
    """Who reads, where the URI does not say."""
    password: SecretStr | None = None
    """The password of that user."""
    driver: str | None = None
    """The ADBC driver: a Python module, as `adbc_driver_snowflake`, or a shared library.
    PostgreSQL, SQLite and DuckDB need none. Of JDBC: the class of the driver, where its jar does
    not say.
    """
    jars: Names = ()
    """The jars of a JDBC driver."""
    options: Mapping[str, str] = {}
    """Further options of the driver, by its own names."""
    secret_options: SecretStr | None = None
    """Those that are secrets, as JSON: `{"adbc.snowflake.sql.client_option.auth_token": "…"}`."""
    schemas: Names = ()
    """The schemas whose tables become streams; default: all but the database's own."""
    only: Names = ()
    """Patterns of the tables that become streams, as `public.order*`; default: all."""
    views: bool = True
    """Whether views become streams, too."""
    tables: Mapping[str, TableSettings] = {}
    """What is said of single tables, by `schema.table`."""
    queries: Mapping[str, QuerySettings] = {}
    """Queries that are streams, by the stream's name."""
    parallel: Annotated[int, Field(ge=1, le=64)] | None = None
    """Connections that read the chunks of one stream at once; default 4, by JDBC 2. One more cuts
    the table meanwhile.
    """
    chunk_rows: Annotated[int, Field(ge=1)] = 100_000
    """About how many rows a chunk has. A run that was killed reads the chunks it had begun anew."""
    fetch_rows: Annotated[int, Field(ge=1)] = 10_000
    """Rows that the driver fetches at a time, where it counts in rows (JDBC, SQLite)."""
    snapshot: Literal["run", "table", "none"] = "run"
    """Of what moment the rows are. `run`: all that one run reads is of one moment; a run that goes
    on after a kill reads the rest as of its own, and says so. `table`: a table is of one moment or
    is not loaded; a killed run begins anew. `none`: each chunk is of the moment it was read, and
    no transaction stays open at the server.
    """

    @field_validator("only", "schemas", "jars", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.is_jdbc and not self.jars:
            raise ValueError("jars are needed for JDBC: name the jar of the driver")
        if not self.is_jdbc and not self.driver and self.scheme not in _ADBC_SCHEMES:
            known = ", ".join(_ADBC_SCHEMES)
            raise ValueError(f"driver is needed for {self.scheme}:; none is for {known}")
        return self

    @property
    def is_jdbc(self) -> bool:
        """Whether a JDBC driver reads it."""
        return self.uri.startswith("jdbc:")

    @property
    def scheme(self) -> str:
        """The first part of the URI, without `jdbc:`: what names the database."""
        return self.uri.removeprefix("jdbc:").partition(":")[0].lower()

    def of_table(self, name: str) -> TableSettings:
        """What is said of the table called `schema.table`."""
        return self.tables.get(name) or TableSettings()
