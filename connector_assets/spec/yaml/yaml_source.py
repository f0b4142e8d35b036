"""YAML text → plain data that remembers where each key and value stands.

YAML 1.2 by the letter where that is safe, and narrower where it is not. Only `true`, `false` and
`null` (also `~`, or nothing) are more than text, and numbers, which are written as in JSON: `10`,
`-1`, `0.5`, `1e3`. Everything else is the text that is written: `NO`, `y`, `2024-01-01`, `0x10`,
`010`, `1_000`, `.inf`. Keys are text always. Tags, duplicate keys, merge keys and a second document
are faults; an alias shares its anchor's value, and may not multiply it.

The parser is libyaml's, read event by event: no recursion, so depth is only a number to compare,
and nothing is built that an alias could multiply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn, Protocol

import yaml

from connector_assets.errors import Fault, SpecError
from connector_assets.spec.yaml.yaml_text import decode, explain, split_lines

MAX_DEPTH = 64
MAX_FAULTS = 200
"""Faults shown of a document; more than that help nobody."""

TOO_MANY = "has more faults than are shown"

MAX_VALUES = 100_000
MAX_REPEATED = 100_000
"""Characters that aliases may repeat, were they written out."""

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,1000}")
_FLOAT = re.compile(r"(?=.*[.eE])-?(?:0|[1-9][0-9]*)?(?:\.[0-9]+)?(?<=[0-9])(?:[eE][-+]?[0-9]+)?")
WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
"""What YAML 1.2's core schema takes for null, true and false."""
_SHOWN_KEY = re.compile(r"[^\s\"'\x00-\x1f\x7f-\x9f]{1,60}")

Path = tuple[str | int, ...]


class _Mark(Protocol):
    """A place in the text; both count from 0."""

    line: int
    column: int


@dataclass(frozen=True)
class YamlSource:
    """What a YAML text says, and where.

    `faults` are those that leave the rest readable, such as a duplicate key. `rounded` are the
    paths of numbers that do not print as they were written: 1.10 is 1.1.
    """

    text: str
    source: str | None
    data: Any
    faults: list[Fault]
    rounded: list[Path]
    broken: list[Path]
    """Paths whose value could not be read: `data` holds null there, or the first of two."""
    _marks: dict[int, Any] = field(repr=False)
    _start: _Mark = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines as YAML counts them."""
        return split_lines(self.text)

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`.

        A collection that begins below its key is found at the key; a key that is missing, where
        the mapping that lacks it begins.
        """
        key, value, _ = self._walk(path)
        return _one_based(key if key and key.line < value.line else value)

    def key_position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column, from 1, of the key at the end of `path`."""
        key, value, _ = self._walk(path)
        return _one_based(key or value)

    def at(self, path: Sequence[str | int]) -> Any:
        """The value at `path`, or that of the last mapping on the way."""
        return self._walk(path)[2]

    def _walk(self, path: Sequence[str | int]) -> tuple[_Mark | None, _Mark, Any]:
        key, mark, value = None, self._start, self.data
        for step in path:
            marks = self._marks.get(id(value))
            try:
                found = marks[step] if marks is not None else None
            except (KeyError, IndexError, TypeError):
                found = None
            if found is None:
                return None, mark, value
            key, mark = found if isinstance(found, tuple) else (None, found)
            value = value[step]
        return key, mark, value


def read_yaml(text: str | bytes, *, source: str | None = None) -> YamlSource:
    """The one document in `text`; SpecError where it is no YAML, or too much of it."""
    decoded = decode(text, source)
    return _Composer(decoded, source).compose()


def show_path(path: Sequence[str | int]) -> str:
    """`path` in dots, as faults name it: `auth.0.tokenUrl`."""
    steps = [step if isinstance(step, str) else str(step) for step in path]
    shown = [step if _SHOWN_KEY.fullmatch(step) else _quoted(step) for step in steps]
    return ".".join(shown if len(shown) <= 20 else [*shown[:10], "…", *shown[-3:]])  # noqa: PLR2004 - a line's worth


def _quoted(key: str) -> str:
    return '"' + key[:60].encode("unicode_escape").decode().replace('"', '\\"') + '"'


def _one_based(mark: _Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


@dataclass(slots=True)
class _Frame:
    """A collection that is being read; `key` and `skip` are those of the value that comes next."""

    value: Any
    marks: Any
    start: _Mark
    anchor: _Anchor | None = None
    key: str | None = None
    key_mark: _Mark | None = None
    awaits_key: bool = False
    skip: bool = False
    size: int = 1
    origin: _Anchor | None = None


@dataclass(slots=True)
class _Anchor:
    """`&name`; its `size` counts characters and values as if written out, None while it is open."""

    path: Path
    mark: _Mark
    value: Any = None
    size: int | None = None
    origin: _Anchor | None = None
    """The innermost anchor it repeats, itself if none: where a pile of aliases begins."""


class _Composer:
    """Events → data and marks. Faults that leave the rest readable are kept, others end it."""

    def __init__(self, text: str, source: str | None) -> None:
        self.text, self.source = text, source
        self.faults: list[Fault] = []
        self.rounded: list[Path] = []
        self.broken: list[Path] = []
        self.marks: dict[int, Any] = {}
        self.frames: list[_Frame] = []
        self.anchors: dict[str, _Anchor] = {}
        self.values = self.repeated = 0
        self.root: Any = None
        self.start: _Mark | None = None

    def compose(self) -> YamlSource:
        try:
            for event in _events(self.text):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            self._end_with_syntax(error)
        except yaml.YAMLError:
            self._end_with("", "is not YAML that can be read", (1, 1))
        if self.start is None or (self.root is None and not self.faults):
            self._end_with("", "is empty; a document is a mapping that begins with kind", (1, 1))
        return YamlSource(
            self.text,
            self.source,
            self.root,
            self.faults,
            self.rounded,
            self.broken,
            self.marks,
            self.start,
        )

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._open(event, _Frame({}, {}, event.start_mark, awaits_key=True))
        elif kind is yaml.SequenceStartEvent:
            self._open(event, _Frame([], [], event.start_mark))
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent and self.start is not None:
            position = _one_based(event.start_mark)
            self._end_with("", "holds a second document; keep one in a file", position)

    def _scalar(self, event: Any) -> None:
        top = self.frames[-1] if self.frames else None
        if top is not None and top.awaits_key:
            self._key(event, top)
            return
        text = event.value
        value: Any = None
        if event.tag is not None:
            self._refuse_tag(event)
        elif "\0" in text:
            self._refuse("must be text without NUL characters", event.start_mark)
        else:
            value = self._resolve(text) if event.implicit[0] else text
        size = 1 + len(text)
        if event.anchor:
            anchor = _Anchor(self._path(), event.start_mark, value, size)
            self.anchors[event.anchor] = anchor
        self._attach(value, event.start_mark, size, None)

    def _resolve(self, text: str) -> Any:
        if text in WORDS:
            return WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if value in (float("inf"), float("-inf")):
                return text
            if repr(value) != text:
                self.rounded.append(self._path())
            return value
        return text

    def _key(self, event: Any, frame: _Frame) -> None:
        plain, name = event.implicit[0], event.value
        frame.key, frame.key_mark = name, event.start_mark
        frame.awaits_key, frame.skip = False, True
        if event.tag is not None:
            self._refuse_tag(event)
        elif plain and name in WORDS and WORDS[name] is None:
            frame.key = None
            self._refuse("must have keys that are text; quote the key", event.start_mark)
        elif plain and name == "<<":
            self._refuse(
                "merge keys are not supported; write the keys out, or use defaults",
                event.start_mark,
            )
        elif "\0" in name:
            self._refuse("must be a key without NUL characters", event.start_mark)
        elif name in frame.value:
            first = frame.marks[name][0].line + 1
            self._refuse(f"is set twice, first on line {first}; remove one", event.start_mark)
        else:
            frame.skip = False
        if event.anchor:
            self.anchors[event.anchor] = _Anchor(self._path(), event.start_mark, name, len(name))

    def _open(self, event: Any, frame: _Frame) -> None:
        if event.tag is not None:
            self._refuse_tag(event)
        if len(self.frames) >= MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} deep"
            self._end_with(show_path(self._path()), message, _one_based(frame.start))
        if event.anchor:
            frame.anchor = _Anchor(self._path(), frame.start)
            self.anchors[event.anchor] = frame.anchor
        self.frames.append(frame)

    def _close(self) -> None:
        frame = self.frames.pop()
        if frame.anchor:
            frame.anchor.value, frame.anchor.size = frame.value, frame.size
            frame.anchor.origin = frame.origin
        self.marks[id(frame.value)] = frame.marks
        self._attach(frame.value, frame.start, frame.size, frame.origin)

    def _alias(self, event: Any) -> None:
        anchor, value, size, origin = self.anchors.get(event.anchor), None, 1, None
        if anchor is None:
            message = 'is an alias of no anchor; quote text that begins with "*"'
            self._refuse(message, event.start_mark)
        elif anchor.size is None:
            self._refuse("contains itself", event.start_mark)
        else:
            value, size, origin = anchor.value, anchor.size, anchor.origin or anchor
            self._count_repeated(size, origin)
        self._attach(value, event.start_mark, size, origin)

    def _count_repeated(self, size: int, origin: _Anchor) -> None:
        self.repeated += size
        if self.repeated > MAX_REPEATED:
            message = f"is repeated by aliases to more than {MAX_REPEATED:,} characters; write less"
            self._end_with(show_path(origin.path), message, _one_based(origin.mark))

    def _attach(self, value: Any, mark: _Mark, size: int, origin: _Anchor | None) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            self._end_with("", f"holds more than {MAX_VALUES:,} values; split it", _one_based(mark))
        if not self.frames:
            self.root, self.start = value, mark
            return
        frame = self.frames[-1]
        frame.size += size
        frame.origin = frame.origin or origin
        if isinstance(frame.value, list):
            frame.value.append(value)
            frame.marks.append(mark)
        elif frame.awaits_key:
            self._refuse_key(frame, value, mark)
        else:
            if not frame.skip:
                frame.value[frame.key] = value
                frame.marks[frame.key] = (frame.key_mark, mark)
            frame.awaits_key = True

    def _refuse_key(self, frame: _Frame, value: Any, mark: _Mark) -> None:
        """A key that is a collection or an alias; its value is read, and left out."""
        at = (mark.line, mark.column - 1)
        if isinstance(value, dict) and at == (frame.start.line, frame.start.column):
            self._refuse('must be quoted, as it begins with "{{"', mark)
        else:
            self._refuse("must have keys that are text", mark)
        frame.key, frame.skip, frame.awaits_key = None, True, False

    def _path(self) -> Path:
        """The path of the value that comes next."""
        steps: list[str | int] = []
        for frame in self.frames:
            if isinstance(frame.value, list):
                steps.append(len(frame.value))
            elif frame.key is not None and not frame.awaits_key:
                steps.append(frame.key)
        return tuple(steps)

    def _refuse_tag(self, event: Any) -> None:
        self._refuse("must not have a tag; remove it, and quote what is text", event.start_mark)

    def _refuse(self, message: str, mark: _Mark) -> None:
        path = self._path()
        if len(self.faults) >= MAX_FAULTS:
            self._end_with("", TOO_MANY, _one_based(mark))
        self.broken.append(path)
        self.faults.append(Fault(show_path(path), message, *_one_based(mark)))

    def _end_with(self, path: str, message: str, position: tuple[int, int]) -> NoReturn:
        raise SpecError([*self.faults, Fault(path, message, *position)], source=self.source)

    def _end_with_syntax(self, error: yaml.MarkedYAMLError) -> NoReturn:
        found, opened = error.problem_mark, error.context_mark
        lines = split_lines(self.text)
        if found and opened and not any(line.strip() for line in lines[found.line :]):
            line, column = _one_based(opened)
            self._end_with("", "is not YAML: what opens here is never closed", (line, column))
        mark = found or opened
        line, column = _one_based(mark) if mark else (1, 1)
        text = lines[line - 1] if line <= len(lines) else ""
        problem = explain(error.problem or "", error.context or "", text, column)
        self._end_with("", f"is not YAML: {problem}", (line, column))


def _events(text: str) -> Iterator[Any]:
    # CSafeLoader is ten times as fast; where libyaml is missing, the other reads the same events.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.parse(text, Loader=loader)
