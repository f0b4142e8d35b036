"""Pages of documentation → a draft, by the rules that importers have, without a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from connector_assets.authoring.drafts.examples import Example, Examples, origin_of
from connector_assets.authoring.drafts.said import limit_of, token_url
from connector_assets.authoring.drafts.sourced_text import Sourced
from connector_assets.authoring.imports.draft import Draft, Outcome, finished
from connector_assets.authoring.imports.lists.compose import Composer
from connector_assets.authoring.imports.lists.found import Details, ListIndex, found_lists
from connector_assets.authoring.imports.lists.operation import Operation
from connector_assets.authoring.imports.lists.rows import FoundRows, rows_of
from connector_assets.authoring.imports.lists.schema import View
from connector_assets.authoring.imports.lists.together import habits_of, needed
from connector_assets.authoring.imports.recorded import RecordedDraft
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.errors import ConfigError

_UNSEEN = "no answer is shown: say where its rows are, and how it pages"
_OPEN = re.compile(
    r"\b(?:no (?:authentication|api key|credentials)|without (?:authentication|an api key)"
    r"|(?:does not|doesn't) (?:need|require) (?:authentication|an api key|credentials))\b",
    re.IGNORECASE,
)
_PROSE = (
    ("bearer", re.compile(r"authorization:\s*bearer|bearer token", re.IGNORECASE)),
    ("basic", re.compile(r"(?:http )?basic auth", re.IGNORECASE)),
)


def examples_of(pages: Sequence[Sourced], source: str) -> Examples:
    """What the pages show."""
    found = Examples(RecordedDraft(Parts("docs", source), "", None))
    for page in pages:
        found.read(page)
    return found


def origins_of(examples: Examples) -> list[str]:
    """The origins that the examples send to, the most frequent first."""
    counted = Counter(examples.origins)
    counted.update(one.origin for one in examples.calls.values() if one.origin)
    if not counted:
        counted.update(origin_of(one) for one in examples.bases)
    return [one for one, _ in counted.most_common()]


def drafted(pages: Sequence[Sourced], source: str, wish: str = "", wanted_id: str = "") -> Draft:
    """The draft; raises ConfigError where the pages show no list."""
    return finished(_Drafting(examples_of(pages, source), pages, wish, wanted_id).draft())


class _Drafting:
    def __init__(
        self, examples: Examples, pages: Sequence[Sourced], wish: str, wanted_id: str
    ) -> None:
        self.examples, self.pages, self.wish, self.id = examples, pages, wish, wanted_id
        self.drafting = examples.drafting
        self.parts = self.drafting.parts
        self.schemas = self.drafting.schemas

    def draft(self) -> Draft:
        base = self._base()
        operations = self._operations(base)
        listed = [(one, rows) for one in operations if (rows := self._rows(one)) is not None]
        if not listed:
            fix = "give --model, or an OpenAPI document, or write it by hand"
            raise ConfigError("shows no list that rules can read", where=self.parts.source, fix=fix)
        found = found_lists(listed, Details(operations), self.schemas)
        index = ListIndex(found)
        composer = Composer(self.parts, self.schemas, index, habits_of(found, self.schemas))
        words = re.findall(r"[a-z]{3,}", self.wish.lower())
        chosen = [one for one in found if any(w.rstrip("s") in one.name for w in words)] or found
        for one in needed(chosen, index):
            composer.add(one)
        composer.finish()
        self.parts.auth = self._auth()
        host = re.sub(r"^(?:www|api)\.", "", base.partition("://")[2].partition("/")[0])
        rate = limit_of(self.pages)
        limit = {"requestsPerSecond": rate} if rate else None
        more = {"defaults": {"baseUrl": base}, "rateLimit": limit}
        return self.parts.draft(host, self.id or None, **more)

    def _base(self) -> str:
        origins = origins_of(self.examples)
        if not origins:
            fix = "give a page with an example request, as curl https://…"
            raise ConfigError("names no address of the API", where=self.parts.source, fix=fix)
        counted = Counter(one.origin for one in self.examples.calls.values() if one.origin)
        origin = counted.most_common(1)[0][0] if counted else origins[0]
        others = [one for one in counted if one != origin]
        if others:
            says = (
                f"examples send to {', '.join(others)} too: only {origin} is drafted; is it right?"
            )
            self.parts.say("question", "", "defaults.baseUrl", says)
        return self._prefixed(origin)

    def _prefixed(self, origin: str) -> str:
        """The origin with the path that calls are written below, where the pages say one."""
        bases = [one for one in self.examples.bases if origin_of(one) == origin]
        below = next((one[len(origin) :] for one in bases if one != origin), "")
        if not below:
            return origin
        calls = [one for one in self.examples.calls.values() if one.origin in ("", origin)]
        for one in calls:
            if one.origin and not one.path.startswith(f"{below}/"):
                return origin  # an example that is whole goes before what is said
        for one in calls:
            one.path = one.path.removeprefix(below) or "/"
        self.examples.merge()
        return origin + below

    def _operations(self, base: str) -> list[Operation]:
        origin = origin_of(base)
        made = []
        for one in self.examples.calls.values():
            if one.origin and one.origin != origin:
                self._skip(one, "it is of another server")
                continue
            made.append(one.operation(list(self.examples.shared.values()), self.examples.linked))
        return made

    def _skip(self, one: Example | Operation, why: str) -> None:
        self.parts.outcomes.append(Outcome("", f"{one.method} {one.path}"[:200], "skipped", why))

    def _rows(self, one: Operation) -> FoundRows | None:
        if one.method != "GET" and not one.is_search:
            self._skip(one, "it writes")
            return None
        if one.answer is None:
            if one.ends_in_param:
                self._skip(one, "it reads one thing")
                return None
            return FoundRows("", "no answer is shown", View(), question=_UNSEEN)
        rows = rows_of(one, self.schemas)
        if isinstance(rows, str):
            self._skip(one, rows)
            return None
        return rows

    def _auth(self) -> list[Any]:
        if self.examples.tokens:
            return [self._oauth(self.examples.tokens[0].url)]
        if url := token_url(self.pages, origins_of(self.examples)):
            return [self._oauth(url)]
        found = list(self.drafting.credentials.auth)
        return found or self._by_prose()

    def _oauth(self, token_url: str) -> dict[str, Any]:
        self.parts.remarks = [one for one in self.parts.remarks if one.field != "auth"]
        kept = {"clientId", "clientSecret"}
        for name in [one for one in self.parts.secrets if one not in kept]:
            del self.parts.secrets[name]
        client = self.parts.secret("clientId", "The client's id")
        secret = self.parts.secret("clientSecret", "The client's secret")
        return {
            "type": "oauth2",
            "grant": "client_credentials",
            "tokenUrl": token_url,
            "clientIdRef": client,
            "clientSecretRef": secret,
        }

    def _by_prose(self) -> list[Any]:
        kinds = {
            kind
            for page in self.pages
            for sentence in page.sentences
            for kind, words in _PROSE
            if words.search(sentence)
        }
        if not kinds and any(_OPEN.search(one) for page in self.pages for one in page.sentences):
            return [{"type": "none"}]
        if kinds == {"bearer"}:
            return [{"type": "bearer", "tokenRef": self.parts.secret("token", "The API token")}]
        says = "no example shows credentials: say how requests are signed, if they are"
        self.parts.say("question", "", "auth", says)
        return []
