"""Where the parameters of a path and required parameters of a list get their values from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.imports.draft import template_name
from connector_assets.authoring.imports.lists.found import FoundList, ListIndex
from connector_assets.authoring.imports.lists.operation import (
    Operation,
    Param,
    path_params,
    plain,
    singular,
    snake,
    words_in,
)

OWNERS = frozenset(
    words_in(
        "owner org organization organisation tenant account me realm subdomain accountid orgid "
        "organizationid organisationid tenantid realmid siteid"
    )
)
"""What a connection is set up for: its own value, unless a list before it in the path has it."""

_GENERAL = frozenset(words_in("id uuid gid sid key name slug number token code uid guid"))


@dataclass(frozen=True)
class FoundParent:
    """Rows that a list is read for: those of `list`, by their `field`, bound to `name`."""

    list: FoundList
    field: str
    name: str
    why: str
    question: str = ""


@dataclass
class Bindings:
    """What each parameter of a path becomes, as the name templates have for it.

    `include` are further fields of the parent's row. `adds` are parameters of the parent's own that
    its rows lack: they have to be added to them.
    """

    names: dict[str, str] = field(default_factory=dict)
    parent: FoundParent | None = None
    include: list[str] = field(default_factory=list)
    adds: dict[str, str] = field(default_factory=dict)
    config: dict[str, Param | None] = field(default_factory=dict)

    def spelled(self, spell: Callable[[str], str]) -> Bindings:
        """The same with names as the whole draft spells them."""

        def own(name: str) -> str:
            return name if name.startswith("parent.") else spell(name)

        return Bindings(
            {param: own(name) for param, name in self.names.items()},
            replace(self.parent, name=spell(self.parent.name)) if self.parent else None,
            self.include,
            {added: own(name) for added, name in self.adds.items()},
            self.config,
        )


def bindings_of(one: FoundList, index: ListIndex) -> Bindings:
    """How the path of a list is filled in."""
    operation = one.operation
    places = [(at, param) for at, s in enumerate(operation.segments) for param in path_params(s)]
    made = Bindings()
    deepest = _deepest(operation, places, index)
    for at, param in places:
        if deepest and at == deepest[0]:
            made.parent = _parent(operation, at, param, deepest[1])
            made.names[param] = made.parent.name
        elif deepest and at < deepest[0]:
            _from_parent(made, operation, (at, param), deepest[1], index)
        else:
            _config(made, operation, at, param)
    return made


def _deepest(
    operation: Operation, places: Sequence[tuple[int, str]], index: ListIndex
) -> tuple[int, FoundList] | None:
    for at, _ in reversed(places):
        segments = operation.segments
        if path_params(segments[at])[1:]:
            continue  # two parameters in one part
        parent = index.at(segments[:at])
        if parent is not None and parent.key is not None and parent.operation is not operation:
            return at, parent
    return None


def _parent(operation: Operation, at: int, param: str, parent: FoundList) -> FoundParent:
    assert parent.key is not None
    noun = plain(singular(parent.noun))
    words = {plain(name): name for name in reversed(list(parent.rows.row.properties))}
    word = plain(param)
    name = template_name(_named(operation, at, param))
    why = f"{{{param}}} follows the path of {parent.name}"
    if word in words and word not in _GENERAL:
        return FoundParent(parent, words[word], name, why)
    part = word.removeprefix(noun)
    if part in words:
        return FoundParent(parent, words[part], name, why)
    question = ""
    if not _may_be_key(word, noun, parent.key.field):
        question = f"{{{param}}} may be another field of {parent.name} than {parent.key.field}"
    return FoundParent(parent, parent.key.field, name, why, question)


def _may_be_key(word: str, noun: str, key: str) -> bool:
    plain_key = plain(key)
    ends = ("id", "sid", "uuid", "gid", "guid", plain_key)
    return word.endswith(ends) or word in (noun, "identifier") or word == plain_key


def _from_parent(
    made: Bindings,
    operation: Operation,
    place: tuple[int, str],
    parent: FoundList,
    index: ListIndex,
) -> None:
    """A parameter before the parent's: a field of its rows, or what it was read for itself."""
    at, param = place
    words = {plain(name): name for name in parent.rows.row.properties}
    own = bindings_of(parent, index)
    known = path_params(parent.operation.segments[at])
    name = own.names.get(known[0] if known else "", "")
    if own.config.get(name, ...) is not ... or not name:
        _config(made, operation, at, param)
    elif plain(param) in words and plain(param) not in _GENERAL:
        made.include.append(words[plain(param)])
        made.names[param] = f"parent.{words[plain(param)]}"
    else:
        bare = name.removeprefix("parent.")
        added = f"{bare}_of_parent" if bare in parent.rows.row.properties else bare
        made.adds[added] = name
        made.include.append(added)
        made.names[param] = f"parent.{added}"


def _config(made: Bindings, operation: Operation, at: int, param: str) -> None:
    name = template_name(_named(operation, at, param))
    given = next((one for one in operation.of("path") if one.name == param), None)
    made.names[param] = name
    made.config[name] = given


def _named(operation: Operation, at: int, param: str) -> str:
    """The parameter's name; a general one is called after what stands before it."""
    if plain(param) not in _GENERAL or at == 0:
        return param
    before = [one for one in operation.segments[:at] if not path_params(one)]
    return f"{singular(snake(before[-1]))}_{param}" if before else param


def parent_called(param: Param, index: ListIndex, own: FoundList) -> FoundList | None:
    """The list that a required parameter such as `project` or `project_id` names."""
    word = param.word
    for ending in ("", "id", "sid", "gid", "uuid"):
        noun = word.removesuffix(ending) if ending else word
        if not noun or noun in OWNERS or word in OWNERS:
            continue
        parent = index.called(noun)
        if parent and parent.key and parent.operation is not own.operation:
            return parent
    return None


def config_field(param: Param | None, text: str = "") -> dict[str, Any]:
    """A value that a connection gives, by what is said of the parameter."""
    if param is None:
        return {"description": text} if text else {}
    kinds = {"integer": "integer", "number": "number", "boolean": "boolean", "array": "list"}
    kind = next((kinds[one] for one in sorted(param.view.types) if one in kinds), None)
    made: dict[str, Any] = {}
    if kind and len(param.view.types) == 1:
        made["type"] = kind
    if text:
        made["description"] = text
    default = param.default
    if isinstance(default, str | int | float | bool) and default != "":
        made["default"] = default
    if 1 < len(param.choices) <= 50 and all(isinstance(c, str | int) for c in param.choices):  # noqa: PLR2004
        made["enum"] = param.choices
    if "enum" in made and "default" in made and made["default"] not in made["enum"]:
        del made["default"]
    return made


def no_circles(found: Mapping[str, Bindings]) -> set[str]:
    """The streams whose parents lead back to themselves."""
    circles = set()
    for name in found:
        seen, at = {name}, name
        while (binding := found.get(at)) and binding.parent:
            at = binding.parent.list.name
            if at in seen:
                circles.add(name)
                break
            seen.add(at)
    return circles
