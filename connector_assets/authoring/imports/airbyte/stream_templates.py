"""Dynamic streams of a manifest: a template, and where what differs in each comes from."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_assets.authoring.imports.airbyte.code import path as path_to
from connector_assets.authoring.imports.airbyte.components import handed_down, simple_name
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.given_values import GivenValues
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused, is_plain
from connector_assets.authoring.imports.airbyte.texts import Texts

_MAX_EXPANDED = 500
_KEY = re.compile(r"""\.(\w+)|\[\s*['"]([^'"\]]+)['"]\s*\]""")
_READ = re.compile(r"""\bcomponents_values((?:\.\w+(?!\w|\()|\[\s*['"][^'"\]]+['"]\s*\])+)""")


@dataclass(frozen=True)
class StreamTemplate:
    """Streams that an endpoint lists.

    `variables` are the values of each, as templates over the listed `record`; `stream` reads them
    by their names.
    """

    name: str
    name_template: str
    lister: Mapping[str, Any]
    stream: Mapping[str, Any]
    variables: dict[str, Any]


def templates_of(
    dynamic: Any, given: GivenValues
) -> tuple[list[StreamTemplate], list[Mapping[str, Any]]]:
    """The streams that are listed by an endpoint, and those that the manifest lists itself."""
    if not isinstance(dynamic, Mapping):
        raise Refused("dynamic streams that are no object")
    resolver, stream = dynamic.get("components_resolver"), dynamic.get("stream_template")
    if not isinstance(resolver, Mapping) or not isinstance(stream, Mapping):
        raise Refused("dynamic streams without a template")
    kind = resolver.get("type")
    if kind == "HttpComponentsResolver":
        return [_listed(dynamic, resolver, stream, given)], []
    if kind == "ParametrizedComponentsResolver":
        return [], _parametrized(resolver, stream, given)
    if kind == "ConfigComponentsResolver":
        return [], _configured(resolver, stream, given)
    raise Refused(f"the components resolver {resolver.get('class_name') or kind}")


def _listed(
    dynamic: Mapping[str, Any],
    resolver: Mapping[str, Any],
    stream: Mapping[str, Any],
    given: GivenValues,
) -> StreamTemplate:
    reading = Reading(given, data={"components_values": "record"})
    made: dict[str, Any] = copy.deepcopy(dict(stream))
    variables: dict[str, Any] = {}
    name = "{{ record.name }}"
    for path, value in _mappings(resolver):
        if path == ["name"]:
            name = Texts(reading).text(value)
        elif isinstance(value, str):
            _put(made, path, _with_variables(value, variables))
        else:
            _put(made, path, value)
    lister = {"name": "listed", "type": "DeclarativeStream", "retriever": resolver.get("retriever")}
    made.setdefault("name", "listed")
    called = str(dynamic.get("name") or stream.get("name") or "dynamic")
    return StreamTemplate(called, name, lister, made, variables)


def _with_variables(text: str, variables: dict[str, Any]) -> str:
    """A text that reads variables where it reads the listed component; `variables` gathers them."""

    def variable(found: re.Match[str]) -> str:
        keys = [a or b for a, b in _KEY.findall(found[1])]
        name = simple_name("_".join(["component", *keys]))
        variables[name] = f"{{{{ {path_to('record', tuple(keys))} }}}}"
        return name

    made = _READ.sub(variable, text)
    if "components_values" in made:
        raise Refused("a mapping of components that computes of the whole component")
    return made


def _mappings(resolver: Mapping[str, Any]) -> list[tuple[list[str], Any]]:
    found = []
    for one in resolver.get("components_mapping") or ():
        path = one.get("field_path")
        if (
            one.get("condition")
            or not isinstance(path, list)
            or any(not is_plain(str(step)) for step in path)
        ):
            raise Refused("a mapping of components with a condition or a computed path")
        if one.get("create_or_update") and "*" in path:
            raise Refused("a mapping of components with a wildcard")
        found.append(([str(step) for step in path], one.get("value")))
    return found


def _parametrized(
    resolver: Mapping[str, Any], stream: Mapping[str, Any], given: GivenValues
) -> list[Mapping[str, Any]]:
    listed = (resolver.get("stream_parameters") or {}).get("list_of_parameters_for_stream")
    return _expanded(resolver, stream, listed, given)


def _configured(
    resolver: Mapping[str, Any], stream: Mapping[str, Any], given: GivenValues
) -> list[Mapping[str, Any]]:
    configs = resolver.get("stream_config")
    configs = configs if isinstance(configs, list) else [configs]
    if len(configs) != 1 or not isinstance(configs[0], Mapping):
        raise Refused("streams that the user combines of several lists")
    pointer = tuple(map(str, configs[0].get("configs_pointer") or ()))
    known = given.by_path.get(pointer)
    listed = known.schema.get("default") if known else configs[0].get("default_values")
    if not isinstance(listed, list) or not listed:
        raise Refused("streams that the user lists in config, of which none is known here")
    return _expanded(resolver, stream, listed, given)


def _expanded(
    resolver: Mapping[str, Any], stream: Mapping[str, Any], listed: Any, given: GivenValues
) -> list[Mapping[str, Any]]:
    """A stream for each of the values, which are known."""
    if not isinstance(listed, list) or not listed or len(listed) > _MAX_EXPANDED:
        raise Refused("dynamic streams without a list of them")
    made: list[Mapping[str, Any]] = []
    for at, values in enumerate(listed):
        one = copy.deepcopy(dict(stream))
        reading = Reading(given, {"components_values": values})
        for path, value in _mappings(resolver):
            text = str(value).replace("components_values", "parameters.components_values")
            text = text.replace("stream_slice", str(at)) if "stream_slice" in text else text
            _put(one, path, Texts(reading).json(text) if isinstance(value, str) else value)
        parameters = one.get("$parameters")
        one["$parameters"] = dict(parameters) if isinstance(parameters, Mapping) else {}
        made.append(handed_down("DeclarativeSource.streams", one))
    return made


def _put(tree: Any, path: list[str], value: Any) -> None:
    """Set what a mapping names; a step that is a number is a place in a list."""
    at = tree
    for step in path[:-1]:
        at = _step(at, step)
    if isinstance(at, list):
        at[int(path[-1])] = value
    elif isinstance(at, dict):
        at[path[-1]] = value
    else:
        raise Refused(f"a mapping of components to {'.'.join(path)}, which is not there")


def _step(at: Any, step: str) -> Any:
    if isinstance(at, list) and step.isdigit() and int(step) < len(at):
        return at[int(step)]
    if isinstance(at, dict):
        return at.setdefault(step, {})
    raise Refused(f"a mapping of components to {step}, which is not there")
