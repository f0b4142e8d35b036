"""A browser's recording (HAR) → a draft: which requests read lists, and how one followed another.

Cookies, tokens and people's data are in such a file: only names are taken from it, and of values
those words that say how to ask.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connector_assets.authoring.imports.draft import Draft
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.read_data import read_mapping
from connector_assets.authoring.imports.recorded import Recorded, RecordedDraft, recorded
from connector_assets.authoring.imports.selection import is_selected
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.errors import ConfigError

MOST_ENTRIES = 50_000


class Har:
    """Reads a HAR file."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """The lists among its JSON answers, of the server that has most of them."""
        data = read_mapping(source, "a HAR file")
        log = data.get("log")
        entries = log.get("entries") if isinstance(log, Mapping) else None
        if not isinstance(entries, list):
            fix = "export it from the browser's network tab"
            raise ConfigError(
                "is not a HAR file: it has no log.entries", where=source.name, fix=fix
            )
        requests = [one for one in _requests(entries[:MOST_ENTRIES]) if one]
        chosen = [one for one in requests if is_selected(wanted.select, one.url, one.path)]
        if not chosen:
            what = "has no request with a JSON answer" if not requests else "has none that matches"
            raise ConfigError(
                what, where=source.name, fix="record with answers, and reload the page"
            )
        parts = Parts("har", source.name)
        drafting = RecordedDraft(parts, urlsplit(chosen[0].url).hostname or "api", wanted.id)
        if _has_cookies(entries):
            says = "the browser sent cookies, which are not copied: the API may go by one of them"
            parts.say("question", "", "auth", says)
        made = drafting.draft(chosen)
        host = urlsplit(str(made.data["defaults"]["baseUrl"])).hostname
        if not wanted.id and host:
            made.data["displayName"] = host
        return made


def _requests(entries: list[Any]) -> Iterator[Recorded | None]:
    for order, entry in enumerate(entries):
        one = entry if isinstance(entry, Mapping) else {}
        request, response = one.get("request"), one.get("response")
        if isinstance(request, Mapping) and isinstance(response, Mapping):
            yield _request(request, response, order)


def _request(
    request: Mapping[str, Any], response: Mapping[str, Any], order: int
) -> Recorded | None:
    url, method = request.get("url"), str(request.get("method", "GET"))
    answer = _answer(response)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or answer is ...:
        return None
    if response.get("status") != 200:  # noqa: PLR2004 - a good answer
        return None
    headers = tuple(p for p in _pairs(request.get("headers")) if p[0].lower() != "cookie")
    try:
        return recorded(
            method,
            url,
            headers=headers,
            body=_body(request.get("postData")),
            answer=answer,
            answer_headers=dict(_pairs(response.get("headers"))),
            personal=True,
            order=order,
        )
    except ValueError:
        return None


def _has_cookies(entries: list[Any]) -> bool:
    requests = (one.get("request") for one in entries if isinstance(one, Mapping))
    named = (_pairs(one.get("headers")) for one in requests if isinstance(one, Mapping))
    return any(name.lower() == "cookie" for pairs in named for name, _ in pairs)


def _pairs(listed: Any) -> Iterator[tuple[str, str]]:
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, Mapping) and isinstance(one.get("name"), str):
            yield one["name"], str(one.get("value") or "")


def _answer(response: Mapping[str, Any]) -> Any:
    """The JSON of an answer, `...` for another or a missing one."""
    content = response.get("content")
    if not isinstance(content, Mapping) or not isinstance(content.get("text"), str):
        return ...
    if "json" not in str(content.get("mimeType", "")).lower():
        return ...
    text: str | bytes = content["text"]
    try:
        if content.get("encoding") == "base64":
            text = base64.b64decode(text)
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError):
        return ...


def _body(posted: Any) -> Any:
    if not isinstance(posted, Mapping):
        return None
    text = posted.get("text")
    if "json" in str(posted.get("mimeType", "")) and isinstance(text, str):
        try:
            return {"json": json.loads(text)}
        except (ValueError, RecursionError):
            return None
    params = dict(_pairs(posted.get("params")))
    return {"form": params} if params else None
