"""JSON documents made from paths: the other way round than a path is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from connector_assets.authoring.simulator.wire import CannotSimulate

_STEP = re.compile(
    r'\.?(?:(?P<key>[A-Za-z_]\w*)|"(?P<quoted>(?:[^"\\]|\\.)+)"|\[(?P<index>-?\d+)\])'
    r"|\[\*?\]\.?(?P<each>)"
)
_FILTERED = re.compile(
    r"(?P<list>[\w.]+)\[\?(?P<key>\w+)\s*==\s*['`\"]+(?P<is>[^'`\"]*)['`\"]+\]\.(?P<below>[\w.]+)"
    r"(?:\s*\|\s*\[0\])?"
)
_CHOSEN = re.compile(r"(?P<list>.*?)(?:\[\*?\])?\.?\{(?P<pairs>[^{}]+)\}")
EACH = object()


def steps_of(path: str) -> list[Any]:
    """The keys, indexes and EACH of a plain path; CannotSimulate for filters and functions."""
    path = path.split("||", maxsplit=1)[0].strip().removeprefix("@").removeprefix(".")
    steps: list[Any] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or found.end() == at:
            raise CannotSimulate(f'the path "{path}" has more in it than keys, indexes and []')
        if found["quoted"] is not None:
            steps.append(json.loads(f'"{found["quoted"]}"'))
        elif found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(found["key"] or EACH)
        at = found.end()
    return steps


def put_at(tree: Any, path: str, value: Any) -> Any:
    """`tree` with `value` where `path` finds it, also by a filter: `links[?rel=='next'].href`."""
    found = _FILTERED.fullmatch(path.split("||", maxsplit=1)[0].strip())
    if found is None:
        return put(tree, steps_of(path), value)
    one = put({found["key"]: found["is"]}, steps_of(found["below"]), value)
    return put(tree, steps_of(found["list"]), [] if value is None else [one])


def before_choosing(path: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, Any]:
    """The list's path and its elements, where `path` makes rows of them as `[].{id: @}` does."""
    found = _CHOSEN.fullmatch(path)
    if found is None:
        return path, list(rows)
    pairs = [one.split(":", 1) for one in found["pairs"].split(",")]
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - a name and a path
        raise CannotSimulate(f'the path "{path}"')
    elements = []
    for row in rows:
        element: Any = None
        for name, source in pairs:
            steps = [] if source.strip() == "@" else steps_of(source.strip())
            element = put(element, steps, row.get(name.strip().strip('"')))
        elements.append(element)
    return found["list"], elements


def put(tree: Any, steps: list[Any], value: Any) -> Any:
    """`tree` with `value` at `steps`; what is missing on the way is made."""
    if not steps:
        return value
    first, *rest = steps
    if first is EACH:
        if not rest:
            return value
        return [put(None, rest, one) for one in value]
    if isinstance(first, int):
        items = list(tree) if isinstance(tree, list) else []
        place = max(first, 0)
        items += [None] * (place + 1 - len(items))
        items[place] = put(items[place], rest, value)
        return items
    fields = dict(tree) if isinstance(tree, dict) else {}
    fields[first] = put(fields.get(first), rest, value)
    return fields


def get(tree: Any, steps: list[Any]) -> Any:
    """What is at `steps`, None where nothing is."""
    for step in steps:
        if isinstance(step, int):
            inside = isinstance(tree, list) and -len(tree) <= step < len(tree)
            tree = tree[step] if inside else None
        else:
            tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
