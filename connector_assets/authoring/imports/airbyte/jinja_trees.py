"""A manifest's texts as Jinja's syntax trees, and what is read of a tree before it is converted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

MAX_TEXT = 20_000


class Refused(Exception):
    """Something of a manifest that has no equal here, in a few words."""


@dataclass(frozen=True)
class Chain:
    """A name and the keys after it, as `response.data[0].id` or `config.get('x', 5)`.

    `default` is the last `.get`'s, and `optional` says that a `.get` or a test allows it to lack.
    """

    root: str
    keys: tuple[str | int, ...] = ()
    optional: bool = False
    default: nodes.Expr | None = None

    def step(self, key: str | int) -> Chain:
        return Chain(self.root, (*self.keys, key), self.optional)


@lru_cache(maxsize=4096)
def parsed(text: str) -> tuple[nodes.Node, ...]:
    """The body of a template; Refused where it is none."""
    if len(text) > MAX_TEXT:
        raise Refused("a template is longer than is read")
    try:
        return tuple(_ENVIRONMENT.parse(text).body)
    except (jinja2.TemplateSyntaxError, ValueError, RecursionError) as error:
        said = getattr(error, "message", None) or "nested too deep"
        raise Refused(f"a template that Jinja cannot read: {said}") from None


def is_plain(text: str) -> bool:
    """Whether a text has no template in it."""
    return "{{" not in text and "{%" not in text and "{#" not in text


def only_expression(text: str) -> nodes.Expr | None:
    """The expression that a text is, without anything around it; None for any other text."""
    body = parsed(text.strip())
    if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1:
        found = body[0].nodes[0]
        return None if isinstance(found, nodes.TemplateData) else found
    return None


def chain_of(node: nodes.Node) -> Chain | None:
    """The path that a node reads; None where it computes something."""
    if isinstance(node, nodes.Name):
        return Chain(node.name)
    if isinstance(node, nodes.Getattr):
        found = chain_of(node.node)
        return found.step(node.attr) if found else None
    if isinstance(node, nodes.Getitem):
        return _item(node)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        return _get(node, node.node) if node.node.attr == "get" else None
    return None


def _item(node: nodes.Getitem) -> Chain | None:
    found, key = chain_of(node.node), _constant(node.arg)
    if found is None or isinstance(key, bool) or not isinstance(key, str | int):
        return None
    return found.step(key)


def _get(node: nodes.Call, method: nodes.Getattr) -> Chain | None:
    found = chain_of(method.node)
    if found is None or node.kwargs or not 1 <= len(node.args) <= 2:  # noqa: PLR2004
        return None
    key = _constant(node.args[0])
    if not isinstance(key, str | int):
        return None
    default = node.args[1] if len(node.args) > 1 else None
    return replace(found.step(key), optional=True, default=default)


def _constant(node: nodes.Node) -> Any:
    if isinstance(node, nodes.Add):
        parts = [_constant(node.left), _constant(node.right)]
        return "".join(parts) if all(isinstance(one, str) for one in parts) else None
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const):
        return -node.node.value
    return node.value if isinstance(node, nodes.Const) else None


def names_in(text: str) -> set[str]:
    """The names that a text's templates read."""
    return {
        one.name
        for node in parsed(text)
        for one in [node, *node.find_all(nodes.Name)]
        if isinstance(one, nodes.Name)
    }


def chains_in(text: str) -> list[Chain]:
    """The longest paths that a text's templates read."""
    found: list[Chain] = []

    def look(node: nodes.Node) -> None:
        chain = chain_of(node)
        if chain is not None:
            found.append(chain)
            return
        for child in node.iter_child_nodes():
            # Of a method what it is called on is read, not a key of its name.
            is_method = isinstance(node, nodes.Call) and isinstance(child, nodes.Getattr)
            look(child.node if is_method and isinstance(child, nodes.Getattr) else child)

    for node in parsed(text):
        look(node)
    return found


_ENVIRONMENT = jinja2.Environment()  # noqa: S701 - it only parses, nothing is rendered by it
