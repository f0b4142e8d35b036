"""Where the API is: the servers of a document as a base URL, or as a value to be given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.draft import template_name
from connector_assets.authoring.imports.lists.columns import phrase
from connector_assets.authoring.imports.openapi.document import Api
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.spec.names.url import join

_FOR_TESTS = re.compile(r"sandbox|test|stag|dev|mock|local|demo|beta|preview", re.IGNORECASE)
_VARIABLE = re.compile(r"\{([^{}]+)\}")


def base_of(api: Api, parts: Parts) -> Any:
    """The base URL of the document, with what it was chosen from."""
    servers = _servers(api)
    usable = [one for one in servers if _absolute(one, api)]
    if not usable:
        return _asked(parts, bool(servers))
    real = [one for one in usable if not _is_for_tests(one)]
    chosen = (real or usable)[0]
    others = [_absolute(one, api) for one in usable if one is not chosen]
    url = _with_config(chosen, _absolute(chosen, api), parts)
    if len(real) > 1 and all(_is_plain(one, api) for one in real) and _same_path(real, api):
        return _one_of(real, api, parts)
    why = f"one of several servers; others: {', '.join(others[:5])}" if others else ""
    if others:
        parts.say("guess", "", "defaults.baseUrl", why, *others)
    return Noted(url, why)


def server_of(api: Api, said: Any, parts: Parts) -> str | None:
    """The base URL of one operation that has servers of its own."""
    listed = [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []
    usable = [one for one in listed if _absolute(one, api)]
    real = [one for one in usable if not _is_for_tests(one)] or usable
    return _with_config(real[0], _absolute(real[0], api), parts) if real else None


def url_text(base: Any) -> str:
    """A base URL without its comment."""
    return str(base.value if isinstance(base, Noted) else base)


def _servers(api: Api) -> list[Mapping[str, Any]]:
    if api.version == "2.0":
        host = api.root.get("host")
        schemes = api.root.get("schemes")
        scheme = "https" if not schemes or "https" in schemes else "http"
        path = str(api.root.get("basePath") or "")
        return [{"url": f"{scheme}://{host}{path}"}] if isinstance(host, str) else []
    listed = api.root.get("servers")
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _absolute(server: Mapping[str, Any], api: Api) -> str:
    """The server's URL, a relative one joined to the document's; empty where it is not whole."""
    url = str(server.get("url") or "").strip()
    if api.source.url and not re.match(r"https?://|\{", url):
        url = join(api.source.url, url)
    if "#" in url or "?" in url or not re.match(r"https?://[^/\s]|\{[^{}]+\}", url):
        return ""
    return url.rstrip("/")


def _is_for_tests(server: Mapping[str, Any]) -> bool:
    text = f"{urlsplit(str(server.get('url'))).netloc} {server.get('description', '')}"
    return bool(_FOR_TESTS.search(text))


def _is_plain(server: Mapping[str, Any], api: Api) -> bool:
    return "{" not in _absolute(server, api)


def _same_path(servers: list[Mapping[str, Any]], api: Api) -> bool:
    return len({urlsplit(_absolute(one, api)).path for one in servers}) == 1


def _one_of(servers: list[Mapping[str, Any]], api: Api, parts: Parts) -> Any:
    """Several servers that do the same, as those of regions: the connection chooses."""
    urls = list(dict.fromkeys(_absolute(one, api) for one in servers))
    parts.config["base_url"] = {"description": "The server", "default": urls[0], "enum": urls}
    parts.say("guess", "", "defaults.baseUrl", "several servers: the connection chooses", *urls)
    return Noted("{{base_url}}", "one of several servers: the connection chooses")


def _with_config(server: Mapping[str, Any], url: str, parts: Parts) -> str:
    """The URL with its variables as values of the connection."""
    variables = server.get("variables")
    known = variables if isinstance(variables, Mapping) else {}

    def template(found: re.Match[str]) -> str:
        name = template_name(found[1])
        said = known.get(found[1])
        field: dict[str, Any] = {}
        if isinstance(said, Mapping):
            field["description"] = phrase(said.get("description")) or f"Part of {server.get('url')}"
            if isinstance(said.get("default"), str | int) and said["default"] != "":
                field["default"] = str(said["default"])
            enum = said.get("enum")
            if isinstance(enum, list) and 1 < len(enum) <= 50:  # noqa: PLR2004 - a list to choose from
                field["enum"] = [str(one) for one in enum]
        return f"{{{{{parts.value(name, field)}}}}}"

    return _VARIABLE.sub(template, url)


def _asked(parts: Parts, is_relative: bool) -> Any:
    what = "its server is relative" if is_relative else "it names no server"
    parts.config["base_url"] = {"description": "Where the API is, as https://api.example.com/v1"}
    parts.say("question", "", "defaults.baseUrl", f"{what}: give base_url, or write the address")
    return Noted("{{base_url}}", open=[f"{what}: write the address here, or give base_url"])
