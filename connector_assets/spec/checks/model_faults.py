"""What pydantic found wrong, as faults: one for each mistake, at its place in the document.

Pydantic names the members of a union in its paths and reports each of them; here its paths are
walked beside the document, so that what the document lacks drops out, and what remains of one
mistake is merged. A value is quoted only where it is a word, as a misspelt `type` is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from connector_assets.errors import Fault
from connector_assets.spec.checks.jsonschema import known_keys, known_values
from connector_assets.spec.yaml.yaml_source import MAX_FAULTS, TOO_MANY, Path, YamlSource, show_path

_LISTED = 15
_READ = 5_000
"""Errors of pydantic looked at: enough for MAX_FAULTS, since a union reports each member."""

# Matching takes time by the product of these.
_LONGEST_GUESS = 64
_MOST_GUESSES = 200
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,23}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_DIGITS_OF_A_WORD = 4
_KINDS = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "left out",
}
_BOUNDS: dict[str, Callable[[Any], str]] = {
    "greater_than": lambda ctx: f"a number greater than {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"{_number(ctx['ge'])} of at least {_bound(ctx['ge'])}",
    "less_than": lambda ctx: f"a number less than {ctx['lt']:g}",
    "less_than_equal": lambda ctx: f"{_number(ctx['le'])} of at most {_bound(ctx['le'])}",
    "finite_number": lambda _: "a finite number",
    "string_too_long": lambda ctx: f"at most {ctx['max_length']:,} characters long",
    "string_too_short": lambda _: "given, and not empty",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a path; `offset` counts characters into the text there."""

    path: Path
    message: str
    on_key: bool = False
    """Whether the key itself is wrong, rather than its value."""
    offset: int = 0

    def placed(self, document: YamlSource) -> Fault:
        """This finding at its line and column."""
        where = document.key_position if self.on_key else document.position
        line, column = where(self.path)
        column += _offset(document, line, column, self)
        return Fault(show_path(self.path), self.message, line, column)


@dataclass(frozen=True, slots=True)
class _Problem:
    """One pydantic error at its place in the document."""

    path: Path
    kind: str
    context: Mapping[str, Any]
    text: str
    value: Any
    on_key: bool = False


def findings_of(
    error: ValidationError, document: YamlSource, model: type[BaseModel]
) -> list[Finding]:
    """What `model` refuses in a document, one finding for each mistake, in document order.

    Only as many as are shown: to guess what thousands of keys were meant to be takes seconds.
    """
    by_path: dict[Path, list[_Problem]] = {}
    for found in error.errors(include_input=False, include_url=False)[:_READ]:
        problem = _located(found, document.data)
        by_path.setdefault(problem.path, []).append(problem)
    above = {path[:length] for path in by_path for length in range(len(path))}
    groups = {
        path: [one for one in group if path not in above or not _is_shape(one)]
        for path, group in by_path.items()
    }
    paths = sorted((path for path in groups if groups[path]), key=document.position)
    return [_finding(path, groups[path], document.data, model) for path in paths[: MAX_FAULTS + 1]]


def new(findings: Iterable[Finding], known: Iterable[Path]) -> list[Finding]:
    """The findings that lie not at or below a path where something is known to be wrong."""
    wrong = set(known)
    return [
        one
        for one in findings
        if not any(one.path[:length] in wrong for length in range(len(one.path) + 1))
    ]


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Faults in document order, each once, and not more than a person reads."""
    ordered = sorted(dict.fromkeys(faults), key=lambda one: (one.line, one.column))
    if len(ordered) <= MAX_FAULTS:
        return ordered
    last = ordered[MAX_FAULTS]
    return [*ordered[:MAX_FAULTS], Fault("", TOO_MANY, last.line, last.column)]


def options(names: Sequence[str]) -> str:
    """`use one of a, b, c`, cut where it would fill the screen."""
    shown = ", ".join(names[:_LISTED])
    return f"use one of {shown}{', …' if len(names) > _LISTED else ''}"


def near(name: str, known: Sequence[str]) -> str | None:
    """What `name` was probably meant to be: also in another case, or with underscores."""
    if len(name) > _LONGEST_GUESS or len(known) > _MOST_GUESSES:
        return None
    plain = {re.sub(r"[^a-z0-9]", "", one.lower()): one for one in known}
    close = get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), plain, n=1, cutoff=0.65)
    return plain[close[0]] if close else None


def quoted(value: Any) -> str:
    """`"value" ` if it is a word that cannot be a secret, else nothing."""
    is_word = isinstance(value, str) and _WORD.fullmatch(value)
    if is_word and sum(char.isdigit() for char in value) <= _DIGITS_OF_A_WORD:
        return f'"{value}" '
    return ""


def _located(found: Mapping[str, Any], data: Any) -> _Problem:
    kind, context = found["type"], found.get("ctx", {})
    path, value = _walk(found["loc"], data, kind)
    if kind == "fault":
        path, value = _below(path, value, context["at"])
    elif kind.startswith("union_tag"):
        key = context["discriminator"].strip("'")
        path, value = (*path, key), value.get(key) if isinstance(value, dict) else None
    on_key = kind == "extra_forbidden" or found["loc"][-1:] == ("[key]",)
    return _Problem(path, kind, context, found["msg"], value, on_key)


def _walk(loc: Sequence[str | int], data: Any, kind: str) -> tuple[Path, Any]:
    """The part of `loc` that is in the document, and what is there."""
    path: list[str | int] = []
    value = data
    for at, step in enumerate(loc):
        last = at == len(loc) - 1
        if isinstance(value, dict) and isinstance(step, str):
            is_tag = step == value.get("type") and not last
            if step in value and not is_tag:
                path.append(step)
                value = value[step]
            elif last and kind == "missing":
                return (*path, step), None
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path.append(step)
            value = value[step]
    return tuple(path), value


def _below(path: Path, value: Any, at: str) -> tuple[Path, Any]:
    """`at` appended: one key that may hold dots, or the steps between them."""
    steps: list[str] = [at] if isinstance(value, dict) and at in value else at.split(".")
    for step in filter(None, steps):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            path, value = (*path, int(step)), value[int(step)]
        else:
            path, value = (*path, step), value.get(step) if isinstance(value, dict) else None
    return path, value


def _is_shape(problem: _Problem) -> bool:
    """Whether it only says that another kind of value was expected, or another number of them."""
    return problem.kind in _KINDS or problem.kind in ("too_short", "too_long", "literal_error")


def _finding(path: Path, group: Sequence[_Problem], data: Any, model: type[BaseModel]) -> Finding:
    first = next((one for one in group if one.kind in ("value_error", "fault")), group[0])
    if first.kind == "extra_forbidden":
        message = _unknown_key(path, known_keys(model, path[:-1], data))
        return Finding(path, message, on_key=True)
    if first.kind == "value_error":
        reason = first.context["error"]
        return Finding(path, str(reason), first.on_key, getattr(reason, "offset", 0))
    if first.kind == "union_tag_not_found":
        known = known_values(model, path[:-1], str(path[-1]), data)
        return Finding(path, f"is required; {options(known)}")
    return Finding(path, _message(first, group))


def _unknown_key(path: Path, known: Sequence[str]) -> str:
    meant = near(str(path[-1]), known)
    if meant:
        return f'is not a known key; did you mean "{meant}"?'
    return f"is not a known key; {options(known)}" if known else "is not a known key; remove it"


def _message(first: _Problem, group: Sequence[_Problem]) -> str:
    kind, context = first.kind, first.context
    if kind == "missing":
        return "is required"
    if kind in ("fault", "value_kind"):
        return first.text
    if kind == "union_tag_invalid":
        return _not_known(first.value, _listed(context["expected_tags"]))
    if kind in ("too_short", "too_long"):
        return _length(kind, context, first.value)
    if kind == "literal_error" and len(group) == 1:
        return _not_known(first.value, _listed(context["expected"]))
    return _must_be([one for one in group if one.kind != "none_required"] or group)


def _must_be(group: Sequence[_Problem]) -> str:
    """`must be A, B or C`, from what each member of a union asks for."""
    bounds = [one for one in group if one.kind in _BOUNDS]
    phrases = dict.fromkeys(_phrase(one) for one in (*bounds, *group))
    if "a number" in phrases:
        phrases.pop("a whole number", None)
    wanted = list(phrases)
    text = " or ".join(filter(None, [", ".join(wanted[:-1]), wanted[-1]]))
    return f"must be {text}{_about_quotes(group[0].value, wanted)}"


def _about_quotes(value: Any, wanted: Sequence[str]) -> str:
    if isinstance(value, bool | int | float) and list(wanted) == ["text"]:
        return "; quote it"
    if isinstance(value, str) and _NUMBER.fullmatch(value) and wanted[0].endswith("number"):
        return "; write it without quotes"
    return ""


def _phrase(problem: _Problem) -> str:
    kind, context = problem.kind, problem.context
    if kind in _KINDS:
        return _KINDS[kind]
    if kind in _BOUNDS:
        return _BOUNDS[kind](context)
    if kind == "literal_error":
        return " or ".join(f'"{one}"' for one in _listed(context["expected"]))
    return re.sub(r"^(Input|Value) should be ", "", problem.text)


def _not_known(value: Any, known: Sequence[str]) -> str:
    if len(known) == 1:
        also = "; quote it" if not isinstance(value, str) and str(value) == known[0] else ""
        return f'must be "{known[0]}"{also}'
    meant = near(value, known) if isinstance(value, str) else None
    hint = f'; did you mean "{meant}"? Or ' if meant and meant != value else "; "
    return f"{quoted(value)}is not known{hint}{options(known)}"


def _length(kind: str, context: Mapping[str, Any], value: Any) -> str:
    bound = context["min_length"] if kind == "too_short" else context["max_length"]
    if kind == "too_short" and bound == 1:
        return "must not be empty"
    if isinstance(value, str):
        return f"must be at most {bound:,} characters long"
    return f"must hold at {'least' if kind == 'too_short' else 'most'} {bound:,}"


def _listed(expected: str) -> list[str]:
    """Pydantic writes options as `'a', 'b' or 'c'`."""
    return re.findall(r"'((?:[^'\\]|\\.)*)'", expected) or [expected]


def _number(bound: Any) -> str:
    return "a whole number" if isinstance(bound, int) else "a number"


def _bound(bound: Any) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _offset(document: YamlSource, line: int, column: int, finding: Finding) -> int:
    """How far into the line the offset is, where the text stands there as it is."""
    value = document.at(finding.path)
    if not finding.offset or not isinstance(value, str):
        return 0
    text = document.lines[line - 1]
    found = text.find(value[: finding.offset + 2], column - 1)
    return found + finding.offset - (column - 1) if found >= 0 else 0
