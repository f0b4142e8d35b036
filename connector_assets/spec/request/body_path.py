"""Where in a body a value stands: `variables.after`, `params[1].offset`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from connector_assets.errors import ConfigError

Steps = tuple[str | int, ...]
"""Keys of objects, and indexes of lists from 0."""

_KEY = r"[^.\[\]\"]+"
_INDEX = r"\[\d{1,6}\]"
_PATH = re.compile(rf"(?:{_KEY}|{_INDEX})(?:\.{_KEY}|{_INDEX})*", re.ASCII)
_STEP = re.compile(rf"{_KEY}|{_INDEX}", re.ASCII)


@lru_cache(maxsize=4096)
def steps(path: str) -> Steps:
    """The steps of a path; ValueError where it is none.

    >>> steps("params[1].offset")
    ('params', 1, 'offset')
    """
    if not _PATH.fullmatch(path):
        raise ValueError("must be keys with dots between them, and [1] for an element of a list")
    return tuple(int(one[1:-1]) if one[0] == "[" else one for one in _STEP.findall(path))


def get(tree: Any, path: Steps) -> Any:
    """What is at `path`, None where nothing is."""
    for step in path:
        if wrong(tree, step) or tree is None:
            return None
        tree = tree[step] if isinstance(step, int) else tree.get(step)
    return tree


def put(tree: Any, path: Steps, value: Any) -> Any:
    """`tree` with `value` at `path`; objects that are not there yet are made.

    Raises ConfigError where the way leads through something else: it would be lost.
    """
    step, rest = path[0], path[1:]
    if problem := wrong(tree, step):
        raise ConfigError(f"a body path is wrong: {problem}", fix="correct the path, or the body")
    if isinstance(step, int):
        return [
            (put(item, rest, value) if rest else value) if at == step else item
            for at, item in enumerate(tree)
        ]
    node = dict(tree or {})
    node[step] = put(node.get(step), rest, value) if rest else value
    return node


def wrong(tree: Any, step: str | int) -> str:
    """Why `step` cannot lead on from `tree`; nothing where it can."""
    if isinstance(step, int):
        if not isinstance(tree, list | tuple):
            return f"[{step}] needs a list"
        return "" if step < len(tree) else f"[{step}] is beyond the list's {len(tree)} elements"
    if tree is None or isinstance(tree, Mapping):
        return ""
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return f'"{step}" stands in a list; write an index, as [0]'
    return f'"{step}" stands in a value that is no object'
