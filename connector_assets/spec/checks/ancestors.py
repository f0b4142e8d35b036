"""Streams above streams: parents that are none, circles, and chains that are too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector_assets.spec.checks.bindings import at, items, placed_parents, text
from connector_assets.spec.checks.changed_checks import changed_findings
from connector_assets.spec.checks.model_faults import Finding, options, quoted
from connector_assets.spec.yaml.yaml_source import Path


def parent_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Parents that are no stream, and streams that are their own ancestors."""
    read = data.get("read")
    streams = items(at(read, "streams"))
    types = [text(name) for name in items(at(read, "resourceTypes"))]
    names = [*types, *(text(at(one, "name")) for one in streams)]
    parents = {text(at(one, "name")): [name for _, name in _parents_of(one)] for one in streams}
    by_name = {text(at(one, "name")): one for one in streams}
    known, circles = set(names), circles_of(parents)
    deep = _first_too_deep(parents)
    for number, stream in enumerate(streams):
        yield from changed_findings(("read", "streams", number), stream, by_name)
        own = circles.get(text(at(stream, "name")))
        for below, name in _parents_of(stream):
            path: Path = ("read", "streams", number, "forEach", *below, "stream")
            if name not in known:
                yield Finding(path, f"{quoted(name)}is not a stream; {options(names)}")
            elif own is not None and circles.get(name) == own:
                yield Finding(path, "makes the stream its own ancestor")
            elif text(at(stream, "name")) in deep:
                yield Finding(path, f"is below {MAX_GENERATIONS} generations of parents, the most")


def _parents_of(stream: Any) -> Iterator[tuple[Path, str]]:
    for position, each in enumerate(items(at(stream, "forEach"))):
        for below, parent in placed_parents(each):
            if name := text(at(parent, "stream")):
                yield (position, *below), name


# Without tables each generation is read within the one above it.
MAX_GENERATIONS = 30


def _first_too_deep(parents: Mapping[str, Sequence[str]]) -> set[str]:
    """The streams with one ancestor above another too often, without those below them."""
    depth: dict[str, int] = {}
    for name in _last_first(parents):
        depth[name] = 1 + max((depth.get(one, 0) for one in parents.get(name, ())), default=0)
    return {name for name, levels in depth.items() if levels == MAX_GENERATIONS + 1}


def circles_of(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The streams that are their own ancestors, each with the number of its circle.

    Each stream and each parent is looked at twice, however long the chains are (Kosaraju).
    """
    children: dict[str, list[str]] = {}
    for name, above in parents.items():
        for one in above:
            children.setdefault(one, []).append(name)
    circles: dict[str, int] = {}
    seen: set[str] = set()
    for number, root in enumerate(reversed(_last_first(parents))):
        group = [name for name, done in _walked(root, children, seen) if done]
        if len(group) > 1 or root in parents.get(root, ()):
            circles |= dict.fromkeys(group, number)
    return circles


def _last_first(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """All names, each after those that it leads to."""
    seen: set[str] = set()
    return [name for root in graph for name, done in _walked(root, graph, seen) if done]


def _walked(
    root: str, graph: Mapping[str, Sequence[str]], seen: set[str]
) -> Iterator[tuple[str, bool]]:
    """What `root` leads to and was not seen: each when it is met, and when all below it was."""
    todo = [(root, False)]
    while todo:
        name, done = todo.pop()
        if done:
            yield name, True
        elif name not in seen:
            seen.add(name)
            yield name, False
            todo.append((name, True))
            todo.extend((one, False) for one in graph.get(name, ()))
