"""What an import gives: a connector with a comment beside each guess, and a report of it all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from connector_assets.authoring.imports.commented import Noted, to_yaml
from connector_assets.errors import ConfigError, SpecError
from connector_assets.redact import Secrets
from connector_assets.spec.document import read_connector
from connector_assets.spec.names.names import RESERVED_IDS, variable_names

Said = Literal["guess", "question", "note"]
_PLACE = re.compile(r"(endpoints|read\.streams)\.(\d+)(?:\.|$)")


@dataclass(frozen=True)
class DraftRemark:
    """Something said of a draft: what was guessed and from what, or what only a person knows.

    `stream` is empty for what concerns the whole connector. `field` is a path in the spec, such as
    `pagination`. `alternatives` are other readings of the same source.
    """

    stream: str
    field: str
    kind: Said
    says: str
    alternatives: Sequence[Any] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one list of the source.

    `state` is one of the importer's words, as drafted, question, skipped or refused; `source` is
    what the source calls the list, such as `GET /orders`.
    """

    stream: str
    source: str
    state: str
    why: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Draft:
    """A connector that is still to be looked at.

    `data` is the document, where values may be `Noted`. `secrets` are those that the source held,
    by the name that templates have for them: the values are kept to make sure that none is in what
    is written, and are never shown.
    """

    kind: str
    source: str
    data: dict[str, Any]
    outcomes: list[Outcome] = field(default_factory=list)
    remarks: list[DraftRemark] = field(default_factory=list)
    secrets: Secrets = field(default_factory=Secrets)
    head: Sequence[str] = ()
    text: str = ""

    @property
    def id(self) -> str:
        """The connector's id."""
        return str(self.data["id"])

    @property
    def variables(self) -> dict[str, str]:
        """The environment variable of each secret that the draft names."""
        return {name: variable_names(self.id, name)[0] for name in self.data.get("secrets", {})}

    def summary(self) -> str:
        """One line: how many lists there are, and what became of them."""
        counts: dict[str, int] = {}
        for one in self.outcomes:
            counts[one.state] = counts.get(one.state, 0) + 1
        told = ", ".join(f"{count:,} {state}" for state, count in counts.items())
        lists = "1 list" if len(self.outcomes) == 1 else f"{len(self.outcomes):,} lists"
        return f"{lists}: {told}" if told else lists

    def plain(self) -> dict[str, Any]:
        """The report as JSON."""
        told: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "source": self.source,
            "summary": self.summary(),
            "streams": [self._stream(one) for one in self.outcomes],
            "remarks": [_plain(one) for one in self.remarks if not one.stream],
            "secrets": [{"name": name, "variable": v} for name, v in self.variables.items()],
        }
        masked: dict[str, Any] = self.secrets.mask_data(told)
        return masked

    def _stream(self, one: Outcome) -> dict[str, Any]:
        remarks = [_plain(r) for r in self.remarks if r.stream and r.stream == one.stream]
        return {
            "stream": one.stream,
            "source": one.source,
            "state": one.state,
            "why": one.why,
            **one.more,
            "remarks": remarks,
        }


def finished(draft: Draft) -> Draft:
    """The draft with its text, which the project's own validator has accepted.

    A stream that turns out not to be valid is taken out and told as refused: one odd list of a
    large document is no reason to give nothing. Raises ConfigError where nothing is left.
    """
    for _ in range(20):
        text = to_yaml(draft.data, head=draft.head)
        try:
            read_connector(text)
        except SpecError as error:
            draft = _without(draft, error)
            continue
        if draft.secrets.holds(text):
            names = ", ".join(sorted(draft.secrets))
            what = f"a secret of it ({names}) would be in the draft"
            raise ConfigError(what, where=draft.source, fix="take it out of names and paths first")
        return replace(draft, text=text)
    raise ConfigError("its draft is not valid", where=draft.source, fix="this is a bug")


def _without(draft: Draft, error: SpecError) -> Draft:
    """Less the endpoints and streams at fault, and the streams that read from those."""
    faults: dict[str, str] = {}
    read = draft.data["read"]
    kept = {"endpoints": draft.data["endpoints"], "read.streams": read.get("streams", [])}
    for fault in error.faults:
        found = _PLACE.match(fault.path)
        if found is None:
            raise ConfigError(
                f"its draft is not valid: {draft.secrets.mask(str(fault))}", where=draft.source
            )
        one = _value(kept[found[1]][int(found[2])])
        name = str(_value(one.get("id") or one.get("name")))
        faults.setdefault(name, fault.message)
    gone = _dependents(kept["read.streams"], set(faults))
    streams = [one for one in kept["read.streams"] if _named(one, "name") not in gone]
    dynamic = [one for one in read.get("dynamic", []) if not _endpoints(one) & set(faults)]
    used = set().union(*(_endpoints(one) for one in (*streams, *dynamic)))
    endpoints = [one for one in kept["endpoints"] if _named(one, "id") in used]
    if not streams:
        why = next(iter(faults.values()))
        raise ConfigError(f"nothing of it makes a valid stream: {why}", where=draft.source)
    outcomes = [
        replace(
            one, state="refused", why=faults.get(one.stream, "it reads from one that is refused")
        )
        if one.stream in gone
        else one
        for one in draft.outcomes
    ]
    read = {**read, "streams": streams} | ({"dynamic": dynamic} if dynamic else {})
    if not dynamic:
        read.pop("dynamic", None)
    return replace(
        draft, data={**draft.data, "endpoints": endpoints, "read": read}, outcomes=outcomes
    )


def _dependents(streams: Iterable[Any], faulty: set[str]) -> set[str]:
    """The faulty ones, and all that read from an endpoint or a stream of them."""
    gone = set(faulty)
    while True:
        more = {
            _named(one, "name")
            for one in streams
            if _reads(_value(one)) & gone and _named(one, "name") not in gone
        }
        if not more:
            return gone
        gone |= more


def _endpoints(stream: Any) -> set[str]:
    """The ids of the endpoints that a stream is read from, or named by."""
    given = _value(stream)
    begun = _value(given.get("initial")) or {}
    named = (given.get("endpoint", given["name"]), begun.get("endpoint"), given.get("from"))
    return {str(_value(one)) for one in named if one}


def _reads(stream: Mapping[str, Any]) -> set[str]:
    names = _endpoints(stream)
    for each in _value(stream.get("forEach")) or ():
        parents = _value(_value(each).get("parent")) or ()
        for parent in [parents] if isinstance(parents, Mapping) else parents:
            names.add(str(_value(_value(parent)["stream"])))
    return names


def _named(one: Any, key: str) -> str:
    return str(_value(_value(one)[key]))


def _value(one: Any) -> Any:
    return one.value if isinstance(one, Noted) else one


def _plain(remark: DraftRemark) -> dict[str, Any]:
    told = {"field": remark.field, "kind": remark.kind, "says": remark.says}
    return told | ({"alternatives": list(remark.alternatives)} if remark.alternatives else {})


def connector_id(text: str, default: str = "api") -> str:
    """An id that is valid, made of what a document or file is called.

    >>> connector_id("The Shop API (v2)")
    'the_shop_api_v2'
    """
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    words = re.sub(r"^[0-9_]+", "", words)[:60].strip("_") or default
    return f"{words}_api" if words in RESERVED_IDS else words


class Names:
    """Names that are valid, and given once; the second of a kind gets a number.

    >>> names = Names()
    >>> names.new("orders/list"), names.new("orders list")
    ('orders_list', 'orders_list_2')
    """

    def __init__(self, longest: int = 60) -> None:
        self._taken: set[str] = set()
        self._longest = longest

    def new(self, text: str, default: str = "list") -> str:
        """A name like `text` that no one has yet."""
        word = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
        word = re.sub(r"_{2,}", "_", word)[: self._longest].strip("_") or default
        word = word if word[0].isalpha() else f"{default}_{word}"[: self._longest].strip("_")
        name, number = word, 1
        while name.lower() in self._taken:
            number += 1
            name = f"{word}_{number}"
        self._taken.add(name.lower())
        return name


_TAKEN = frozenset(
    (
        *("config", "secrets", "stream", "item", "parent", "window", "cursor", "record", "page"),
        *("resourceType", "response", "headers", "status", "now", "today", "duration", "true"),
        *("false", "none", "null", "and", "or", "not", "if", "else", "in", "is"),
    )
)
"""Names that templates have already."""


def template_name(name: str) -> str:
    """A name that templates can read, and that none of their own is called.

    >>> template_name("customer-id"), template_name("page")
    ('customer_id', 'page_value')
    """
    word = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9_]+", "_", name)).strip("_")[:50] or "value"
    word = word if not word[0].isdigit() else f"p_{word}"
    return f"{word}_value" if word in _TAKEN else word


class AsWritten(str):
    """A text that is a template already, so that its braces stay as they are."""

    __slots__ = ()


def template_text(text: str) -> str:
    """`text` so that a template gives it as it is: its braces are no template of ours.

    >>> template_text("{{x}}")
    "{{ '{{' }}x}}"
    """
    return text.replace("{{", "{{ '{{' }}")
