"""What Snowflake refuses, in our words: what to do, and no value, no query and no secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from snowflake.connector import errors

_LONGEST = 300
_LOGINS, _DATA = range(390000, 400000), range(100000, 110000)
_LOGIN_FIXES = {
    390100: "check user and password",
    390144: "check the private key: its public key must be set for this user (ALTER USER … SET "
    "RSA_PUBLIC_KEY), and the account must be spelled as Snowflake spells it",
    390189: "grant the role to the user, or name another",
    390303: "get a new OAuth token",
    390318: "get a new OAuth token",
    390114: "log in again",
    390422: "allow this machine's address in the account's network policy",
    390201: "check the database, or grant its use to the role",
}
_FIXES = {
    606: "name a warehouse, or set the user's default",
    608: "resume the warehouse, or name another",
    625: "wait for the transaction that holds the table, or end it",
    709: "run it again: the result is no longer kept",
    2003: "check the name, and grant the role what it lacks",
    2043: "check the name, and grant the role what it lacks",
    3001: "grant the role what it lacks",
    90073: "wait for the warehouse's budget, or raise its resource monitor's quota",
}
_LOCKED, _GONE = {625}, {709, 612}
_ABSENT = {2003, 2043}
_UNREACHABLE = re.compile(
    r"dns|resolve|connection refused|timed? ?out|error sending request|tls|certificate|unreachable",
    re.IGNORECASE,
)
_REQUEST = re.compile(r"\s*\((?:request_id|sfqid)=[^)]*\)")
_NUMBER = re.compile(r"^\s*\d{6} \(\w{5}\): ")
# Messages about values quote them; those about names do as well, and these help.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused, and what to do; `number` is Snowflake's own of the error."""

    number: int
    what: str
    fix: str

    @property
    def is_about_a_value(self) -> bool:
        """Whether a value did not fit: Snowflake's numbers from 100000 on are about data."""
        return self.number in _DATA

    @property
    def is_login(self) -> bool:
        return self.number in {250001, 251001} or self.number in _LOGINS

    @property
    def is_locked(self) -> bool:
        return self.number in _LOCKED

    @property
    def is_absent(self) -> bool:
        """Whether what was named is not there, or not for this role: Snowflake does not tell."""
        return self.number in _ABSENT

    @property
    def is_gone(self) -> bool:
        """Whether a result is no longer kept."""
        return self.number in _GONE


def refusal_of(error: errors.Error, server: str, secrets: Iterable[str] = ()) -> Refusal:
    """An error of the connector's, told of the host `server`."""
    number = _number(error)
    text = str(getattr(error, "raw_msg", "") or error.msg or error)
    for secret in secrets:
        text = text.replace(secret, "***")
    if number in _LOGINS:
        return Refusal(number, f"the login failed: {_plain(text)}", _LOGIN_FIXES.get(number, ""))
    if number in {250001, 250003, 251001, 4} and _UNREACHABLE.search(text):
        what = f"{server} could not be reached"
        fix = "check the account's name, the network and proxies (HTTPS_PROXY)"
        return Refusal(250001, what, fix)
    what = _plain(text)
    if number in _DATA:
        what = _QUOTED.sub("…", what)
    return Refusal(number, f"{what} ({number:06d})", _FIXES.get(number, ""))


def _number(error: errors.Error) -> int:
    """Snowflake's own number, which a failed login has in its text only."""
    found = re.search(r"\b(39\d{4})\b", str(error))
    if found:
        return int(found[1])
    number = error.errno
    return number if isinstance(number, int) and number >= 0 else 0


def _plain(text: str) -> str:
    """A message without its numbers, on one line, as far as it may be told."""
    text = _REQUEST.sub("", text)
    while found := _NUMBER.search(text):
        text = text[found.end() :]
    text = re.sub(r"\s+", " ", text.replace("SQL compilation error:", "")).strip()
    return text[:_LONGEST] or "Snowflake refused it"
