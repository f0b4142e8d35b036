"""Validators: what one answer says about itself, so that the next may only say "unchanged".

A validator is kept where one answer was the whole list, and sent again only with the very request
it came for. Sources: RFC 9110, sections 8.8 and 13.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from connector_assets.runtime.body.page import Page
from connector_assets.spec.endpoint import Validator
from connector_assets.spec.request.call import Call

VALIDATOR = "validator"
"""The key of a validator beside a stored position."""

_SENT_AS = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}
_LONGEST = 1024
_CERTAIN_S = 1


class Conditional:
    """The validator of one request: that of the last run, then that of this one.

    `fingerprint` stands for all that decides what becomes of the rows; `stored` is what is kept
    with the table.
    """

    def __init__(self, kind: Validator, fingerprint: str, stored: Mapping[str, Any] | None) -> None:
        self._kind, self._fingerprint = kind, fingerprint
        self._stored = (stored or {}).get(VALIDATOR) or {}
        self._of = ""

    def headers(self, call: Call) -> dict[str, str]:
        """What asks for `call` only if it has changed; nothing where it was not asked before."""
        digest = hashlib.sha256(f"{self._fingerprint}\n{call.identity.dumps()}".encode())
        self._of = f"{self._kind}:{digest.hexdigest()[:32]}"
        if self._stored.get("of") != self._of:
            return {}
        return {_SENT_AS[self._kind]: self._stored["value"]}

    def entry(
        self, page: Page | None, is_secret: Callable[[str], bool] = lambda _: False
    ) -> dict[str, Any]:
        """What to keep with the table if `page` is all there is; nothing without a validator.

        One that `is_secret` finds a secret in is not kept.
        """
        value = _etag(page) if self._kind == "etag" else _last_modified(page)
        is_kept = value and not is_secret(value)
        return {VALIDATOR: {"value": value, "of": self._of}} if is_kept else {}


def _etag(page: Page | None) -> str | None:
    return _plain(page.header("etag")) if page else None


def _last_modified(page: Page | None) -> str | None:
    """The date, unless the list may have changed again within the same second."""
    changed = _plain(page.header("last-modified")) if page else None
    sent = page.header("date") if page else None
    try:
        passed = parsedate_to_datetime(sent or "") - parsedate_to_datetime(changed or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return changed if passed.total_seconds() >= _CERTAIN_S else None


def _plain(value: str | None) -> str | None:
    """`value` if it can be stored and sent as it is."""
    fits = value and len(value) <= _LONGEST and value.isascii() and value.isprintable()
    return value if fits else None
