"""Secrets and what is of people, taken out of recorded requests and answers by a rule.

The rule goes by the names of fields, parameters and elements, and by what values look like:
docs/how-to/record-and-replay.md says it in full. A value that was replaced once is replaced
wherever it stands alone, so that cursors, joins and the requests for items still fit together.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote, unquote

from connector_assets.authoring.imports.secret_values import looks_secret
from connector_assets.authoring.recording.made_up_values import Kind, MadeUpValues
from connector_assets.authoring.recording.personal_fields import kind_of
from connector_assets.authoring.recording.written_json import (
    Number,
    made_anew,
    members,
    read_json,
    write_json,
)

_EMAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_ENCODED_EMAIL = re.compile(
    r"[\w.+%'-]{1,64}(?P<at>%(?:25)?40|&#(?:64|x40);)[\w-]{1,63}(?:\.[\w-]{1,63})+", re.IGNORECASE
)
_LOGIN = re.compile(r"(?<!\w)((?:Bearer|Basic)\s+)(?=\S*\d|\S{20})([\w.~+/=-]{8,})")
_PHONE = re.compile(r"(?<![\w+])\+\d[\d ().-]{7,20}\d(?!\w)")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s?#]+@")
_URL_PARAM = re.compile(r"(\A|[?&;])([\w.\-\[\]%]+)=([^&#\s\"'<>;]+)")
_SIGNED = re.compile(
    r"x-amz-(?:signature|credential|security-token)|sig|signature|policy", re.IGNORECASE
)
# The percent sign stays within a piece: it is undone there.
_PIECE = re.compile(r"[^\s,;:/|\"'()\[\]{}<>=&?#]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_SHORTEST, _FEWEST_DIGITS = 4, 6
_LABELS = frozenset(("name", "key", "field", "label", "property", "attribute", "header", "id"))
_VALUES = frozenset(
    ("value", "values", "text", "raw", "formatted", "current", "old", "new", "before", "after")
)


class Scrubber:
    """Replaces what the rule names; `mask` is that of the connection's secrets.

    `kept` are texts that stay whatever they are called, `keep` and `also` names of fields that the
    rule leaves alone, or takes as well. What is to be scrubbed is shown to `look` first, all of it.
    """

    def __init__(
        self,
        mask: Callable[[str], str],
        *,
        kept: Collection[str] = (),
        keep: Collection[str] = (),
        also: Collection[str] = (),
    ) -> None:
        self._mask, self._kept = mask, frozenset(kept)
        self._keep, self._also = frozenset(keep), frozenset(also)
        self._made = MadeUpValues()

    def look(self, tree: Any, name: str = "") -> None:
        """Take note of the values in plain data that will be replaced."""
        self.data(tree, name)

    def data(self, tree: Any, name: str = "") -> Any:
        """Plain data with its values replaced; `name` is what it is called."""
        pairs = members(tree)
        if pairs is not None:
            return made_anew(tree, self._members(list(pairs), name))
        if isinstance(tree, list | tuple):
            return [self.data(one, name) for one in tree]
        if isinstance(tree, str):
            return self.value(tree, name)
        return tree

    def _members(self, pairs: list[tuple[str, Any]], name: str) -> list[tuple[str, Any]]:
        """The pairs of an object; what is called `value` is judged by what it is the value of."""
        label = self._label(pairs)
        made = []
        for key, one in pairs:
            called = key
            if self._kind(name) == "secret":
                called = name
            elif key.lower() in _VALUES and self._kind(key) is None:
                called = label or name
            is_label = bool(label) and one == label and key.lower() in _LABELS
            made.append((self._key(key), one if is_label else self.data(one, called)))
        return made

    def _label(self, pairs: list[tuple[str, Any]]) -> str:
        """The field of which an object such as {"name": "phone", "value": …} has the value."""
        if not any(key.lower() in _VALUES for key, _ in pairs):
            return ""
        texts = (one for key, one in pairs if key.lower() in _LABELS and isinstance(one, str))
        return next((one for one in texts if self._kind(one)), "")

    def value(self, value: str, name: str = "") -> str:
        """One value of a field, a parameter or an element of that name."""
        if name in self._keep or not value or "[secret" in value:
            return value
        kind = self._kind(name)
        if isinstance(value, Number):
            return Number(self._number(value, kind))
        if value in self._kept:
            return value
        if self._mask(value) == value and not _EMAIL.fullmatch(value):
            kind = kind or ("secret" if looks_secret(value) else None)
            if kind is not None:
                return self._made.of(kind, value)
        return self.text(value)

    def text(self, text: str) -> str:
        """A text with what is in it replaced: secrets, addresses, and what was replaced before."""
        if text in self._kept:
            return text
        text = self._mask(text)
        if len(text) >= _SHORTEST and text in self._made:
            return self._made[text]
        if (nested := self._nested(text)) is not None:
            return nested
        core = text.rstrip("=")
        if "/" in core and _BASE64.fullmatch(text) and self._tells(core):
            return self._made.of("secret", core) + text[len(core) :]
        return _PIECE.sub(lambda found: self._piece(found[0]), self._patterns(text))

    def _nested(self, text: str) -> str | None:
        """JSON within a text, by the names of its fields; None where it is none."""
        if text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            tree = read_json(text)
        except (ValueError, RecursionError):
            return None
        made = self.data(tree)
        return text if made == tree else write_json(made, step="")

    def _key(self, key: str) -> str:
        """A key of an object: names of fields stay, whoever is called like one."""
        if looks_secret(key) and key not in self._kept:
            return self._made.of("secret", key)
        return self._patterns(self._mask(key))

    def _patterns(self, text: str) -> str:
        text = _USER_OF_URL.sub("", text)
        if "=" in text:
            text = _URL_PARAM.sub(self._param, text)
        if "@" in text:
            text = _EMAIL.sub(self._email, text)
        if "40" in text or "&#" in text:
            text = _ENCODED_EMAIL.sub(self._encoded_email, text)
        text = _LOGIN.sub(lambda found: found[1] + self._made.of("secret", found[2]), text)
        if "+" in text:
            text = _PHONE.sub(lambda found: self._made.of("phone", found[0]), text)
        text = _IPV4.sub(self._address, text)
        if "::" in text or text.count(":") > 6:  # noqa: PLR2004 - as an IPv6 address has
            text = _IPV6.sub(self._address, text)
        return text

    def _kind(self, name: str) -> Kind | None:
        if name in self._keep:
            return None
        return "text" if name in self._also else kind_of(name)

    def _number(self, value: str, kind: Kind | None) -> str:
        is_long = len(value) >= _FEWEST_DIGITS
        if kind is None or (kind == "secret" and not is_long):
            known = is_long and value in self._made
            return self._made[value] if known else value
        return self._made.of(kind, value, is_number=True)

    def _param(self, found: re.Match[str]) -> str:
        before, name, value = found.groups()
        plain = unquote(value)
        if plain.startswith("[secret:") or plain in self._kept:
            return found[0]
        if _SIGNED.fullmatch(name) or self._kind(unquote(name)) == "secret":
            return f"{before}{name}={quote(self._made.of('secret', plain), safe='')}"
        return found[0]

    def _email(self, found: re.Match[str]) -> str:
        one = found[0]
        return one if one in self._kept or self._is_made(one) else self._made.of("email", one)

    def _encoded_email(self, found: re.Match[str]) -> str:
        """An address whose @ is written as %40 or &#64;, in the same way."""
        plain = unquote(unquote(found[0].replace(found["at"], "@")))
        made = _EMAIL.sub(self._email, plain)
        return found[0] if made == plain else quote(made, safe="").replace("%40", found["at"])

    def _is_made(self, email: str) -> bool:
        return re.fullmatch(r"user\d+@example\.com", email) is not None

    def _address(self, found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        if address.is_private or address.is_loopback or address.is_unspecified:
            return found[0]
        return self._made.of("ip", found[0])

    def _piece(self, piece: str) -> str:
        """A word of a text: it may be a value that was replaced elsewhere, or hold one, encoded."""
        plain = unquote(piece)
        if len(plain) >= _SHORTEST and plain in self._made and plain not in self._kept:
            return quote(self._made[plain], safe="@+ ") if plain != piece else self._made[plain]
        if _BASE64.fullmatch(piece) and self._tells(piece):
            return self._made.of("secret", piece)
        return piece

    def _tells(self, encoded: str) -> bool:
        """Whether base64 is of a text in which something would be replaced."""
        try:
            raw = base64.urlsafe_b64decode(
                encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4)
            )
            text = raw.decode("utf-8")
        except (binascii.Error, ValueError):
            return False
        return "".join(text.split()).isprintable() and self.text(text) != text


def said_by(spec: Any) -> set[str]:
    """The texts and words in a spec's data: what it says itself is of nobody."""
    if isinstance(spec, Mapping):
        return set().union(*(said_by(one) for pair in spec.items() for one in pair))
    if isinstance(spec, list | tuple):
        return set().union(*map(said_by, spec))
    return {str(spec), *re.findall(r"\w+", str(spec))} if spec is not None else set()
