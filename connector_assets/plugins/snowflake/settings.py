"""What a connection says of a Snowflake account: who reads, which tables and queries, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from connector_assets.errors import ConfigError
from connector_assets.snowflake.account import Account, Proof

Names = tuple[str, ...]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class TableSettings(_Model):
    """What is said of one table or view."""

    cursor: str | None = None
    """A column that grows with each change: a run then reads only what is beyond the stored
    position. A time or a number.
    """
    primary_key: Names = ()
    """Columns that identify a row, where Snowflake does not know."""
    where: str = ""
    """A condition in Snowflake's SQL that the rows fulfil."""
    unload: bool | None = None
    """Whether it is read through files in a stage, whatever `unload` of the connection says."""


class QuerySettings(TableSettings):
    """A query that is a stream."""

    sql: Annotated[str, Field(min_length=1)]
    """One SELECT. It is the operator's own, and runs as it stands."""
    description: str = ""
    """Shown with the asset."""


class SnowflakeSettings(_Model):
    """An account, the streams it has, and how they are read."""

    account: Annotated[str, Field(min_length=1)]
    """The account's identifier, as `myorg-account123`."""
    user: Annotated[str, Field(min_length=1)]
    """Who reads."""
    database: Annotated[str, Field(min_length=1)]
    """The database whose tables are read."""
    warehouse: str = ""
    """The warehouse that computes; default: the user's."""
    role: str = ""
    """The role that reads; default: the user's."""
    private_key: SecretStr | None = None
    """A private key as PEM, for key-pair authentication."""
    private_key_file: str = ""
    """Or the path of one."""
    private_key_passphrase: SecretStr | None = None
    """The passphrase of an encrypted key."""
    token: SecretStr | None = None
    """An OAuth access token."""
    password: SecretStr | None = None
    """A password, where there is neither a key nor a token."""
    query_tag: str = ""
    """QUERY_TAG of all queries; default: JSON with the connection and the stream."""
    schemas: Names = ()
    """The schemas whose tables become streams; default: all but INFORMATION_SCHEMA."""
    only: Names = ()
    """Patterns of the tables that become streams, as `PUBLIC.ORDER*`; default: all."""
    views: bool = True
    """Whether views become streams, too."""
    tables: Mapping[str, TableSettings] = {}
    """What is said of single tables, by `SCHEMA.TABLE`."""
    queries: Mapping[str, QuerySettings] = {}
    """Queries that are streams, by the stream's name."""
    unload: Literal["auto", "always", "never"] = "auto"
    """Whether rows come through Parquet files in the user's stage (COPY INTO), and not as the
    result of the query. `auto`: tables of more than `unloadRows` rows, which are not read by a
    cursor.
    """
    unload_rows: Annotated[int, Field(ge=1)] = 50_000_000
    """From how many rows on `auto` unloads a table."""
    file_mb: Annotated[int, Field(ge=1, le=5000)] = 64
    """About how large an unloaded file is; one is on disk at a time."""
    host: str = ""
    """Where it is called, if not at `<account>.snowflakecomputing.com`: for PrivateLink."""
    port: int | None = None
    protocol: Literal["https", "http"] = "https"

    @field_validator("only", "schemas", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            self.as_account.require_sound("")
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.fix}") from None
        if not self.proof.way:
            raise ValueError("privateKey, privateKeyFile, token or password is needed")
        return self

    @property
    def as_account(self) -> Account:
        return Account(
            self.account,
            self.user,
            self.database,
            self.warehouse,
            self.role,
            self.host,
            self.port,
            self.protocol,
        )

    @property
    def proof(self) -> Proof:
        """What proves the login."""

        def plain(secret: SecretStr | None) -> str:
            return secret.get_secret_value() if secret else ""

        return Proof(
            plain(self.private_key),
            self.private_key_file,
            plain(self.private_key_passphrase),
            plain(self.token),
            plain(self.password),
        )

    def of_table(self, path: str) -> TableSettings:
        """What is said of the table called `SCHEMA.TABLE`."""
        return self.tables.get(path) or TableSettings()
