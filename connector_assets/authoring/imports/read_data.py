"""A stranger's JSON or YAML → plain data, with JSON's types only, or an error with its place.

JSON is tried first whatever the file is called: it reads forty times as fast. YAML is read event
by event, as specs are, and for the same reasons: no recursion, no dates and octal numbers, no tags
that make anything, and an alias shares its anchor's value. Limits are those of vendors' documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
import yaml

from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError
from connector_assets.spec.yaml.yaml_source import WORDS

MAX_DEPTH = 200
MAX_VALUES = 5_000_000
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,300}")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_PLACE = re.compile(r"\(byte (\d+)\)|position (\d+)")


def read_data(source: Source) -> Any:
    """What the document says; ConfigError naming line and column where it is neither."""
    raw = source.raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip():
        raise ConfigError("is empty", where=source.name)
    first = raw.lstrip()[:1]
    fault = None
    if first in b'{["':
        data, fault = _json(raw)
        if fault is None:
            return data
    try:
        return _yaml(raw, source)
    except ConfigError:
        if fault is None:
            raise
        raise _unreadable(source, *fault) from None


def read_mapping(source: Source, what: str) -> dict[str, Any]:
    """The document, which must be a mapping, as `what` is."""
    data = read_data(source)
    if not isinstance(data, dict):
        raise ConfigError(f"is not {what}: it is no mapping of names to values", where=source.name)
    return data


def _json(raw: bytes) -> tuple[Any, tuple[str, int, int] | None]:
    try:
        return msgspec.json.decode(raw), None
    except RecursionError:
        return None, ("is nested too deep", 1, 1)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = str(error)
        found = _PLACE.search(text)
        at = int(found[1] or found[2]) if found else len(raw)
        before = raw[:at]
        line, column = before.count(b"\n") + 1, at - (before.rfind(b"\n") + 1) + 1
        said = re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", text)
        return None, (f"is not JSON: {said}", line, column)


def _unreadable(source: Source, what: str, line: int, column: int) -> ConfigError:
    return ConfigError(what, where=f"{source.name}:{line}:{column}")


def _yaml(raw: bytes, source: Source) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _unreadable(source, "is not UTF-8 text", line, 1) from None
    return _Composer(source).compose(text)


class _Composer:
    """Events → data. A key that comes twice takes the last value, as in JSON."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stack: list[Any] = []
        self.keys: list[Any] = []
        self.anchors: dict[str, Any] = {}
        self.opened: list[str | None] = []
        self.values = 0
        self.root: Any = None
        self.done = False

    def compose(self, text: str) -> Any:
        with self._placed():
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        return self.root

    @contextmanager
    def _placed(self) -> Iterator[None]:
        try:
            yield
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = f"is neither JSON nor YAML: {error.problem or 'cannot be read'}"
            raise _unreadable(self.source, what, line, column) from None
        except (yaml.YAMLError, RecursionError):
            raise _unreadable(self.source, "is neither JSON nor YAML", 1, 1) from None

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._open({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._open([], event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            value = self.stack.pop()
            self.keys.pop()
            if anchor := self.opened.pop():
                self.anchors[anchor] = value
        elif kind is yaml.AliasEvent:
            if event.anchor not in self.anchors:
                self._refuse(f'"*{event.anchor}" is an alias of nothing before it', event)
            self._attach(self.anchors[event.anchor], event)
        elif kind is yaml.DocumentStartEvent and self.done:
            self._refuse("holds a second document; keep one in a file", event)

    def _scalar(self, event: Any) -> None:
        value: Any = event.value
        is_key = self.stack and type(self.stack[-1]) is dict and self.keys[-1] is None
        if not is_key and event.implicit[0]:
            value = _resolved(value)
        if event.anchor:
            self.anchors[event.anchor] = value
        self._attach(value, event)

    def _open(self, value: Any, event: Any) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._refuse(f"is nested more than {MAX_DEPTH} deep", event)
        self._attach(value, event)
        self.stack.append(value)
        self.keys.append(None)
        self.opened.append(event.anchor)

    def _attach(self, value: Any, event: Any) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            self._refuse(f"has more than {MAX_VALUES:,} values", event)
        if not self.stack:
            self.root, self.done = value, True
            return
        top = self.stack[-1]
        if type(top) is list:
            top.append(value)
        elif self.keys[-1] is None:
            if not isinstance(value, str):
                self._refuse("has a key that is no text", event)
            self.keys[-1] = value
        else:
            key, self.keys[-1] = self.keys[-1], None
            if key == "<<":
                _merge(top, value)
            else:
                top[key] = value

    def _refuse(self, what: str, event: Any) -> NoReturn:
        mark = event.start_mark
        raise _unreadable(self.source, what, mark.line + 1, mark.column + 1)


_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
"""Only its events are used, which make nothing: libyaml's where there is one."""


def _merge(into: dict[str, Any], value: Any) -> None:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            for key, inner in one.items():
                into.setdefault(key, inner)


def _resolved(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    head = text[0]
    if head.isdigit() or head == "-":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text
