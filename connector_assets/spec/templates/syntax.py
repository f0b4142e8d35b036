"""The text between the braces as Jinja2's syntax tree; Jinja2 only parses, and is imported late."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2
    from jinja2 import nodes

_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_ESCAPE = re.compile(r"""\\(?:[\\'"nrt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|(.))""", re.DOTALL)


class TemplateError(ValueError):
    """A template that cannot be read; `offset` is where in its source, from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def syntax_tree(source: str) -> nodes.Node:
    from jinja2 import TemplateSyntaxError
    from jinja2.parser import Parser

    source = _STRING.sub(lambda text: _ESCAPE.sub(_keep_backslash, text[0]), source)
    try:
        parser = Parser(_environment(), source, state="variable")
        tree = parser.parse_expression()
        end = parser.stream.current
    except TemplateSyntaxError as error:
        raise TemplateError(f"not an expression: {error.message}") from None
    except (ValueError, RecursionError):
        raise TemplateError("not an expression: too long a number, or nested too deep") from None
    if end.type != "eof":
        raise TemplateError(f'not one expression: unexpected "{end.value}"')
    return tree


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment()  # noqa: S701 - it only parses, nothing is rendered by it


def _keep_backslash(escape: re.Match[str]) -> str:
    r"""Python would read `\b` as a backspace and warn at `\d`; regular expressions mean neither."""
    return rf"\\{escape[1]}" if escape[1] else escape[0]
