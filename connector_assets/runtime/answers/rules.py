"""What an answer means: the spec's `errors` rules first, then the defaults of the format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from connector_assets.errors import ConnectorError
from connector_assets.runtime.answers.retry import default_action
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.endpoint import ErrorRule
from connector_assets.spec.templates.template import Template

Action = Literal[
    "rows",
    "accept",
    "fail",
    "retry",
    "ignore",
    "end",
    "rate_limited",
    "refresh_auth",
    "reset_pagination",
]


_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Meaning:
    """`action` is what to do; `message` is the rule's own words, if it has some.

    It may quote the server: mask it before it is shown. `rule` is its number in the endpoint,
    as `errors.1`; empty where the status alone decided.
    """

    action: Action
    message: str = ""
    rule: str = ""


def meaning_of(
    answer: Answer,
    rules: Sequence[ErrorRule],
    scope: Mapping[str, Any],
    *,
    response: Callable[[], Any],
    graphql: bool = False,
) -> Meaning:
    """The first rule that matches `answer`; else its status decides, 2xx being rows.

    `response` gives the body as data, and is asked only where a rule reads it. A GraphQL answer
    with a non-empty top-level `errors` fails even with status 200.
    """
    if not (rules or graphql):
        return _by_status(answer.status)
    said = _Said(answer, response, scope)
    for number, rule in enumerate(rules):
        if said.matches(rule):
            return Meaning(rule.action, said.message(rule.message), f"errors.{number}")
    meaning = _by_status(answer.status)
    if meaning is _ROWS and graphql and said.has_errors:
        return Meaning("fail", "the answer has GraphQL errors")
    return meaning


def told_by(
    template: Template, answer: Answer, scope: Mapping[str, Any], response: Callable[[], Any]
) -> str:
    """What `template` makes of an answer, in which it may read what rules may; else nothing."""
    return _Said(answer, response, scope).message(template)


_ROWS = Meaning("rows")


def _by_status(status: int) -> Meaning:
    if 200 <= status < 300 and status != 206:  # noqa: PLR2004 - 2xx but Partial Content
        return _ROWS
    return Meaning(default_action(status))


def _upper_escapes(text: str) -> str:
    return re.sub(r"\\u[0-9a-f]{4}", lambda escape: rf"\u{escape[0][2:].upper()}", text)


class _Said:
    """An answer as rules see it."""

    def __init__(
        self, answer: Answer, response: Callable[[], Any], scope: Mapping[str, Any]
    ) -> None:
        self._answer, self._read, self._outer = answer, response, scope

    def matches(self, rule: ErrorRule) -> bool:
        status = self._answer.status
        if rule.statuses and not {status, f"{status // 100}xx"}.intersection(rule.statuses):
            return False
        if rule.contains is not None and not self._contains(rule.contains):
            return False
        if rule.when is None:
            return True
        try:
            return bool(rule.when.value(self._scope(rule.when)))
        except ConnectorError:
            # A name that this answer does not have: the rule speaks of another kind of answer.
            return False

    def message(self, template: Template | None) -> str:
        """A rule's words; nothing where they quote what is not there."""
        try:
            return (template.text(self._scope(template)) if template else None) or ""
        except ConnectorError:
            return ""

    @property
    def has_errors(self) -> bool:
        return isinstance(self._response, Mapping) and bool(self._response.get("errors"))

    def _contains(self, text: str) -> bool:
        # JSON may write any character as \uXXXX, in either case.
        forms = {text, *(escape(json.dumps(text)[1:-1]) for escape in (str, _upper_escapes))}
        return _is_in(self._answer, [form.encode() for form in forms])

    @cached_property
    def _response(self) -> Any:
        return self._read()

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self._answer.headers.items()}

    def _scope(self, template: Template) -> Mapping[str, Any]:
        """The names `template` may read; a large body is read into memory for `response` alone."""
        own = {"headers": self._headers, "status": self._answer.status}
        if any(name.startswith("response") for name in template.names):
            own["response"] = self._response
        return {**self._outer, **own}


def _is_in(answer: Answer, texts: Sequence[bytes]) -> bool:
    """Whether the body has one of `texts`, none of which is longer than a step."""
    if answer.file is None:
        return any(text in answer.body for text in texts)
    answer.file.seek(0)
    longest, before = max(map(len, texts)), b""
    while step := answer.file.read(_STEP):
        searched = before + step
        if any(text in searched for text in texts):
            return True
        before = searched[-longest:]
    return False
