"""An account of Snowflake: where it is, who we are there, and by what we prove it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connector_assets.errors import ConfigError

FORM = "snowflake://USER@ACCOUNT/DATABASE?warehouse=NAME&role=NAME"
VARIABLES = (
    "SNOWFLAKE_PRIVATE_KEY or SNOWFLAKE_PRIVATE_KEY_FILE (and SNOWFLAKE_PRIVATE_KEY_PASSPHRASE), "
    "SNOWFLAKE_TOKEN or SNOWFLAKE_PASSWORD"
)
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_IN_URL = {"warehouse", "role", "host", "port", "protocol"}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Proof:
    """What a login is proven by: a key pair, an OAuth token or a password, in this order.

    `key` is a private key as PEM, `key_file` the path of one; `passphrase` is that of an encrypted
    key. None of it is in a repr.
    """

    key: str = field(default="", repr=False)
    key_file: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proof:
        """From the variables `SNOWFLAKE_…` that Snowflake's own tools read."""
        return cls(
            *(
                environment.get(f"SNOWFLAKE_{name}", "")
                for name in (
                    *("PRIVATE_KEY", "PRIVATE_KEY_FILE", "PRIVATE_KEY_PASSPHRASE"),
                    *("TOKEN", "PASSWORD"),
                )
            )
        )

    @property
    def way(self) -> str:
        """What proves the login, in words; "" where nothing does."""
        if self.key or self.key_file:
            return "the private key"
        return "the OAuth token" if self.token else "the password" if self.password else ""

    def options(self) -> dict[str, Any]:
        """The connector's arguments."""
        if self.key or self.key_file:
            key = {"private_key": _pem(self.key)} if self.key else {}
            file = {} if self.key else {"private_key_file": self.key_file}
            phrase = {"private_key_password": self.passphrase} if self.passphrase else {}
            return {"authenticator": "SNOWFLAKE_JWT", **key, **file, **phrase}
        if self.token:
            return {"authenticator": "OAUTH", "token": self.token}
        return {"password": self.password}

    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return tuple(one for one in (self.key, self.passphrase, self.token, self.password) if one)


@dataclass(frozen=True, slots=True)
class Account:
    """An account's address, and who logs in there; `host`, `port` and `protocol` are for proxies.

    `database`, `warehouse` and `role` are the user's own defaults where they are "".
    """

    account: str
    user: str
    database: str = ""
    warehouse: str = ""
    role: str = ""
    host: str = ""
    port: int | None = None
    protocol: str = "https"

    @classmethod
    def from_url(cls, url: str) -> Account:
        """Of `snowflake://user@account/database?warehouse=W&role=R`; raises ConfigError."""
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        database = unquote(parts.path.removeprefix("/"))
        if parts.password is not None:
            what, fix = "a password in the URL would be shown", f"set one of {VARIABLES}"
            raise ConfigError(what, where="destination", fix=fix)
        if unknown := sorted(given.keys() - _IN_URL):
            raise ConfigError(
                f'"{unknown[0][:60]}" is not known in a snowflake:// URL',
                where="destination",
                fix=f"known are {', '.join(sorted(_IN_URL))}; the login is proven by {VARIABLES}",
            )
        if not (parts.hostname and parts.username and database) or "/" in database:
            what = "user, account or database is missing"
            raise ConfigError(what, where="destination", fix=f"use {FORM}")
        port = given.pop("port", "")
        if port and not port.isdigit():
            raise ConfigError("the port is no number", where="destination", fix=f"use {FORM}")
        # urlsplit makes the host lower; Snowflake takes an account in any case.
        found = cls(
            parts.hostname,
            unquote(parts.username),
            database,
            port=int(port) if port else None,
            **given,
        )
        found.require_sound("destination")
        return found

    def require_sound(self, where: str) -> None:
        """Raise ConfigError for what is no account, and for HTTP to another machine."""
        if not _ACCOUNT.fullmatch(self.account):
            fix = "write its identifier, as myorg-account123, without https:// and domain"
            raise ConfigError("this is no name of an account", where=where, fix=fix)
        if self.protocol != "https" and (self.protocol != "http" or self.host not in _LOOPBACK):
            fix = "leave protocol out: http is for a server on this machine only"
            raise ConfigError("what is sent would not be encrypted", where=where, fix=fix)

    @property
    def uri(self) -> str:
        """Account and database only."""
        return f"snowflake://{self.account}/{self.database}"

    @property
    def server(self) -> str:
        """The host that is called."""
        return self.host or f"{self.account}.snowflakecomputing.com"

    def options(self) -> dict[str, Any]:
        """The connector's arguments."""
        named = {
            "account": self.account,
            "user": self.user,
            "database": self.database,
            "warehouse": self.warehouse,
            "role": self.role,
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol if self.protocol != "https" else "",
        }
        return {name: value for name, value in named.items() if value}


def _pem(key: str) -> str:
    r"""A key as PEM; environments like to hold it on one line, with \n for its ends of lines."""
    return key.replace("\\n", "\n").strip() + "\n"
