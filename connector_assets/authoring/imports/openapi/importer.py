"""An OpenAPI document → a draft: which operations are lists, and all that is known of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.draft import Draft, Outcome
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.lists.columns import phrase
from connector_assets.authoring.imports.lists.compose import MOST_COLUMNS, Composer
from connector_assets.authoring.imports.lists.found import (
    Details,
    FoundList,
    ListIndex,
    found_lists,
)
from connector_assets.authoring.imports.lists.operation import Operation
from connector_assets.authoring.imports.lists.rows import FoundRows, rows_of
from connector_assets.authoring.imports.lists.together import column_count, habits_of, needed
from connector_assets.authoring.imports.openapi.auth import Auths
from connector_assets.authoring.imports.openapi.document import Api
from connector_assets.authoring.imports.openapi.operations import operations_of
from connector_assets.authoring.imports.openapi.servers import base_of, server_of, url_text
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.errors import ConfigError

_REMAINING = re.compile(r"(?:^|-)(?:rate-?limit|ratelimit).*remaining$")
_RESET = re.compile(r"(?:^|-)(?:rate-?limit|ratelimit).*reset$")


class OpenApi:
    """Drafts the lists of an OpenAPI document."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """The lists that are wanted, with the parents they are read for."""
        return _Drafting(Api(source), wanted).draft()


class _Drafting:
    def __init__(self, api: Api, wanted: WantedDraft) -> None:
        self.api, self.wanted = api, wanted
        self.parts = Parts("openapi", api.source.name)
        self.operations = list(operations_of(api))

    def draft(self) -> Draft:
        found = self._found()
        index = ListIndex(found)
        chosen = needed(self._chosen(found), index)
        base = base_of(self.api, self.parts)
        bases = self._bases(chosen, base)
        base = bases.pop("", base)
        auths = Auths(self.api, self.parts, url_text(base))
        auth = auths.of([one.operation for one in chosen])
        composer = self._composer(chosen, index, auths)
        for one in chosen:
            composer.add(one, bases.get(one.name))
        composer.finish()
        self.parts.auth = auth
        self._tell_lost()
        return self._finished(base, auths, chosen)

    def _found(self) -> list[FoundList]:
        """The lists of the document; what is none of the candidates is told as skipped."""
        listed: list[tuple[Operation, FoundRows]] = []
        for one in self.operations:
            if one.method == "POST" and not one.is_search:
                continue
            rows = rows_of(one, self.api.schemas)
            if isinstance(rows, FoundRows):
                listed.append((one, rows))
            elif _could_be(one) and not one.ends_in_param and one.method == "GET":
                self._skip("", one, rows)
        details = Details(one for one in self.operations if one.method == "GET")
        return found_lists(listed, details, self.api.schemas)

    def _chosen(self, found: Sequence[FoundList]) -> list[FoundList]:
        patterns = self.wanted.select
        if patterns:
            made = [one for one in found if any(_matches(one, p) for p in patterns)]
            if not made:
                what = f"has no list that matches {', '.join(patterns)[:200]}"
                raise ConfigError(what, where=self.api.source.name, fix="see all with --list")
            self.parts.outcomes.clear()
            return made
        made = []
        for one in found:
            if reason := _left_out(one.operation):
                self._skip(one.name, one.operation, reason)
            else:
                made.append(one)
        return made

    def _skip(self, name: str, operation: Operation, why: str) -> None:
        more = {"method": operation.method, "path": operation.path, "operationId": operation.id}
        self.parts.outcomes.append(Outcome(name, operation.source, "skipped", why, more))

    def _bases(self, chosen: Sequence[FoundList], base: Any) -> dict[str, str]:
        """Base URLs of lists that have servers of their own; "" is what most of them have."""
        own = {
            one.name: url
            for one in chosen
            if (url := server_of(self.api, one.operation.extra.get("servers"), self.parts))
        }
        usual = url_text(base)
        if own and len(own) == len(chosen):
            usual = Counter(own.values()).most_common(1)[0][0]
            if usual != url_text(base):
                self.parts.config.pop("base_url", None)
                self.parts.remarks = [
                    one for one in self.parts.remarks if one.field != "defaults.baseUrl"
                ]
        made = {name: url for name, url in own.items() if url != usual}
        return made | ({"": usual} if usual != url_text(base) else {})

    def _composer(self, chosen: Sequence[FoundList], index: ListIndex, auths: Auths) -> Composer:
        count = column_count(chosen)
        if count > MOST_COLUMNS:
            says = f"columns are left out, {count:,} in all: draft fewer lists with --select"
            self.parts.say("note", "", "read.streams.columns", says)
        return Composer(
            self.parts,
            self.api.schemas,
            index,
            habits_of(index.lists, self.api.schemas),
            columns=count <= MOST_COLUMNS,
            texts=count <= MOST_COLUMNS // 2,
            secured=frozenset(
                auths.sent | {"accesstoken", "apikey"} if auths.sent else {"authorization"}
            ),
        )

    def _tell_lost(self) -> None:
        for ref, why in list(self.api.lost.items())[:20]:
            self.parts.say("question", "", "$ref", f"{ref}: {why}")

    def _finished(self, base: Any, auths: Auths, chosen: Sequence[FoundList]) -> Draft:
        info = self.api.at(self.api.root.get("info"))
        info = info if isinstance(info, Mapping) else {}
        headers = {**auths.headers, **_common_headers(self.parts.endpoints)}
        defaults = {"baseUrl": base} | ({"headers": headers} if headers else {})
        asked = [
            one.says for one in self.parts.remarks if one.field == "auth" and one.kind == "question"
        ]
        title = str(info.get("title") or self.api.source.stem or "API")
        version = str(info.get("version") or "")[:40]
        self.parts.source = (
            f"{self.api.source.name} (OpenAPI {self.api.version}, version {version})"
        )
        draft = self.parts.draft(
            re.sub(r"\s+(?:REST )?API$", "", title) or title,
            self.wanted.id,
            description=phrase(info.get("description")) or None,
            docsUrl=_docs_url(self.api, info),
            rateLimit=_rate_limit(chosen),
            defaults=Noted(defaults, open=asked if not self.parts.auth else []),
        )
        draft.source = self.api.source.name
        return draft


def _could_be(operation: Operation) -> bool:
    """Whether it is worth saying why an operation is no list: it is called like one."""
    listed = f"{operation.id} {operation.summary}".lower()
    return "list" in listed or "search" in listed or "getall" in listed


def _left_out(operation: Operation) -> str:
    if operation.deprecated:
        return "it is deprecated; --select drafts it all the same"
    if "relationships" in operation.segments[:-1]:
        return "it lists only ids of a relationship; --select drafts it all the same"
    return ""


def _matches(one: FoundList, pattern: str) -> bool:
    operation = one.operation
    if pattern.startswith("tag:"):
        wanted = pattern[4:].lower()
        return any(fnmatchcase(tag.lower(), wanted) for tag in operation.tags)
    names = (one.name, operation.path, operation.id, operation.source)
    return any(fnmatchcase(name, pattern) for name in names)


def _common_headers(endpoints: Sequence[Any]) -> dict[str, Any]:
    """The headers that all endpoints send alike, taken out of them."""
    if len(endpoints) < 2:  # noqa: PLR2004 - nothing in common with itself
        return {}
    first = endpoints[0].get("headers") or {}
    same = {
        name: one for name, one in first.items()
        if all((other.get("headers") or {}).get(name) == one for other in endpoints)
    }  # fmt: skip
    for other in endpoints:
        if same:
            other["headers"] = {n: v for n, v in other["headers"].items() if n not in same}
            if not other["headers"]:
                del other["headers"]
    return same


def _docs_url(api: Api, info: Mapping[str, Any]) -> str | None:
    docs = api.at(api.root.get("externalDocs"))
    url = docs.get("url") if isinstance(docs, Mapping) else None
    if not url and isinstance(info.get("contact"), Mapping):
        url = info["contact"].get("url")
    valid = isinstance(url, str) and re.fullmatch(r"https?://[\w.-]+(?:/[\w./#~%-]*)?", url)
    return str(url) if valid else None


def _rate_limit(chosen: Sequence[FoundList]) -> Any:
    """The headers in which the server says what is left of its limit, where it declares them."""
    names = sorted({name for one in chosen for name in one.operation.headers})
    remaining = next((one for one in names if _REMAINING.search(one)), None)
    reset = next((one for one in names if _RESET.search(one)), None)
    if not remaining:
        return None
    made = {"remainingHeader": remaining} | ({"resetHeader": reset} if reset else {})
    return Noted(made, "answers declare these headers")
