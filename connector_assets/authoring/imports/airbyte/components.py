"""A manifest as its streams see it: `$ref` looked up, `$parameters` handed down, types filled in.

Source: the manifest format of Airbyte's low-code CDK (`declarative_component_schema.yaml`), which
says what a reference may name, which field wins, and what type a component has that names none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector_assets.errors import ConfigError

MAX_NODES = 2_000_000
"""How many values a manifest may have once its references are written out."""
_MAX_DEPTH = 120
_AS_IT_IS = {"schema", "spec", "metadata", "$parameters", "connection_specification"}
"""Fields in which nothing is a component."""

_DEFAULT_TYPES = {
    "CompositeErrorHandler.error_handlers": "DefaultErrorHandler",
    "DatetimeBasedCursor.end_datetime": "MinMaxDatetime",
    "DatetimeBasedCursor.end_time_option": "RequestOption",
    "DatetimeBasedCursor.start_datetime": "MinMaxDatetime",
    "DatetimeBasedCursor.start_time_option": "RequestOption",
    "DeclarativeSource.streams": "DeclarativeStream",
    "DeclarativeStream.retriever": "SimpleRetriever",
    "DeclarativeStream.schema_loader": "JsonFileSchemaLoader",
    "DynamicDeclarativeStream.stream_template": "DeclarativeStream",
    "HttpComponentsResolver.retriever": "SimpleRetriever",
    "DefaultErrorHandler.response_filters": "HttpResponseFilter",
    "DefaultPaginator.page_size_option": "RequestOption",
    "HttpRequester.error_handler": "DefaultErrorHandler",
    "ListPartitionRouter.request_option": "RequestOption",
    "ParentStreamConfig.request_option": "RequestOption",
    "ParentStreamConfig.stream": "DeclarativeStream",
    "RecordSelector.extractor": "DpathExtractor",
    "RecordSelector.record_filter": "RecordFilter",
    "SimpleRetriever.paginator": "NoPagination",
    "SimpleRetriever.record_selector": "RecordSelector",
    "SimpleRetriever.requester": "HttpRequester",
    "SubstreamPartitionRouter.parent_stream_configs": "ParentStreamConfig",
    "AddFields.fields": "AddedFieldDefinition",
}


def whole_manifest(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The source component with all its references and parameters written out.

    `name` is what errors call the manifest. Raises ConfigError for a reference that leads nowhere
    or back to itself, with the path of the place that names it.
    """
    resolver = _Resolver(manifest, name)
    kept = {key: value for key, value in manifest.items() if key not in ("definitions", "schemas")}
    source = resolver.evaluated(kept, ())
    source.setdefault("type", "DeclarativeSource")
    handed = _Handing(name).down("", source, {})
    assert isinstance(handed, dict)
    return handed


def handed_down(field: str, component: Mapping[str, Any]) -> dict[str, Any]:
    """A component that stands at `field`, with its parameters in all that is within it."""
    handed = _Handing("the manifest").down(field, component, {})
    assert isinstance(handed, dict)
    return handed


class _Resolver:
    """Looks up `$ref: "#/definitions/x"`, whose keys the referring object may replace."""

    def __init__(self, manifest: Mapping[str, Any], name: str) -> None:
        self.manifest, self.name = manifest, name
        self.open: list[str] = []
        self.nodes = 0

    def evaluated(self, node: Any, path: tuple[str | int, ...]) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) + 4 * len(self.open) > _MAX_DEPTH * 4:
            self.refuse("is too large once its references are written out", path)
        if isinstance(node, Mapping):
            return self._object(node, path)
        if isinstance(node, list):
            return [self.evaluated(one, (*path, at)) for at, one in enumerate(node)]
        if isinstance(node, str) and node.startswith("#/"):
            return self._referred(node, path)
        return node

    def _object(self, node: Mapping[str, Any], path: tuple[str | int, ...]) -> Any:
        own = {
            key: self.evaluated(value, (*path, key)) for key, value in node.items() if key != "$ref"
        }
        if "$ref" not in node:
            return own
        ref = node["$ref"]
        if not isinstance(ref, str) or not ref.startswith("#/"):
            self.refuse(f"has a $ref that is not of the form #/definitions/…: {ref!s:.80}", path)
        found = self.evaluated(ref, (*path, "$ref"))
        return {**found, **own} if isinstance(found, dict) else found

    def _referred(self, ref: str, path: tuple[str | int, ...]) -> Any:
        if ref in self.open:
            self.refuse(f"{ref:.120} leads back to itself", path)
        self.open.append(ref)
        found = self.evaluated(self._found(ref, path), path)
        self.open.pop()
        return found

    def _found(self, ref: str, path: tuple[str | int, ...]) -> Any:
        at: Any = self.manifest
        rest = ref[2:]
        while rest:
            if isinstance(at, Mapping) and rest in at:
                return at[rest]
            head, _, rest = rest.partition("/")
            if isinstance(at, list) and head.isdigit() and int(head) < len(at):
                at = at[int(head)]
            elif isinstance(at, Mapping) and head in at:
                at = at[head]
            else:
                self.refuse(f"{ref:.120} names nothing in the manifest", path)
        return at

    def refuse(self, what: str, path: tuple[str | int, ...]) -> None:
        where = ".".join(str(step) for step in path[:12])
        raise ConfigError(what, where=f"{self.name}: {where}" if where else self.name)


class _Handing:
    """Hands `$parameters` from a component to those within it, as fields and as `parameters`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes = 0

    def down(self, field: str, component: Mapping[str, Any], above: Mapping[str, Any]) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError("is too large once its parameters are handed down", where=self.name)
        made = dict(component)
        if "type" not in made and field in _DEFAULT_TYPES and "class_name" not in made:
            made["type"] = _DEFAULT_TYPES[field]
        own = made.pop("$parameters", None)
        parameters = {**above, **(own if isinstance(own, Mapping) else {})}
        if made.get("type") in ("object", ["null", "object"]):
            return made
        if "type" not in made and "class_name" not in made:
            return self._bare(field, made, parameters)
        for key, value in parameters.items():
            made[key] = made.get(key) or value
        for key, value in list(made.items()):
            if key not in _AS_IT_IS:
                under = {name: one for name, one in parameters.items() if name != key}
                made[key] = self._within(f"{made.get('type')}.{key}", value, under)
        if parameters:
            made["$parameters"] = parameters
        return made

    def _within(self, field: str, value: Any, parameters: Mapping[str, Any]) -> Any:
        if isinstance(value, Mapping):
            return self.down(field, value, parameters)
        if isinstance(value, list):
            return [
                self.down(field, one, parameters) if isinstance(one, Mapping) else one
                for one in value
            ]
        return value

    def _bare(self, field: str, made: dict[str, Any], parameters: Mapping[str, Any]) -> Any:
        for key, value in made.items():
            if isinstance(value, Mapping) and value.get("type"):
                made[key] = self.down(field, value, parameters)
        return made


def simple_name(text: str) -> str:
    """A name as a template can read it.

    >>> simple_name("start-date (UTC)")
    'start_date_UTC'
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:60].strip("_") or "value"
    return name if not name[0].isdigit() else f"v_{name}"
