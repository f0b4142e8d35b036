"""What an answer means: the spec's `errors` rules first, then the defaults of the format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connector_assets.errors import ConnectorError
from connector_assets.runtime.client import Answer
from connector_assets.runtime.retry import default_action
from connector_assets.spec.connector import ErrorRule

Action = Literal[
    "rows", "fail", "retry", "ignore", "end", "rate_limited", "refresh_auth", "reset_pagination"
]


@dataclass(frozen=True, slots=True)
class Meaning:
    """`action` is what to do; `message` is the rule's own words, if it has some."""

    action: Action
    message: str = ""


def meaning_of(
    answer: Answer,
    rules: Sequence[ErrorRule],
    scope: Mapping[str, Any],
    *,
    graphql: bool = False,
) -> Meaning:
    """The first rule that matches `answer`; else its status decides, 2xx being rows.

    A GraphQL answer with a non-empty top-level `errors` fails even with status 200.
    """
    if rules:
        bound = {**scope, **_answer_scope(answer)}
        for rule in rules:
            if _matches(rule, answer, bound):
                message = rule.message.text(bound) if rule.message else None
                return Meaning(rule.action, message or "")
    if 200 <= answer.status < 300 and answer.status != 206:  # noqa: PLR2004 - 2xx but Partial Content
        if graphql and _has_errors(answer):
            return Meaning("fail", "the answer has GraphQL errors")
        return Meaning("rows")
    return Meaning(default_action(answer.status))


def _matches(rule: ErrorRule, answer: Answer, scope: Mapping[str, Any]) -> bool:
    if rule.statuses and not _status_in(answer.status, rule.statuses):
        return False
    if rule.contains is not None and rule.contains.encode() not in answer.body:
        return False
    if rule.when is None:
        return True
    try:
        return bool(rule.when.value(scope))
    except ConnectorError:
        # A name that this answer does not have: the rule speaks of another kind of answer.
        return False


def _status_in(status: int, wanted: Sequence[int | str]) -> bool:
    return status in wanted or f"{status // 100}xx" in wanted


def _has_errors(answer: Answer) -> bool:
    response = _answer_scope(answer)["response"]
    return isinstance(response, dict) and bool(response.get("errors"))


def _answer_scope(answer: Answer) -> dict[str, Any]:
    try:
        response = json.loads(answer.body)
    except (ValueError, RecursionError):
        response = {}
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return {"response": response, "headers": headers, "status": answer.status}
