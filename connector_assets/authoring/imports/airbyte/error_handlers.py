"""A manifest's error handlers → error rules and retries of a spec.

Of a composite handler the first that says retry, ignore or success decides; what it says to fail or
to slow down at is decided by the last. Both are as in the CDK, so that the rules mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.authoring.imports.airbyte.code import Code, Const
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.texts import Texts, template_of

Rule = dict[str, Any]
_DEFAULT_FAILS = [400, 401, 403, 404, 405, 429]
"""Statuses that a handler without a rule for them leaves to the next of a composite."""
_MAX_RETRIES = 5


class ErrorHandlers:
    """Rules and retries of one requester."""

    def __init__(self, reading: Reading) -> None:
        self.texts = Texts(reading)
        self.near: list[str] = []
        self.reading = reading

    def keys(self, handler: Any) -> dict[str, Any]:
        """The keys `errors` and `retry` of an endpoint."""
        handlers = _handlers(handler)
        rules = list(self._rules(handlers))
        made: dict[str, Any] = {"errors": rules} if rules else {}
        retry = self._retry(handlers)
        return made | ({"retry": retry} if retry else {})

    def _rules(self, handlers: list[Mapping[str, Any]]) -> Iterator[Rule]:
        last = len(handlers) - 1
        for at, one in enumerate(handlers):
            filters = one.get("response_filters")
            for found in filters if isinstance(filters, list) else ():
                if not isinstance(found, Mapping):
                    continue
                action = str(found.get("action") or "")
                if action in ("FAIL", "RATE_LIMITED", "") and at < last:
                    continue
                yield from self._filter(found, action, later=at > 0)

    def _filter(self, found: Mapping[str, Any], action: str, *, later: bool) -> Iterator[Rule]:
        if found.get("class_name"):
            raise Refused(f"the response filter {found['class_name']}")
        if not action or action == "REFRESH_TOKEN_THEN_RETRY":
            action = action or ("FAIL" if found.get("error_message") else "")
            if not action:
                return
        codes = [int(one) for one in found.get("http_codes") or () if str(one).isdigit()]
        if later:
            codes = [one for one in codes if one in _DEFAULT_FAILS]
        scope: Any = _DEFAULT_FAILS if later else None
        message = self._message(found)
        if codes:
            yield from _acting(codes, action, {}, message)
        if found.get("predicate"):
            when = self._predicate(found["predicate"])
            if when is not None:
                yield from _acting(scope, action, {"when": when}, message)
        contains = found.get("error_message_contains")
        if isinstance(contains, str) and contains:
            yield from _acting(scope, action, {"contains": contains[:1000]}, message)

    def _message(self, found: Mapping[str, Any]) -> str | None:
        text = found.get("error_message")
        if not isinstance(text, str) or not text.strip() or len(text) > 2000:  # noqa: PLR2004
            return None
        try:
            reading = Reading(
                self.reading.given,
                self.reading.parameters,
                data={"response": "response", "headers": "headers"},
            )
            return Texts(reading).text(text)
        except Refused:
            return None

    def _predicate(self, source: Any) -> str | None:
        reading = Reading(
            self.reading.given,
            self.reading.parameters,
            data={"response": "response", "headers": "headers"},
        )
        value = Texts(reading).condition(source)
        if isinstance(value, Const):
            return "{{ true }}" if value.value else None
        return f"{{{{ {value.text} }}}}"

    # Tries and waits.

    def _retry(self, handlers: list[Mapping[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        most = handlers[0].get("max_retries") if handlers else None
        tries = _MAX_RETRIES if not isinstance(most, int | str) else most
        found = self.texts.one(tries) if isinstance(tries, str) else Const(tries)
        if isinstance(found, Code):
            self.near.append("the number of tries, which the user chooses there, is 5 here")
            found = Const(_MAX_RETRIES)
        made["maxAttempts"] = max(1, min(int(found.value) + 1, 100))
        for handler in handlers:
            for strategy in handler.get("backoff_strategies") or ():
                if isinstance(strategy, Mapping) and "after" not in made:
                    self._wait(strategy, made)
        return made

    def _wait(self, strategy: Mapping[str, Any], made: dict[str, Any]) -> None:
        kind = strategy.get("type")
        if strategy.get("class_name"):
            self.near.append(f"waits as this package does, not as {strategy['class_name']} says")
        elif kind == "ConstantBackoffStrategy":
            value = self.texts.one(strategy.get("backoff_time_in_seconds"))
            made["after"] = str(template_of(value))
            _allow(made, value)
        elif kind in ("WaitTimeFromHeader", "WaitUntilTimeFromHeader"):
            self._from_header(strategy, made)

    def _from_header(self, strategy: Mapping[str, Any], made: dict[str, Any]) -> None:
        name = self.texts.text(strategy.get("header") or "").lower()
        header = f"headers['{name}']" if not name.isidentifier() else f"headers.{name}"
        text = f"{header} | default(none)"
        if strategy.get("regex"):
            pattern = self.texts.text(strategy["regex"]).replace("'", "\\'")
            text = f"{header} | default('') | regex_search('{pattern}')"
        if name != "retry-after" or strategy.get("regex"):
            made["after"] = f"{{{{ {text} }}}}"
        most = strategy.get("max_waiting_time_in_seconds")
        value = self.texts.one(most) if most is not None else None
        _allow(made, value if value is not None else Const(3600))


def _handlers(handler: Any) -> list[Mapping[str, Any]]:
    if not isinstance(handler, Mapping):
        return []
    if handler.get("class_name"):
        raise Refused(f"the error handler {handler['class_name']}")
    if handler.get("type") == "CompositeErrorHandler":
        found = handler.get("error_handlers")
        return [inner for one in found or () for inner in _handlers(one)]
    return [handler]


_ACTIONS = {
    "FAIL": "fail",
    "RETRY": "retry",
    "RATE_LIMITED": "rate_limited",
    "SUCCESS": "accept",
    "RESET_PAGINATION": "reset_pagination",
    "REFRESH_TOKEN_THEN_RETRY": "refresh_auth",
}


def _acting(status: Any, action: str, match: Rule, message: str | None) -> Iterator[Rule]:
    """The rules of one match.

    What is ignored has no rows and ends its list, but where the answer was good: then its rows are
    taken.
    """
    said = {"message": message} if message and action == "FAIL" else {}
    if action != "IGNORE":
        shown = {"status": status} if status else {}
        yield {**shown, **match, "action": _ACTIONS.get(action, "fail"), **said}
        return
    if status is None:
        yield {"status": "2xx", **match, "action": "accept"}
        yield {**match, "action": "end"}
        return
    good = [one for one in status if one < 400]  # noqa: PLR2004
    bad = [one for one in status if one >= 400]  # noqa: PLR2004
    if bad:
        yield {"status": bad, **match, "action": "end"}
    if good:
        yield {"status": good, **match, "action": "accept"}


def _allow(made: dict[str, Any], value: Any) -> None:
    """Let a wait be as long as the manifest has it."""
    known = value.value if isinstance(value, Const) else None
    if isinstance(known, int | float) and known > 300:  # noqa: PLR2004
        made["maxDelaySeconds"] = min(float(known), 86_400.0)
