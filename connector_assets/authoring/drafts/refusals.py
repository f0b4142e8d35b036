"""What a draft may hold, whoever wrote it: no origin and no secret that the pages' examples lack.

A model reads a stranger's text, and may do what stands in it. So its draft is looked at as one by
that stranger: it is refused for what it may not hold, and told what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector_assets.runtime.guard.origins import spec_origins
from connector_assets.spec.connector import ConnectorSpec

_KEYS = frozenset(
    (
        *("kind", "version", "id", "displayName", "description", "docsUrl", "config", "secrets"),
        *("auth", "defaults", "rateLimit", "endpoints", "read"),
    )
)
_SECRET = re.compile(r"secrets\s*[.\[]\s*[\"']?(\w+)")
_URL = re.compile(r"https?:(?://|\\)[^\s\"'<>{}|\\]*", re.IGNORECASE)


def refusals(
    spec: ConnectorSpec, data: Mapping[str, Any], origins: Sequence[str], known: Sequence[str]
) -> list[str]:
    """Why a draft is not taken; nothing where it is.

    `origins` are those of the pages' examples; `known` are secrets that examples sign with.
    """
    return [
        *(f"{key}: is no part of a draft; leave it out" for key in data if key not in _KEYS),
        *_origins(spec, data, origins),
        *_secrets(data, known),
    ]


def _origins(spec: ConnectorSpec, data: Mapping[str, Any], allowed: Sequence[str]) -> Iterator[str]:
    named = [one.rstrip("/") for one in spec_origins(spec)]
    written = [_origin(url) for text in _texts(data, "docsUrl") for url in _URL.findall(text)]
    known = {one.lower().rstrip("/") for one in allowed}
    listed = ", ".join(allowed) or "none"
    for one in dict.fromkeys((*named, *written)):
        if _plain(one) not in {_plain(origin) for origin in known}:
            yield f"origin {one[:100]}: no example of the pages sends to it; known: {listed}"


def _origin(url: str) -> str:
    found = re.match(r"https?://[^/?#\s]+", url, re.IGNORECASE)
    return found[0] if found else url


def _plain(origin: str) -> str:
    """An origin without the port that its scheme has anyway."""
    low = origin.lower().rstrip("/")
    return re.sub(r"^(https://.*):443$|^(http://.*):80$", lambda m: m[1] or m[2], low)


def _secrets(data: Mapping[str, Any], known: Sequence[str]) -> Iterator[str]:
    """Secrets are those that examples show, by the names that the draft of the rules has.

    Where no example shows one, what signs requests may have a name, and stands in `auth` alone.
    """
    signed = {name for text in _texts(data.get("auth")) for name in _SECRET.findall(text)}
    allowed = set(known) or signed
    declared = data.get("secrets")
    named = set(declared) if isinstance(declared, Mapping) else set()
    rest = {key: value for key, value in data.items() if key not in ("auth", "secrets")}
    elsewhere = {name for text in _texts(rest) for name in _SECRET.findall(text)}
    for name in sorted((signed | named | elsewhere) - allowed):
        yield f"secrets.{name}: no example is signed with it; leave it out"
    for name in sorted(elsewhere & allowed - set(known)):
        yield f"secrets.{name}: is sent outside of auth; leave it out there"


def _texts(value: Any, *less: str) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key not in less:
                yield str(key)
                yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
