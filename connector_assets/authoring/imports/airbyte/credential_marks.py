"""Which of a manifest's values are secrets, where their use says more than its specification.

Looked for before anything is converted, as what reads a value says which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.authoring.imports.airbyte.given_values import GivenValues, Path
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused, chains_in
from connector_assets.authoring.imports.airbyte.requesters import origin_part

_CREDENTIALS = (
    *("api_token", "client_secret", "refresh_token", "access_token_value"),
    *("secret_key", "password"),
)
_BASIC = ("BasicHttpAuthenticator",)


def mark_values(manifest: Mapping[str, Any], given: GivenValues) -> None:
    """Mark what authenticators send as secret, and what is part of an address as none."""
    components = list(_components(manifest))
    for one in components:
        kind = str(one.get("type"))
        if kind.endswith(("Authenticator",)) or "Auth" in str(one.get("class_name")):
            _secrets_of(one, given)
    for one in components:
        if "url_base" in one or one.get("type") == "HttpRequester":
            for path in _paths(origin_part(str(one.get("url_base") or one.get("url") or ""))):
                given.keep_as(path, "config")


def _secrets_of(component: Mapping[str, Any], given: GivenValues) -> None:
    keys = [key for key in _CREDENTIALS if isinstance(component.get(key), str)]
    if component.get("type") in _BASIC and not _paths(str(component.get("password") or "")):
        keys.append("username")
    for key in keys:
        paths = _paths(str(component.get(key) or ""))
        known = [given.at(path) for path in paths]
        if not any(one.secret for one in known if one):
            for path in paths:
                given.keep_as(path, "secret")


def _paths(text: str) -> list[Path]:
    try:
        chains = chains_in(text)
    except Refused:
        return []
    return [tuple(map(str, one.keys)) for one in chains if one.root == "config" and one.keys]


def _components(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, Mapping):
        yield tree
        for key, value in tree.items():
            if key not in ("schema", "spec", "metadata"):
                yield from _components(value)
    elif isinstance(tree, list):
        for one in tree:
            yield from _components(one)
