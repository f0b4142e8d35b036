"""Secret values never leave: a `Secrets` mapping shows names only, and masks its values in text.

Masking goes by value, not by field name: what a template, a server's echo or a library's log line
makes of a secret is found wherever it turns up: in base64 too, and percent-encoded or escaped for
JSON or HTML, one within another.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from html.entities import codepoint2name
from typing import Any

# Shorter values would mask ordinary words and digits; they are masked only where they stand alone.
SHORT = 4


class Secrets(Mapping[str, str]):
    """A mapping holds secret values by name, and masks them in texts; its repr has names alone.

    >>> secrets = Secrets({"apiKey": "k-9f3a"})
    >>> secrets
    Secrets(apiKey)
    >>> secrets.mask("GET /v1?key=k-9f3a")
    'GET /v1?key=[secret:apiKey]'
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._learned: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"

    def learn(self, name: str, value: str) -> None:
        """Mask `value` too: a token that was obtained on the way, such as an access token."""
        if value and value not in self._learned:
            self._learned[value] = name
            self.__dict__.pop("_pattern", None)
            self.__dict__.pop("_long_pattern", None)

    def mask(self, text: str) -> str:
        """`text` with every form of every value replaced by `[secret:name]`."""
        if not self._pattern or not text:
            return text
        names = [name for _, name in self._known]
        return self._pattern.sub(
            lambda found: f"[secret:{names[(found.lastindex or 1) - 1]}]", text
        )

    def finds(self, text: str) -> bool:
        """Whether `mask` would change `text`."""
        return bool(self._pattern and self._pattern.search(text))

    def holds(self, text: str) -> bool:
        """Whether `text` contains a secret value, values of fewer than 4 characters left aside.

        Those cannot be told from ordinary words; `finds` looks for them as well.
        """
        return bool(self._long_pattern and self._long_pattern.search(text))

    def mask_data(self, value: Any) -> Any:
        """Plain data with `mask` done to every text in it; a number that is a secret is masked."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {self.mask_data(key): self.mask_data(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_data(one) for one in value]
        return self.mask(str(value)) if self.holds(str(value)) else value

    @property
    def _known(self) -> list[tuple[str, str]]:
        """Every value with its name, the longest first: one may begin as another does."""
        named = {**self._learned, **{value: name for name, value in self._values.items()}}
        return sorted(((v, n) for v, n in named.items() if v), key=lambda one: -len(one[0]))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        parts = [f"({_forms(value)})" for value, _ in self._known]
        return re.compile("|".join(parts)) if parts else None

    @cached_property
    def _long_pattern(self) -> re.Pattern[str] | None:
        parts = [_forms(value) for value, _ in self._known if len(value) >= SHORT]
        return re.compile("|".join(parts)) if parts else None


def _forms(value: str) -> str:
    """A pattern of every form of `value`."""
    if len(value) < SHORT:
        return rf"(?<!\w){_written(value)}(?!\w)"
    raw = value.encode("utf-8", "surrogatepass")
    encoded = {form for offset in range(3) for form in _base64_forms(raw, offset)}
    return "|".join([_written(value), *map(_written, sorted(encoded))])


def _written(text: str) -> str:
    """A pattern of `text` in every writing, mixed ones too; nobody encodes letters and digits."""
    runs = re.findall(r"[A-Za-z0-9]+|\r?\n|\\+|.", text, re.DOTALL)
    return "".join(
        run if run.isascii() and run.isalnum() else _encoded(run, "" if at else _BEGINS)
        for at, run in enumerate(runs)
    )


# What stands for a character that begins an escape, itself escaped or not. Possessive quantifiers:
# else a run of a thousand of them would be tried in every combination.
_HASH, _END = r"(?:\#|%(?:25)*23)", r"(?:;|%(?:25)*3b)"
_AMPERSAND = rf"(?:&|%(?:25)*26|\\u0026)(?:amp{_END})*"
_BACKSLASH = rf"(?:\\(?:u005c)?|%(?:25)*5c|{_AMPERSAND}{_HASH}(?:92|x5c){_END})"
# Before a value they are taken from where they begin: each of a thousand would else be the start of
# a try that goes to the end of them.
_BEGINS = "".join(
    rf"(?<!{one})"
    for one in (r"\\", r"\\u005c", "%5c", "%255c", "%25255c", r"&\#92;", r"&\#x5c;", r"&amp;\#92;")
)


def _encoded(run: str, begins: str) -> str:
    """A pattern of one character, a line end or a run of backslashes.

    `begins` is what must hold before backslashes.
    """
    char = run[-1]
    if char == "\\":
        return rf"(?i:{begins}{_BACKSLASH}{{{len(run)},}}+)"
    code, utf16 = ord(char), char.encode("utf-16-be", "surrogatepass").hex()
    octets = char.encode("utf-8", "surrogatepass")
    named = rf"|{codepoint2name[code]}" if code in codepoint2name else "|apos" * (char == "'")
    ways = [
        *_OTHERS.get(char, ()),
        # Before the character itself, or of a percent sign at the end the 25 would stay.
        "".join(f"%(?:25)*{octet:02x}" for octet in octets),
        re.escape(char),
        rf"{_BACKSLASH}*+".join(f"u{utf16[n : n + 4]}" for n in range(0, len(utf16), 4)),
        *(f"x{code:02x}", f"u{code:08x}"),
        f"{_AMPERSAND}(?:{_HASH}(?:0*{code}|x0*{code:x}){named}){_END}",
    ]
    one = f"(?i:(?:{begins}{_BACKSLASH}++)?(?:{'|'.join(ways)}))"
    return rf"(?:{_encoded(chr(13), begins)})?{one}" if char == "\n" else one


_OTHERS = {
    "\n": "n",
    "\r": "r",
    "\t": "t",
    "\b": "b",
    "\f": "f",
    " ": [r"\+", "%(?:25)*2b"],
    "&": [_AMPERSAND],
}


def _base64_forms(raw: bytes, offset: int) -> set[str]:
    """The base64 of `raw` when it starts `offset` bytes into a text, as far as `raw` alone decides.

    The first and last character may mix in a neighbour's bits, so they are left out.
    """
    padded = base64.b64encode(b"\0" * offset + raw).decode()
    start = -(-offset * 8 // 6)
    stop = (offset + len(raw)) * 8 // 6
    core = padded[start:stop]
    return {core, core.translate(str.maketrans("+/", "-_"))} if len(core) >= SHORT else set()
