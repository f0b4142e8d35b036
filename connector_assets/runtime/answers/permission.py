"""What a 403 tells of scopes: what the server wants, the token has, the spec asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from connector_assets.spec.auth.credentials import Flow

# RFC 6750 allows more; what servers call a scope is this, and it can be shown.
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")
_WANTED = re.compile(r'\bscope="([^"]{1,1000})"', re.IGNORECASE)
_MOST_SHOWN = 8


def may_not(headers: Mapping[str, str], auth: Flow | None, declared: Sequence[str]) -> str:
    """Why the credentials are not enough, as far as answer, token and spec tell.

    >>> may_not({"www-authenticate": 'Bearer scope="a.read"'}, None, ["b.read"])
    'the credentials are known, but not enough: it wants scope a.read, the spec asks for b.read'
    """
    challenge = _WANTED.search(headers.get("www-authenticate", ""))
    wanted = challenge[1] if challenge else headers.get("x-accepted-oauth-scopes", "")
    granted = headers.get("x-oauth-scopes") or (auth.granted if auth else None) or ""
    told = [
        ("it wants scope", _shown(re.split(r"[\s,]+", wanted))),
        ("the token has", _shown(re.split(r"[\s,]+", granted))),
        ("the spec asks for", _shown(declared)),
    ]
    said = ", ".join(f"{who} {scopes}" for who, scopes in told if scopes)
    return "the credentials are known, but not enough" + (f": {said}" if said else "")


def _shown(scopes: Iterable[str]) -> str:
    named = [scope for scope in scopes if _SCOPE.fullmatch(scope)]
    more = " …" if len(named) > _MOST_SHOWN else ""
    return " ".join(named[:_MOST_SHOWN]) + more
