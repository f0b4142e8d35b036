"""Every error this package raises, named by what the caller should do about it.

    ConnectorError
    ├── SpecError            fix the document: `.faults` lists every fault at once
    ├── ConfigError          give a value: a config value or a secret is missing or unusable
    ├── BlockedError         the guard refused an address or an origin: allow it, or leave it
    ├── RequestError         the server could not be reached, or answered with a failure
    │   ├── AuthError        401 or 403: check the credentials
    │   └── RateLimited      come back after `.retry_after_s` seconds
    ├── ResponseError        the answer is not what the spec says: fix the spec
    │   ├── PaginationLoop   the server sends the same page or cursor again
    │   ├── StartOver        the server asks to begin the list anew, when that cannot be done
    │   └── PageLimit        `maxPages` reached with more to come: raise it
    ├── LoadError            the destination refused the rows
    │   ├── RowsError        a row cannot be loaded, ever: repair it, or say how to take it
    │   │   └── SchemaError  a column changed and `schemaPolicy` forbids it
    │   └── Busy             someone else holds the stream or the file: wait for them
    └── Cancelled            the caller asked to stop

A message reads `where: what; what to do`, in lower case. It quotes only what is proven harmless:
a status, a method, a host and a path; never a query string, a header or a secret. What a terminal
would obey in it is written out, and no line is longer than 2,000 characters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from connector_assets.legible import message


class ConnectorError(Exception):
    """Base of the tree; `str()` of it is one line fit for a user.

    >>> str(ConnectorError("401", where="GET api.stripe.com/v1/charges", fix='check "apiKey"'))
    'GET api.stripe.com/v1/charges: 401; check "apiKey"'
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def at(self, where: str) -> Self:
        """This error, placed at `where` unless it already says where it happened."""
        self.where = self.where or where
        return self

    def within(self, place: str) -> Self:
        """This error with the larger place it happened in, such as a stream, before its own."""
        name = place.rpartition(".")[2]
        if self.where.startswith(f"{name}, "):
            self.where = place + self.where.removeprefix(name)
        elif self.where and place.startswith((f"{self.where}.", f"{self.where} [")):
            self.where = place
        elif not f"{self.where}:".startswith((f"{place}:", f"{place} [")):
            self.where = f"{place}: {self.where}" if self.where else place
        return self

    def masked(self, mask: Callable[[str], str]) -> Self:
        """This error with secrets masked in all that it says."""
        self.what, self.where, self.fix = mask(self.what), mask(self.where), mask(self.fix)
        self.args = (self.what,)
        return self

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return message(f"{head}; {self.fix}" if self.fix else head)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a document: a dotted path, and where it stands (both 1-based, 0: unknown).

    >>> str(Fault("auth.0.tokenUrl", "must be https://", 9, 15))
    'auth.0.tokenUrl: must be https://'
    """

    path: str
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return message(f"{self.path}: {self.message}" if self.path else self.message)


class SpecError(ConnectorError):
    """A document that cannot be used; `faults` are in document order, `source` names the file."""

    def __init__(self, faults: Sequence[Fault], *, source: str | None = None) -> None:
        self.faults = list(faults)
        self.source = source
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __str__(self) -> str:
        return message(self.what)


class ConfigError(ConnectorError):
    """A config value or secret is missing or unusable; the message names the variable to set."""


class BlockedError(ConnectorError):
    """The guard refused to connect, or to send credentials; nothing was sent."""


class RequestError(ConnectorError):
    """The request failed; `status` is None when no answer came, `retryable` if a try may help.

    `retry_after` is the header of that name, as it came. `part` says what failed where neither the
    type nor the status does: dns, tls, permission.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        status: int | None = None,
        retryable: bool = False,
        retry_after: str = "",
        part: str = "",
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.retryable = status, retryable
        self.retry_after, self.part = retry_after, part


class AuthError(RequestError):
    """401 or 403, or a token endpoint that refuses; `secrets` names those that were used."""

    secrets: Sequence[str] = ()


class RateLimited(RequestError):
    """The server asks for a longer wait than the spec accepts."""

    def __init__(self, what: str, *, retry_after_s: float, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix, status=429)
        self.retry_after_s = retry_after_s


class ResponseError(ConnectorError):
    """An answer that is not what the spec says it is; `retryable` if it may not have come whole."""

    retryable = False


class PaginationLoop(ResponseError):
    """A cursor or a non-empty page came twice: the server would go on for ever."""


class StartOver(ResponseError):
    """The server asks to begin the list anew: its pages so far are void.

    It leaves the runtime where they were given away already, or where it was done once before.
    """


class PageLimit(ResponseError):
    """`maxPages` pages were read and the server has more."""


class LoadError(ConnectorError):
    """The destination refused the rows; the table is as it was."""


class RowsError(LoadError):
    """A row is such that it cannot be loaded, today or later; it takes other rows, or a new spec.

    What was staged is dropped, so that the next run fetches anew.
    """


class SchemaError(RowsError):
    """A column appeared, changed or cannot hold a value, and the policy forbids to adapt."""


class Busy(LoadError):
    """A lock is held by someone else; the message says by whom."""


class Cancelled(ConnectorError):
    """The caller set the cancel event; what was staged stays for the next run."""
