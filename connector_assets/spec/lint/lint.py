"""What is valid in a document and still likely to be wrong: rules, places, and suggested fixes.

A spec that knows better says so in a comment, on the line, on the line above it, or before the
first key for the whole document:

    # lint: allow page-cap (the API never has more than 40 pages)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connector_assets.errors import Fault
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.connection import ConnectionDocument
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import Document
from connector_assets.spec.lint import lint_connections
from connector_assets.spec.lint.lint_findings import LEVELS, Level, Remark, Rule
from connector_assets.spec.lint.lint_requests import RULES as REQUEST_RULES
from connector_assets.spec.lint.lint_streams import RULES as STREAM_RULES
from connector_assets.spec.lint.lint_text import RULES as TEXT_RULES
from connector_assets.spec.lint.lint_unused import RULES as UNUSED_RULES

RULES: tuple[Rule, ...] = (*STREAM_RULES, *UNUSED_RULES, *REQUEST_RULES, *TEXT_RULES)
"""Every rule for connectors, in the order of the reference."""

CONNECTION_RULES = lint_connections.RULES
"""Every rule for connections."""

_ALLOWED = re.compile(r"(?P<before>.*?)#\s*lint:\s*allow\s+(?P<rules>[a-z][a-z, -]*)")


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding: `message` says what, `fix` what to do; lines and columns count from 1."""

    rule: str
    level: Level
    path: str
    message: str
    fix: str
    line: int
    column: int

    @property
    def fault(self) -> Fault:
        """As a fault is shown: with the level and the rule at its end."""
        what = f"{self.message}; {self.fix}" if self.fix else self.message
        told = f"{what} [{self.level}: {self.rule}]"
        return Fault(self.path, told, self.line, self.column)


def lint(document: Document[ConnectorSpec]) -> list[Lint]:
    """All that the rules find in a valid connector, in document order."""
    return _found(document, RULES)


def lint_connection(document: Document[ConnectionDocument]) -> list[Lint]:
    """All that the rules find in a valid connection, in document order."""
    return _found(document, CONNECTION_RULES)


def _found(document: Document[Any], rules: Sequence[Rule]) -> list[Lint]:
    allowed = _Allowed(document.yaml.lines)
    found = [
        _placed(rule, remark, document)
        for rule in rules
        for remark in rule.find(document.spec, document.yaml)
    ]
    kept = [one for one in dict.fromkeys(found) if one.rule not in allowed.at(one.line)]
    return sorted(kept, key=lambda one: (one.line, one.column, one.rule))


def invalid(fault: Fault) -> Lint:
    """What `validate` finds, beside what the rules find."""
    return Lint("invalid", "error", fault.path, fault.message, "", fault.line, fault.column)


def at_or_above(found: list[Lint], level: Level) -> list[Lint]:
    """The findings that are at least as grave as `level`."""
    return [one for one in found if LEVELS.index(one.level) >= LEVELS.index(level)]


def _placed(rule: Rule, remark: Remark, document: Document[Any]) -> Lint:
    fault = Finding(remark.path, remark.what, remark.on_key).placed(document.yaml)
    return Lint(rule.id, rule.level, fault.path, remark.what, remark.fix, fault.line, fault.column)


class _Allowed:
    """The rules that comments allow, by line; line 0 holds those of the whole document."""

    def __init__(self, lines: list[str]) -> None:
        self._lines: dict[int, set[str]] = {}
        head = True
        for number, line in enumerate(lines, 1):
            head = head and line.lstrip()[:1] in ("", "#", "-", "%")
            found = _ALLOWED.match(line)
            if found:
                names = set(re.split(r"[,\s]+", found["rules"]))
                for at in _reach(number, alone=not found["before"].strip(), head=head):
                    self._lines.setdefault(at, set()).update(names)

    def at(self, line: int) -> set[str]:
        return self._lines.get(0, set()) | self._lines.get(line, set())


def _reach(number: int, *, alone: bool, head: bool) -> Iterator[int]:
    """The lines that a comment on line `number` speaks of."""
    if head:
        yield 0
    yield number + 1 if alone else number
