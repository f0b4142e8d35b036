"""A JSON text, decoded no deeper than it takes; what stays undecoded keeps its bytes.

Source: RFC 8259.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.spec.names.paths import Path

OBJECT, ARRAY, _QUOTE = ord("{"), ord("["), ord('"')
_VENDOR = "tell the vendor, or read it with a plugin"
_SHOWN_KEYS, _LONGEST_KEY = 12, 40

ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]"
    rb"|(u[dD][89a-fA-F]\w\w)(?!(?:\\(?:u\w{0,3})?)?\Z)|.)",
    re.DOTALL,
)
"""An escape in a string: a pair of surrogates, one alone (the group), or any other.

An end in the middle of a pair is none.
"""

Locate = Callable[[int], int]

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows = msgspec.json.Decoder(list[msgspec.Raw])
# Numbers keep their digits on the way through Python: 1.10 stays 1.10, 1e400 stays a number.
_exact = msgspec.json.Decoder(float_hook=Decimal)


class JsonDocument:
    """A JSON text; its members are decoded once.

    Raises ResponseError where it is found not to be JSON.
    """

    # Not cached properties, which take a lock: several of these are made for each page.
    __slots__ = ("_known", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._known: dict[str, msgspec.Raw] | None = None

    @property
    def first(self) -> int:
        """The character it begins with, 0 where there is none."""
        return first_of(self.text)

    @property
    def members(self) -> dict[str, msgspec.Raw]:
        """What an object has, undecoded; nothing where it is no object."""
        if self._known is None:
            self._known = self._decoded()
        return self._known

    def _decoded(self) -> dict[str, msgspec.Raw]:
        if self.first != OBJECT:
            exactly(self.text)
            return {}
        members: dict[str, msgspec.Raw] = _decode(_members, self.text)
        return members

    def get(self, path: Path) -> Any:
        """The value at `path`, None where it is absent."""
        if path.keys is None:
            return path.get(exactly(self.text)) if self.text else None
        at = self
        for key in path.keys:
            if at.first != OBJECT or key not in at.members:
                return None
            at = JsonDocument(bytes(at.members[key]))
        return exactly(at.text) if at.text else None

    def walk(self, keys: Sequence[str], shown: str = "") -> bytes:
        """The text of the value at `keys`, each of which must come once; `shown` is their path."""
        at = self
        for key in keys:
            if key not in at.members:
                raise ResponseError(
                    f'"{shown}" is absent; {at._there()}', fix="correct responseRowsPath"
                )
            at.check_once(key)
            at = JsonDocument(bytes(at.members[key]))
        return at.text

    def check_once(self, key: str) -> None:
        """Refuse an object that has `key` twice: the rows of the first would be lost in silence."""
        name = msgspec.json.encode(key)
        if self.text.find(name) == self.text.rfind(name):
            return
        within = sum(bytes(raw).count(name) for raw in self.members.values())
        if self.text.count(name) - within > 1:
            shown = f'"{key}"' if len(key) <= _LONGEST_KEY else "a key"
            raise ResponseError(f"{shown} comes twice in one object", fix="tell the vendor")

    def _there(self) -> str:
        if self.members:
            # Whole or not at all: a piece of a secret would not be recognised and masked.
            shown = [key if len(key) <= _LONGEST_KEY else "…" for key in self.members]
            keys = ", ".join(f'"{key}"' for key in shown[:_SHOWN_KEYS])
            return f"the keys there are {keys}"
        kinds = {OBJECT: "an empty object", ARRAY: "a list", _QUOTE: "a text"}
        return f"there is {kinds.get(self.first, 'no object')} instead"


def first_of(text: bytes) -> int:
    """The first character that is not white space, 0 where there is none."""
    stripped = text.lstrip()
    return stripped[0] if stripped else 0


def exactly(text: bytes) -> Any:
    """A JSON text as data; numbers keep their digits."""
    return _decode(_exact, text)


def row_list(text: bytes, locate: Locate = int) -> list[msgspec.Raw]:
    """The elements of a JSON list; `locate` tells where in the body a byte of it stands."""
    rows: list[msgspec.Raw] = _decode(_rows, text, locate)
    return rows


def is_list(text: bytes) -> bool:
    """Whether `text` is a JSON list."""
    try:
        _rows.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def refuse_other_than_json(text: bytes, locate: Locate = int) -> None:
    """Raise ResponseError if a JSON list or object is none; `locate` as for `row_list`."""
    _decode(_members if first_of(text) == OBJECT else _rows, text, locate)


def _decode(decoder: Any, text: bytes, locate: Locate = int) -> Any:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ResponseError("the JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError) as error:
        at = half_character(text)
        if at is not None:
            raise has_half_character(f"the body has, at byte {locate(at)},") from None
        if "truncated" in str(error) and first_of(text) != ord("<"):
            raise cut_off("the body is not JSON: it ends in the middle") from None
        what = _not_json(text, error, locate)
        raise ResponseError(what, fix="check the URL and the account") from None


def half_character(text: bytes) -> int | None:
    r"""Where half of a character is escaped, that no text can hold; None where nowhere.

    >>> half_character(rb'"\ud83d\ude00 \\ud800"'), half_character(rb'"\ud83d"')
    (None, 1)
    """
    return next((found.start() for found in ESCAPE.finditer(text) if found[1]), None)


def has_half_character(located: str) -> ResponseError:
    """What to say where `half_character` finds one; `located` has the verb."""
    what = f"{located} half a character (one of \\ud800 to \\udfff alone)"
    return ResponseError(what, fix=_VENDOR)


def cut_off(what: str) -> ResponseError:
    """What to say of a body that did not come whole, though the answer says it did."""
    error = ResponseError(what, fix="check the URL and the account")
    error.retryable = True
    return error


def refuse_cut_off(text: bytes) -> None:
    """Raise ResponseError if a JSON text is empty or ends in the middle."""
    if not first_of(text):
        raise cut_off("the body is empty")
    try:
        _exact.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError) as error:
        if "truncated" in str(error):
            raise cut_off("the body is not JSON: it ends in the middle") from None


def _not_json(text: bytes, error: Exception, locate: Locate) -> str:
    """What is wrong with a body that should be JSON, in our own words."""
    if first_of(text) == ord("<"):
        return "the body is not JSON but a markup page (HTML or XML)"
    at = re.search(r"\(byte (\d+)\)", str(error))
    return f"the body is not JSON{f' (at byte {locate(int(at[1]))})' if at else ''}"


@lru_cache(maxsize=4096)
def path_of(source: str) -> Path:
    """`source` as a path, which is checked once."""
    return Path(source)
