"""Templates: text with `{{ … }}` in it, read once, rendered by the place the result goes to.

    url: "{{instance_url}}/v1/{{item.id}}"      Template.url: an origin, then an encoded segment
    headers: {X-Team: "{{config.team}}"}        Template.header: one line of Latin-1
    params: {since: "{{window.start}}"}         Template.value: null leaves the parameter out
    body: {json: {limit: "{{config.limit}}"}}   Template.value: a number stays a number

Only `{{ }}` is special; what stands outside is literal, `{% %}` and `{# #}` too. A rendered value
is never rendered again. `docs/reference/templates.md` lists functions, filters and limits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from connector_assets.errors import ConfigError
from connector_assets.spec.templates import escaping
from connector_assets.spec.templates.expression import MAX_DEPTH, MAX_NODES, Expression, parse
from connector_assets.spec.templates.plain_data import MAX_TEXT, as_text, sound
from connector_assets.spec.templates.scope import ALLOW_EMPTY, CLOCK, NoValue, Scope
from connector_assets.spec.templates.syntax import TemplateError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["CLOCK", "MAX_SOURCE", "NoValue", "Scope", "Template", "TemplateError", "render"]

MAX_SOURCE = 65_536
"""The longest template, in characters."""

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[][(){}'"]""", re.DOTALL)
_CACHED = 8_192

Part = str | Expression
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_PATH_START = re.compile(r"[/?#]")


@dataclass(frozen=True, slots=True)
class Template:
    """A template; two are equal if their sources are.

    `names` are the names it reads, as deep as written (`secrets.token`, `item.x`, `soql`);
    `required` leaves out those that stand only under a `default`.

    >>> Template("{{item.id}}-{{n}}").text({"item": {"id": 7}, "n": True})
    '7-true'
    """

    source: str
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    required: frozenset[str] = field(init=False, repr=False, compare=False)
    _parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            sound(self.source)
        except ConfigError as error:
            raise TemplateError(str(error)) from None
        parts = _read(self.source) if "{{" in self.source else (self.source,)
        expressions = [part for part in parts if isinstance(part, Expression)]
        for name, value in (
            ("_parts", parts),
            ("names", frozenset().union(*(part.names for part in expressions))),
            ("required", frozenset().union(*(part.required for part in expressions))),
        ):
            object.__setattr__(self, name, value)

    @property
    def is_literal(self) -> bool:
        """Whether nothing is left to render."""
        return isinstance(self._parts[0], str) and len(self._parts) == 1

    @property
    def is_expression(self) -> bool:
        """Whether it is one expression and nothing else, so that its value keeps its type."""
        return self._only is not None

    @property
    def uses_secrets(self) -> bool:
        return any(name.startswith("secrets.") for name in self.names)

    @property
    def uses_page(self) -> bool:
        return any(name == "page" or name.startswith("page.") for name in self.names)

    @property
    def is_late(self) -> bool:
        """Whether it can be rendered only for the request at hand, as it is sent."""
        return self.uses_secrets or self.uses_page

    def value(self, scope: Scope) -> Any:
        """Plain JSON data: typed where the template is one expression and nothing else, else text.

        None means null: the caller leaves the parameter out.
        """
        only = self._only
        return self._joined(scope) if only is None else only.value(scope)

    def text(self, scope: Scope, *, allow_empty: bool = False) -> str | None:
        """The result as text; None only where the template is one expression that is null.

        `allow_empty` lets a secret be empty, as one half of basic authentication may be.
        """
        if allow_empty:
            scope = {**scope, ALLOW_EMPTY: True}
        only = self._only
        return self._joined(scope) if only is None else only.value(scope, _text_or_null)

    def header(self, scope: Scope) -> str | None:
        """As `text`, for a header: one line of Latin-1, which the caller encodes as such."""
        text = self.text(scope)
        if text == "" and self.uses_secrets:
            raise ConfigError("is empty", where=self._label, fix="give a value")
        return None if text is None else escaping.header(text, self._label)

    def url(self, scope: Scope) -> str:
        """As `text`, for a URL: each value is escaped by its place, and cannot leave it."""
        return escaping.url([_valued(part, scope) for part in self._parts])

    def origin(self, scope: Scope) -> str:
        """What the URL begins with: scheme, host and port, and what path a value brings along."""
        return escaping.url([_valued(part, scope) for part in self._head])

    @property
    def origin_names(self) -> frozenset[str]:
        """The names that the origin is made of."""
        expressions = (part for part in self._head if isinstance(part, Expression))
        return frozenset().union(*(part.names for part in expressions))

    def check_url(self) -> None:
        """Raise TemplateError if no values could make this a URL."""
        samples = ["https://h" if at == 0 else "1" for at in range(len(self._parts))]
        try:
            escaping.url(
                [
                    part if isinstance(part, str) else escaping.Value(sample, part.label)
                    for part, sample in zip(self._parts, samples, strict=True)
                ]
            )
        except ConfigError as error:
            raise TemplateError(str(error)) from None

    def unbound(self, bindable: Collection[str]) -> dict[str, str]:
        """The names nothing in `bindable` gives, each with a message; `item` there gives `item.x`.

        >>> Template("{{sqol}}").unbound({"soql", "config.region"})
        {'sqol': 'nothing gives "sqol" a value; did you mean "soql"?'}
        """
        return {
            name: f'nothing gives "{name}" a value' + _suggestion(name, bindable)
            for name in sorted(self.names)
            if not any(prefix in bindable for prefix in _prefixes(name))
        }

    @property
    def _only(self) -> Expression | None:
        first = self._parts[0]
        return first if len(self._parts) == 1 and isinstance(first, Expression) else None

    @property
    def _head(self) -> tuple[Part, ...]:
        """The parts of a URL up to its path."""
        first, *rest = self._parts
        if isinstance(first, Expression):
            return (first,)
        scheme = _SCHEME.match(first)
        if scheme is None:
            return ()
        head: list[Part] = [first]
        at = scheme.end()
        while isinstance(head[-1], Expression) or not (end := _PATH_START.search(head[-1], at)):
            if not rest:
                return tuple(head)
            head.append(rest.pop(0))
            at = 0
        return (*head[:-1], head[-1][: end.start()]) if end.start() else tuple(head[:-1])

    @property
    def _label(self) -> str:
        return ", ".join(f'"{name}"' for name in sorted(self.names))

    def _joined(self, scope: Scope) -> str:
        text = "".join(
            [part if isinstance(part, str) else part.value(scope, as_text) for part in self._parts]
        )
        if len(text) > MAX_SOURCE + MAX_TEXT:
            raise ConfigError("the text grows too long", where=self._label)
        return text

    def __str__(self) -> str:
        return self.source

    def __reduce__(self) -> tuple[type[Template], tuple[str]]:
        return Template, (self.source,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_wrap_validator_function(
            lambda value, text: value if isinstance(value, cls) else cls(text(value)),
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _source, return_schema=core_schema.str_schema()
            ),
        )


def _source(value: Any) -> str:
    from pydantic_core import PydanticSerializationUnexpectedValue

    if not isinstance(value, Template):  # another member of the field's union
        raise PydanticSerializationUnexpectedValue("not a template")
    return value.source


def render(tree: Any, scope: Scope) -> Any:
    """`tree` with each Template in it, at any depth, replaced by its value."""
    if isinstance(tree, Template):
        return tree.value(scope)
    if isinstance(tree, Mapping):
        return {key: render(item, scope) for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        return [render(item, scope) for item in tree]
    return tree


@lru_cache(maxsize=_CACHED)
def _read(source: str) -> tuple[Part, ...]:
    """Literal text and expressions, in order."""
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"a template may have {MAX_SOURCE:,} characters; make it shorter")
    parts: list[Part] = []
    position = 0
    while (start := source.find("{{", position)) >= 0:
        if start > position:
            parts.append(source[position:start])
        end = _closing(source, start)
        parts.append(_expression(source[start + 2 : end], start))
        position = end + 2
    if position < len(source):
        parts.append(source[position:])
    if sum(part.size for part in parts if isinstance(part, Expression)) > MAX_NODES:
        raise TemplateError("the template is too large; compute less in it")
    return tuple(parts)


def _expression(inner: str, offset: int) -> Expression:
    if inner[:1] in ("-", "+") or inner[-1:] in ("-", "+"):
        raise TemplateError('put a space between "{{" or "}}" and a sign', offset)
    try:
        return parse(inner)
    except TemplateError as error:
        raise TemplateError(str(error), offset) from None


def _closing(source: str, start: int) -> int:
    """Where the `}}` of the `{{` at `start` is: not one in quotes or in nested brackets."""
    depth = 0
    for token in _TOKEN.finditer(source, start + 2):
        mark = token[0]
        if mark in ("'", '"'):
            break
        if mark in "[({":
            depth += 1
        elif depth:
            depth -= mark in "])}"
        elif source.startswith("}}", token.start()):
            return token.start()
        if depth > MAX_DEPTH:
            raise TemplateError("an expression nests too deep; compute less in it", start)
    raise TemplateError('"{{" is never closed; end the expression with "}}"', start)


def without_expressions(source: str, by: str = "") -> str:
    """`source` with `by` in the place of each `{{ … }}`; in time that grows with its length only.

    >>> without_expressions("/users/{{id}}/posts", "x")
    '/users/x/posts'
    """
    parts, at = [], 0
    while (start := source.find("{{", at)) >= 0 and (end := source.find("}}", start)) >= 0:
        parts += [source[at:start], by]
        at = end + 2
    return "".join([*parts, source[at:]])


def _valued(part: Part, scope: Scope) -> str | escaping.Value:
    if isinstance(part, str):
        return part
    value = part.value(scope, as_text)
    return escaping.Value(value, part.label, isinstance(value, escaping.Constant))


def _text_or_null(value: Any) -> str | None:
    return None if value is None else as_text(value)


def _prefixes(name: str) -> Iterator[str]:
    """`a.b.c`, `a.b`, `a`."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _suggestion(name: str, bindable: Collection[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, sorted(bindable), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
