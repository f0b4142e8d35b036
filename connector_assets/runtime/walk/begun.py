"""A page that was asked for ahead, by the thread that reads the page before it.

The server works on it meanwhile, and no other thread takes part: where answers come at once, to
hand a page from thread to thread costs more than to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from connector_assets.errors import ConnectorError
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.http.exchange import Answer, Exchange
from connector_assets.runtime.http.request import Request


class Begun(Struct, frozen=True):
    """A page that was asked for, whose answer nobody has waited for yet."""

    request: Request
    exchange: Exchange
    free: Callable[[], None]
    read: Callable[[Answer], Page]

    def __repr__(self) -> str:
        return f"Begun({self.request})"

    def result(self) -> Page | None:
        """The page; None if this one try did not bring it."""
        try:
            try:
                answer = self.exchange.answer(self.request)
            finally:
                self.free()
            return self.read(answer)
        except ConnectorError:
            return None

    def cancel(self) -> None:
        """Have it that nobody will ask for the page."""
        try:
            self.exchange.drop()
        finally:
            self.free()
