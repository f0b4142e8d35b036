"""A document's text in one form: keys in the order of the reference, quotes only where needed.

Comments, blank lines and the layout in lines stay. The text is edited where the parser says that
things stand, and never printed anew: a printer of YAML would have to know all that a document may
hold, and where each comment belongs. Each step is taken only if the document then says the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import yaml
from pydantic import BaseModel

from connector_assets.authoring.key_lines import reordered
from connector_assets.errors import SpecError
from connector_assets.spec.document import is_connection, read_connection, read_connector
from connector_assets.spec.lint.lint_text import ELSEWHERE
from connector_assets.spec.names.model import key_order
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import decode

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What begins with a digit, a sign or a dot keeps its quotes: nobody has to know whether it is text.
_BARE = re.compile(r"""[^\s\-?:,\[\]{}#&*!|>'"%@`=~<0-9+.][^\n\t]*""")
_NEVER_BARE = re.compile(r": |:$| #|\s$|\{\{")
_NEVER_BARE_IN_FLOW = re.compile(r"[,\[\]{}:]")


def formatted(text: str | bytes, *, source: str | None = None) -> str:
    """The text of a valid spec or connection in its one form; SpecError where it is not valid.

    `id` comes before `displayName`, and "1.0" keeps its quotes, without which it is a number.
    """
    raw = text.encode() if isinstance(text, str) else text
    read = read_connection if is_connection(raw) else read_connector
    document = read(raw, source=source)
    done = decode(raw, source)
    for step in (_tidy, _quoted, lambda before: _ordered(before, document.spec)):
        after = step(done)
        if _says(after) == _plain(document.yaml.data):
            done = after
    return done


def _says(text: str) -> str | None:
    try:
        read = read_yaml(text)
    except SpecError:
        return None
    return None if read.faults else _plain(read.data)


def _plain(data: Any) -> str:
    """As text, in which 1, 1.0 and true differ."""
    return json.dumps(data, sort_keys=True)


def _tidy(text: str) -> str:
    """Line ends as on Unix, no spaces before them, one empty line at most, none at the ends."""
    text = re.sub(r"[ \t]+$", "", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def _quoted(text: str) -> str:
    """Double quotes around what any reader of YAML may take for something else, and no others."""
    spans = {
        (node.start_mark.index, node.end_mark.index): _scalar(node, in_flow=in_flow)
        for node, in_flow in _scalars(yaml.compose(text, Loader=_LOADER))
        if node.style not in ("|", ">") and node.start_mark.line == node.end_mark.line
    }
    parts, at = [], 0
    for (start, end), written in sorted(spans.items()):
        parts += [text[at:start], written or text[start:end]]
        at = end
    return "".join([*parts, text[at:]])


def _scalars(node: Any, *, in_flow: bool = False) -> Iterator[tuple[Any, bool]]:
    """Every scalar, keys too, and whether it stands in brackets."""
    if isinstance(node, yaml.ScalarNode):
        yield node, in_flow
        return
    in_flow = in_flow or bool(node.flow_style)
    pairs = isinstance(node, yaml.MappingNode)
    below = [one for pair in node.value for one in pair] if pairs else node.value
    for one in below:
        yield from _scalars(one, in_flow=in_flow)


def _scalar(node: Any, *, in_flow: bool) -> str | None:
    """How a scalar on one line is written; None: as it is."""
    value = node.value
    if node.style not in ("'", '"'):
        is_text = ELSEWHERE.fullmatch(value) and read_yaml(f"- {value}").data == [value]
        return f'"{value}"' if is_text else None
    if _may_be_bare(value, in_flow=in_flow):
        return str(value)
    plain = value.isprintable() and "\\" not in value and '"' not in value
    return f'"{value}"' if node.style == "'" and plain else None


def _may_be_bare(value: str, *, in_flow: bool) -> bool:
    """Whether it is the same text without quotes, also for readers of YAML 1.1."""
    if not _BARE.fullmatch(value) or not value.isprintable() or _NEVER_BARE.search(value):
        return False
    if in_flow and _NEVER_BARE_IN_FLOW.search(value):
        return False
    return not ELSEWHERE.fullmatch(value) and bool(read_yaml(f"- {value}").data == [value])


def _ordered(text: str, spec: BaseModel) -> str:
    root = yaml.compose(text, Loader=_LOADER)
    if any(getattr(event, "anchor", None) for event in yaml.parse(text, Loader=_LOADER)):
        return text  # an alias must stay below its anchor
    return reordered(text, root, {id(node): order for node, order in _orders(root, spec)})


def _orders(node: Any, value: Any) -> Iterator[tuple[Any, Mapping[str, int]]]:
    """The mappings whose keys are a model's, with the place of each key."""
    if isinstance(node, yaml.MappingNode):
        if isinstance(value, BaseModel):
            fields = type(value).model_fields
            places = {key: at for at, key in enumerate(key_order(type(value)))}
            below: Mapping[str, Any] = {
                one.alias or name: getattr(value, name) for name, one in fields.items()
            }
            yield node, places
        else:
            below = value if isinstance(value, Mapping) else {}
        if isinstance(value, tuple) and len(value) == 1:
            yield from _orders(node, value[0])
            return
        for key, item in node.value:
            yield from _orders(item, below.get(key.value))
    elif isinstance(node, yaml.SequenceNode) and isinstance(value, tuple | list):
        for item, part in zip_longest(node.value, value):
            if item is not None:
                yield from _orders(item, part)
