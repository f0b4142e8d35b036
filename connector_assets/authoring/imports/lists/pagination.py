"""How a list goes on after its first answer, by what the operation declares.

The rules are tried in order. The first are those that end by themselves, as a Link header does, and
do no harm where nothing follows; a wrong page number reads rows twice or loses them. So a question
is better than a guess without evidence, and nothing is guessed in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connector_assets.authoring.imports.lists import page_words as words
from connector_assets.authoring.imports.lists.operation import Param, plain, words_in
from connector_assets.authoring.imports.lists.page_facts import (
    ListFacts,
    Paging,
    Step,
    begins_at_one,
    begins_at_zero,
    done,
    has_more,
    totals,
)
from connector_assets.authoring.imports.lists.rows import dotted
from connector_assets.authoring.imports.lists.schema import View


def linked_by(facts: ListFacts) -> list[str]:
    """The cursor parameters of a list that a Link header leads on."""
    if not (_declared_link(facts) or _told_link(facts)):
        return []
    return [one.name for one in facts.params if words.is_cursor(one)]


def cursor_of(facts: ListFacts) -> tuple[str, str] | None:
    """A cursor's parameter and the field that fills it, where both are declared."""
    found = _cursor(facts)
    return (found.spec["cursorParam"], found.spec["cursorField"]) if found else None


def paging_of(facts: ListFacts) -> Paging:
    """How the list goes on; a pagination `none` with a question where that is not told."""
    for rule in RULES:
        found = rule(facts)
        if found is not None:
            kind = found.spec["type"]
            spec = found.spec if kind == "none" else {**found.spec, "maxPages": "unlimited"}
            return replace(found, spec=_in_body(facts, spec) if facts.operation.has_body else spec)
    return _nothing(facts)


def _declared_link(facts: ListFacts) -> Paging | None:
    if "link" not in facts.operation.headers:
        return None
    return _link(facts, "the answer declares a Link header")


def _declared_extension(facts: ListFacts) -> Paging | None:
    """`x-speakeasy-pagination` says it outright; a URL in it is the surest."""
    said = facts.operation.extra.get("x-speakeasy-pagination")
    outputs = said.get("outputs") if isinstance(said, Mapping) else None
    path = outputs.get("nextUrl") if isinstance(outputs, Mapping) else None
    if not isinstance(path, str):
        return None
    spec = {"type": "next_url", "urlField": re.sub(r"^\$\.?", "", path)}
    return Paging(spec, "the document's x-speakeasy-pagination says so", params=facts.size_params)


def _told_link(facts: ListFacts) -> Paging | None:
    """A Link header that only a text speaks of."""
    if any(words.next_url_rank(p, v, set()) > 1 for p, v in facts.fields.items()):
        return None
    for param in facts.params:
        text = f"{param.text} {param.view.text}"
        if (words.is_cursor(param) or words.is_size(param) or words.is_page(param)) and (
            words.speaks_of_link(text)
        ):
            return _link(facts, f"the text of {param.name} speaks of a Link header")
    if words.speaks_of_link(facts.operation.text):
        return _link(facts, "the operation's text speaks of a Link header")
    return None


def _link(facts: ListFacts, why: str) -> Paging:
    numbered = [one.name for one in facts.params if words.is_page(one)]
    others = [f"page by {name}" for name in numbered]
    return Paging({"type": "link_header"}, why, params=facts.size_params, others=others)


def _next_url(facts: ListFacts) -> Paging | None:
    siblings = {plain(path[-1]) for path in facts.fields}
    ranked = [(words.next_url_rank(p, v, siblings), p, v) for p, v in facts.fields.items()]
    best = max((rank for rank, _, _ in ranked), default=0)
    if not best:
        return None
    path = next(path for rank, path, _ in ranked if rank == best)
    token = facts.first(lambda one: words.is_cursor(one) or words.is_token_in(one))
    numbered = facts.first(words.is_page) or facts.first(words.is_offset)
    if best < 2 and (token or numbered):  # noqa: PLR2004 - only perhaps a URL
        return None
    why = f"the answer has {'.'.join(path)}"
    question = "" if best > 1 else f"{'.'.join(path)} may be something else than a URL"
    others = [f"{one.name} is a parameter as well" for one in (token, numbered) if one]
    spec = {"type": "next_url", "urlField": dotted(path)}
    return Paging(spec, why, question, facts.size_params, others)


def _cursor(facts: ListFacts) -> Paging | None:
    param = facts.first(words.is_cursor, words.CURSORS)
    if param is None:
        return None
    path = _field_for(facts, param)
    if path is None:
        return None
    spec = {"type": "cursor", "cursorField": dotted(path), "cursorParam": param.name}
    spec |= has_more(facts)
    why = f"{param.name} takes what the answer has as {'.'.join(path)}"
    end = done(facts)
    question = (
        f"the server says the end as {end}, which this pagination does not read" if end else ""
    )
    return Paging(facts.with_size(spec), why, question, _switched_on(facts, param))


def _switched_on(facts: ListFacts, param: Param) -> dict[str, Any]:
    """A flag such as `usemarker`, without which the server pages in another way."""
    flags = [one for one in facts.operation.of("query") if "boolean" in one.view.types]
    named = re.compile(rf"(?:use|with)?{re.escape(param.word)}\w{{0,12}}")
    return {one.name: True for one in flags if named.fullmatch(one.word)}


def _field_for(facts: ListFacts, param: Param) -> Step | None:
    """The field that a cursor parameter takes: called alike first, then any usual name."""
    own = param.word.removeprefix("page").removeprefix("starting").removeprefix("start")
    alike = [f"next{param.word}", f"next{own}", param.word, own]
    if param.word.startswith("next"):
        alike.insert(0, param.word)
    usual = [one for one in words.NEXT_CURSORS if one not in ("next", "nextpage")]
    return facts.field([one for one in alike if one], _is_value) or facts.field(
        [*usual, "nextpage", "next"], _is_value
    )


def _is_value(view: View) -> bool:
    return not view.is_array and not view.properties and "boolean" not in view.types


def _token_in_page(facts: ListFacts) -> Paging | None:
    """A `page` or `offset` that is text, filled from the answer: never a number."""
    param = facts.first(words.is_token_in)
    if param is None:
        return None
    names = ["nextpage", "nextoffset", "nextpagetoken", "nextcursor", "offset", "next", "nextstart"]
    path = facts.field([one for one in names if one != param.word], _is_value)
    path = path or next((p for p in facts.fields if _under_next(p, param)), None)
    if path is None:
        return None
    spec = {"type": "cursor", "cursorField": dotted(path), "cursorParam": param.name}
    spec |= has_more(facts)
    why = f"{param.name} is text and takes what the answer has as {'.'.join(path)}"
    return Paging(facts.with_size(spec), why)


def _under_next(path: Step, param: Param) -> bool:
    return plain(path[-1]) == param.word and any("next" in plain(one) for one in path[:-1])


def _last_row(facts: ListFacts) -> Paging | None:
    param = facts.first(
        lambda one: words.is_cursor(one) and one.word in words.LAST_ROW, words.CURSORS
    )
    more = has_more(facts)
    if param is None or facts.key is None or not more:
        return None
    spec = {"type": "cursor", "lastRecordField": dotted((facts.key,)), "cursorParam": param.name}
    why = f"no field holds {param.name}, and {more['hasMoreField']} says whether there is more"
    return Paging(facts.with_size(spec | more), why)


def _last_row_by_text(facts: ListFacts) -> Paging | None:
    """No flag says that there is more, but the parameter's text speaks of a row's id."""
    param = facts.first(
        lambda one: words.is_cursor(one) and one.word in words.LAST_ROW, words.CURSORS
    )
    if param is None or facts.key is None:
        return None
    text = f"{param.text} {param.view.text}"
    id_of_row = re.search(
        r"\b(?:object|last|user|message|item|record|row)?\W?id\b", text, re.IGNORECASE
    )
    if not (id_of_row or param.view.format == "snowflake"):
        return None
    spec = {"type": "cursor", "lastRecordField": dotted((facts.key,)), "cursorParam": param.name}
    question = (
        f"{param.name} is taken for the {facts.key} of the last row; nothing in the answer says so"
    )
    return Paging(facts.with_size(spec), f"the text of {param.name} speaks of an id", question)


def _page(facts: ListFacts) -> Paging | None:
    param = facts.first(words.is_page, words.PAGES) or _numbered_by_answer(facts)
    if param is None:
        return None
    spec: dict[str, Any] = {"type": "page", "pageParam": param.name}
    spec = facts.with_size(spec)
    zero = begins_at_zero(param)
    if zero:
        spec["startAt"] = 0
    spec |= totals(facts, pages=True)
    why = f"{param.name} is a number"
    question = ""
    if facts.size and not facts.largest:
        why += f"; how many rows {facts.size.name} may ask for is not said"
    if any(words.is_cursor(one) for one in facts.params):
        question = "there is a cursor parameter as well, and nothing in the answer to fill it from"
    return Paging(spec, why, question)


def _numbered_by_answer(facts: ListFacts) -> Param | None:
    """A page that is declared as text, where the answer has its number."""
    counted = facts.field(("page", *words.TOTAL_PAGES), lambda view: view.is_number)
    return facts.first(words.is_token_in, words.PAGES) if counted else None


def _offset_of_a_row(facts: ListFacts) -> Paging | None:
    """An offset that is no number of rows, but the number that the last row has."""
    param = facts.first(words.is_offset, words.OFFSETS)
    text = f"{param.text} {param.view.text}".lower() if param else ""
    if param is None or "greater than" not in text:
        return None
    named = [n for n in facts.rows.row.properties if len(n) > 4 and n.lower() in text]  # noqa: PLR2004
    if not named:
        question = f"{param.name} is no number of rows: its text speaks of what is greater than it"
        return Paging({"type": "none"}, "", question, facts.size_params)
    spec = {"type": "cursor", "lastRecordField": dotted((named[0],)), "cursorParam": param.name}
    question = f"{param.name} is taken for the {named[0]} of the last row, by its text"
    return Paging(facts.with_size(spec), f"the text of {param.name} speaks of {named[0]}", question)


def _offset(facts: ListFacts) -> Paging | None:
    param = facts.first(words.is_offset, words.OFFSETS)
    if param is None:
        return None
    spec: dict[str, Any] = {"type": "offset", "offsetParam": param.name}
    if facts.size and facts.largest:
        spec |= {"limitParam": facts.size.name, "pageSize": facts.largest}
    spec["startAt"] = 1 if begins_at_one(param) else None
    spec |= totals(facts, pages=False)
    why = f"{param.name} is a number of rows"
    if facts.size and not facts.largest:
        why += f"; how many rows {facts.size.name} may ask for is not said"
    return Paging({key: one for key, one in spec.items() if one is not None}, why)


def _ask_for_source(facts: ListFacts) -> Paging | None:
    param = facts.first(lambda one: words.is_cursor(one) or words.is_token_in(one), words.CURSORS)
    if param is None:
        return None
    if param.name in facts.habits.linked:
        question = (
            f"other lists with {param.name} are led on by a Link header; this one does not say"
        )
        spec = {"type": "link_header"}
        return Paging(spec, f"{param.name} is a cursor", question, facts.size_params)
    if known := facts.habits.cursor_fields.get(param.name):
        spec = {"type": "cursor", "cursorField": known, "cursorParam": param.name}
        question = f"{known} is not declared here, but fills {param.name} on other lists"
        return Paging(facts.with_size(spec), f"{param.name} is a cursor", question)
    question = f"{param.name} pages, but nothing in the answer says where its value comes from"
    others = ["a Link header", "a field of the answer", "a field of the last row"]
    return Paging({"type": "none"}, "", question, facts.size_params, others)


def _ask_for_param(facts: ListFacts) -> Paging | None:
    """The answer names a next page, and the request has no parameter for it."""
    names = words_in(
        "nextcursor nextpagetoken nextmarker nexttoken endcursor startingafter nextpage nextoffset"
        " iterator"
    )
    path = facts.field(names, _is_value)
    if path is None:
        return None
    said = ".".join(path)
    known = {plain(name): name for name in facts.habits.cursor_params}
    last = plain(path[-1])
    for word in (last, last.removeprefix("next"), f"page{last.removeprefix('next')}"):
        if word in known:
            spec = {"type": "cursor", "cursorField": dotted(path), "cursorParam": known[word]}
            question = f"{known[word]} is not declared here, but is on other lists of the document"
            return Paging(facts.with_size(spec), f"the answer has {said}", question)
    if last == "startingafter":
        spec = {"type": "cursor", "cursorField": dotted(path), "cursorParam": path[-1]}
        question = f"no parameter is declared; {path[-1]} is taken for its name"
        return Paging(facts.with_size(spec), f"the answer has {said}", question)
    question = f"the answer has {said}, and no parameter is declared that takes it"
    return Paging({"type": "none"}, "", question, facts.size_params)


def _nothing(facts: ListFacts) -> Paging:
    more = has_more(facts)
    total = totals(facts, pages=True)
    if more or total.get("totalPagesField"):
        sign = next(iter((more | total).values()))
        question = (
            f"{sign} says that there may be more, and no parameter is declared that asks for it"
        )
        return Paging({"type": "none"}, "", question, facts.size_params)
    asked = _asked_of_headers(facts) or _asked_of_ids(facts)
    if asked:
        return Paging({"type": "none"}, "", asked, facts.size_params)
    if facts.size:
        why = f"only {facts.size.name} is declared: one answer is taken for the whole list"
        return Paging({"type": "none"}, why, params=facts.size_params)
    return Paging({"type": "none"}, "nothing that pages is declared: one answer is taken for all")


def _asked_of_headers(facts: ListFacts) -> str | None:
    """A page, an offset or a cursor that is sent or given in a header."""
    for param in facts.operation.of("header"):
        word = replace(param, name=re.sub(r"(?i)^x-", "", param.name))
        if words.is_page(word) or words.is_offset(word) or words.is_cursor(word):
            return f"{param.name} pages and is a header: send it by a template, as page.number"
    told = (n for n in facts.operation.headers if plain(n).removeprefix("x") in words.NEXT_CURSORS)
    name = next(told, None)
    return f"the header {name} tells the next page, and no parameter takes it" if name else None


def _asked_of_ids(facts: ListFacts) -> str | None:
    """A parameter that may take the key of the last row."""
    params = facts.operation.of("query", "body")
    name = next((one.name for one in params if one.word in words.BY_ID), None)
    return name and f"{name} may take the key of the last row, as lastRecordField, or the first one"


RULES: tuple[Callable[[ListFacts], Paging | None], ...] = (
    _declared_link,
    _declared_extension,
    _told_link,
    _next_url,
    _cursor,
    _token_in_page,
    _last_row,
    _last_row_by_text,
    _page,
    _offset_of_a_row,
    _offset,
    _ask_for_source,
    _ask_for_param,
)


def _in_body(facts: ListFacts, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same where position and size go into a JSON body."""
    in_body = {one.name for one in facts.operation.of("body")}
    made = dict(spec)
    for param, place in (("cursorParam", "cursorIn"), ("pageParam", "in"), ("offsetParam", "in")):
        if made.get(param) in in_body:
            made[place] = "body"
    return made
