"""From an address or a text to a draft with its provenance: read, drafted, judged, tried, told.

Nothing is registered or loaded: what comes is a text for a person.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.answers import MAX_FAULTS
from connector_assets.authoring.drafts.bounds import Spent
from connector_assets.authoring.drafts.by_rules import drafted, examples_of, origins_of
from connector_assets.authoring.drafts.provenance import Claim, Provenance
from connector_assets.authoring.drafts.read_docs import Docs, kind_of, read_docs
from connector_assets.authoring.drafts.refusals import refusals
from connector_assets.authoring.drafts.sourced_text import Sourced
from connector_assets.authoring.imports.commented import bare, to_yaml
from connector_assets.authoring.imports.draft import Draft, DraftRemark
from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Fetch, Source, bounded, fetched_by
from connector_assets.authoring.simulator.trial import Look, tried
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.catalogue import shelf
from connector_assets.errors import ConfigError, SpecError
from connector_assets.runtime.guard.origins import spec_origins
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import read_connector
from connector_assets.spec.lint.lint import at_or_above, lint

PAGE_BYTES = 4 << 20
PAGE_SECONDS = 20.0
_LOOKS: tuple[Look, ...] = ("twice",)
_MOST_QUESTIONS = 200


@dataclass(frozen=True)
class Wanted:
    """What is asked: the documentation's `url` or `text`, and what of it a person wants.

    `model` is the name of a model, or one itself; "" drafts by rules. `taken` are ids that
    connections have, which a draft must not get. `tries` runs the trial on the simulator.
    """

    url: str = ""
    text: str = ""
    wish: str = ""
    model: Any = ""
    taken: frozenset[str] = field(default_factory=frozenset)
    tries: bool = True


def draft_from_docs(wanted: Wanted, fetch: Fetch, spent: Spent) -> dict[str, Any]:
    """The answer: ok, yaml, provenance, open_questions, usage; raises a ConnectorError."""
    if bool(wanted.url.strip()) == bool(wanted.text.strip()):
        raise ConfigError("give one of both: url or text", where="draft")
    docs = _docs(wanted, fetch, spent)
    if docs.document:
        return _imported(wanted, docs, spent)
    return _Drafting(wanted, docs, spent).answer()


def fetch_in_bounds(runtime: HttpRuntime, spent: Spent) -> Fetch:
    """A fetch of pages, each bounded in bytes and time, that ends when the draft is cancelled."""

    def fetch(url: str) -> bytes:
        ended = threading.Event()
        left = max(1.0, spent.bounds.seconds - (spent.clock() - spent.began))
        timer = threading.Timer(min(PAGE_SECONDS, left), ended.set)
        timer.daemon = True
        timer.start()
        try:
            return fetched_by(runtime, most=PAGE_BYTES, seconds=PAGE_SECONDS, cancel=ended)(url)
        finally:
            timer.cancel()

    return fetch


def _docs(wanted: Wanted, fetch: Fetch, spent: Spent) -> Docs:
    if wanted.url.strip():
        return read_docs(wanted.url.strip(), fetch, spent, wanted.wish)
    raw = bounded(wanted.text.encode("utf-8", "replace"), "the text")
    if kind := kind_of(raw):
        return Docs(kind=kind, document=raw, source="the text")
    from connector_assets.authoring.docs_page import read_docs_page

    page = read_docs_page("https://text.invalid/", lambda _: raw)
    return Docs(pages=[Sourced("the text", page.text)])


def _imported(wanted: Wanted, docs: Docs, spent: Spent) -> dict[str, Any]:
    """A document of the API is imported: what it says is not guessed."""
    spent.say(f"importing {docs.source} ({docs.kind})")
    select = tuple(f"*{one}*" for one in wanted.wish.replace(",", " ").split() if len(one) > 3)  # noqa: PLR2004 - no "and"
    source = Source(docs.source, docs.document)
    try:
        draft = import_spec(docs.kind, source, WantedDraft(select))
    except ConfigError:
        if not select:
            raise
        draft = import_spec(docs.kind, source, WantedDraft())
    draft = _with_free_id(draft, wanted.taken)
    page = Sourced(docs.source, f"```\n{docs.document.decode('utf-8', 'replace')}\n```")
    questions = [*_asked(draft.remarks), *_origins_told(draft.data, [])]
    return _answer(draft, Provenance([page]), questions, wanted, spent)


@dataclass
class _Drafting:
    wanted: Wanted
    docs: Docs
    spent: Spent
    draft: Draft = field(init=False)
    origins: list[str] = field(init=False)

    def answer(self) -> dict[str, Any]:
        pages, source = self.docs.pages, self.docs.pages[0].url
        self.spent.say(f"drafting by rules from {len(pages)} pages")
        examples = examples_of(pages, source)
        self.origins = origins_of(examples)
        self.origins += [one.origin for one in examples.tokens if one.origin not in self.origins]
        self.draft = _with_free_id(drafted(pages, source, self.wanted.wish), self.wanted.taken)
        self._judged(self.draft.text, refuse=True)
        questions = [*_asked(self.draft.remarks), *self.docs.left]
        provenance = Provenance(pages)
        draft = self.draft
        if self.wanted.model:
            draft, provenance, asked = self._by_model(pages)
            questions = [*asked, *self.docs.left]
        questions += _origins_told(draft.data, self.origins)
        return _answer(draft, provenance, questions, self.wanted, self.spent)

    def _by_model(self, pages: Sequence[Sourced]) -> tuple[Draft, Provenance, list[str]]:
        from connector_assets.authoring.drafts.model_of import asked_model

        drafting = asked_model(self.wanted.model, self.judge, self.spent)
        made = drafting.draft(pages, self.draft.text, self.wanted.wish)
        claims: Mapping[str, Claim] = made.claims
        data = dict(made.data)
        head = (
            f"Drafted by a model from {pages[0].url}. Behind each value stands the sentence it",
            "rests on, which was looked up there. Look at it, then run: connector-assets test.",
        )
        return (
            replace(self.draft, data=data, head=head),
            Provenance(pages, claims),
            list(made.questions),
        )

    def judge(self, text: str) -> tuple[Mapping[str, Any], list[str]]:
        """A model's document, and why it is not taken."""
        return self._judged(text, refuse=False)

    def _judged(self, text: str, *, refuse: bool) -> tuple[Mapping[str, Any], list[str]]:
        try:
            document = read_connector(text)
        except SpecError as error:
            return {}, [str(one) for one in error.faults[:MAX_FAULTS]]
        data = document.yaml.data
        known = list(bare(self.draft.data.get("secrets")) or ())
        faults = refusals(document.spec, data, self.origins, known)
        if document.spec.id != self.draft.id:
            faults.append(f"id: must stay {self.draft.id}")
        if refuse and faults:
            raise ConfigError("; ".join(faults)[:600], where=self.draft.source)
        if not faults and not refuse:
            faults = [str(one.fault) for one in at_or_above(lint(document), "warning")]
            faults = faults or _trial(data, self.wanted, self.spent)
        return data, faults


def _answer(
    draft: Draft, provenance: Provenance, questions: Sequence[str], wanted: Wanted, spent: Spent
) -> dict[str, Any]:
    provenance.mask = draft.secrets.mask
    data = provenance.noted(draft.data)
    text = to_yaml(data, head=[*draft.head, *_shown(draft.data)])
    document = read_connector(text)
    if draft.secrets.holds(text):
        raise ConfigError("a secret of the pages would be in the draft", where=draft.source)
    places = [_place(document.yaml.data, path) for path in provenance.unsourced]
    open_ = [*questions, *(f"{one}: no source says it; is it right?" for one in places)]
    if spent.model is None:
        found = _trial(document.yaml.data, wanted, spent)
        open_ += [f"the trial on the simulator failed: {one}" for one in found]
    return {
        "ok": True,
        "yaml": text,
        "provenance": provenance.found,
        "open_questions": [draft.secrets.mask(one) for one in dict.fromkeys(open_)][
            :_MOST_QUESTIONS
        ],
        "usage": spent.plain(),
    }


def _place(data: Mapping[str, Any], path: str) -> str:
    """A path with the list's name in it, as questions have it: `orders.pagination.type`."""
    parts = path.split(".")
    if parts[0] == "endpoints":
        return ".".join((str(data["endpoints"][int(parts[1])]["id"]), *parts[2:]))
    if parts[:2] == ["read", "streams"]:
        return ".".join((str(data["read"]["streams"][int(parts[2])]["name"]), *parts[3:]))
    return path


def _trial(data: Mapping[str, Any], wanted: Wanted, spent: Spent) -> list[str]:
    """What a load from a fake of the API finds wrong."""
    if not wanted.tries:
        return []
    spent.say("trying it on the simulator")
    try:
        report = tried(data, looks=_LOOKS)
    except CannotSimulate as error:
        spent.trial = f"not judged: {error}"
        return []
    failed = [one for one in report.points if one.verdict == "failed"]
    spent.trial = "failed" if failed else "held"
    return [f"{one.stream or 'all'}: {one.name}: {one.message}" for one in failed[:10]]


def _with_free_id(draft: Draft, taken: frozenset[str]) -> Draft:
    """The draft with an id that gives it nobody's secrets: variables are named by the id."""
    name = draft.id
    while name in taken or shelf.file_of(name):
        name = f"{name}_draft"
    if name == draft.id:
        return draft
    made = replace(draft, data={**draft.data, "id": name})
    return replace(made, text=to_yaml(made.data, head=made.head))


def _asked(remarks: Sequence[DraftRemark]) -> list[str]:
    asked = [one for one in remarks if one.kind == "question"]
    return [f"{one.stream}.{one.field}: {one.says}".lstrip(".") for one in asked]


def _shown(data: Mapping[str, Any]) -> list[str]:
    origins = _sends_to(data)
    return [f"It sends to {', '.join(origins)}, and to nothing else: is that the API?"]


def _origins_told(data: Mapping[str, Any], seen: Sequence[str]) -> list[str]:
    origins = _sends_to(data)
    told = [f"it sends to {', '.join(origins)}: is that the API?"]
    others = [one for one in seen if one not in origins]
    return told + (
        [f"examples send to {', '.join(others)} too, which is left out"] if others else []
    )


def _sends_to(data: Mapping[str, Any]) -> list[str]:
    return spec_origins(read_connector(to_yaml(data)).spec)
