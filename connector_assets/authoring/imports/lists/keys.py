"""What identifies a row, by what rows have and by how the API addresses one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector_assets.authoring.imports.lists.operation import plain, singular
from connector_assets.authoring.imports.lists.schema import Schemas, View

_FIRST = ("id", "gid", "sid", "uuid", "guid")
_ENDINGS = ("id", "uuid", "guid", "sid", "gid", "token", "key", "code", "number")
_LAST = ("number", "key", "slug", "urn", "token", "code", "name", "email", "login", "username")
_ONCE_IN_A_PARENT = ("number", "name", "slug", "code")


@dataclass(frozen=True)
class Key:
    """A field that identifies a row, from what that was guessed, and what is to be asked."""

    field: str
    why: str
    question: str = ""


def key_of(
    row: View, noun: str, details: Iterable[str], schemas: Schemas, above: Sequence[str]
) -> Key | None:
    """The key of rows that are called `noun`.

    `details` are the parameters of paths that address one row (`/orders/{order_id}`); `above` those
    of the list's own path, which name its parents.
    """
    names = [name for name in row.properties if _may_identify(schemas.of(row, name))]
    by_word = {plain(name): name for name in reversed(names)}
    one = plain(singular(noun))
    return (
        _exact(by_word, _FIRST, "its name")
        or _own(by_word, _nouns(noun))
        or _addressed(by_word, one, details)
        or _fallback(by_word, below=bool(above))
        or _only_id(by_word, above)
    )


def _may_identify(view: View) -> bool:
    return (view.is_scalar or view.is_vague) and "boolean" not in view.types


def _nouns(noun: str) -> list[str]:
    """The whole name and its last word: `usage_records` may have a `record_id`."""
    words = [noun, noun.rpartition("_")[2]]
    return list(dict.fromkeys(plain(singular(word)) for word in words if word))


def _exact(by_word: dict[str, str], words: Sequence[str], why: str) -> Key | None:
    return next((Key(by_word[word], why) for word in words if word in by_word), None)


def _own(by_word: dict[str, str], nouns: Sequence[str]) -> Key | None:
    for noun in nouns:
        for ending in _ENDINGS[:5]:
            if noun + ending in by_word:
                return Key(by_word[noun + ending], "it is called like the rows")
    return None


def _addressed(by_word: dict[str, str], noun: str, details: Iterable[str]) -> Key | None:
    """The parameter of the path to one row, which is called like the field or ends like it."""
    for param in details:
        word = plain(param)
        for name in (word, word.removeprefix(noun)):
            if name in by_word:
                return Key(by_word[name], f"one row is addressed by {{{param}}}")
        endings = [name for name in by_word if word.endswith(name) and name in _LAST]
        if endings:
            return Key(by_word[endings[0]], f"one row is addressed by {{{param}}}")
    return None


def _only_id(by_word: dict[str, str], above: Sequence[str]) -> Key | None:
    """The one id that is no parent's: of rows that tie two things together."""
    parents = {plain(one) for one in above}
    ids = [name for word, name in by_word.items() if word.endswith(_FIRST) and word not in parents]
    if not above or len(ids) != 1:
        return None
    question = f"{ids[0]} is the only id that no parent has; it may come again below another parent"
    return Key(ids[0], "the only id that no parent has", question)


def _fallback(by_word: dict[str, str], *, below: bool) -> Key | None:
    for word in _LAST:
        if word in by_word:
            again = below and word in _ONCE_IN_A_PARENT
            more = ", and may come again below another parent" if again else ""
            question = f"{by_word[word]} may not be unique{more}"
            return Key(by_word[word], "there is no id", question)
    return None
