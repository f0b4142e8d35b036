"""A manifest's partition routers → `forEach` of a stream."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.imports.airbyte.code import Const
from connector_assets.authoring.imports.airbyte.components import simple_name
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.request_parts import Option
from connector_assets.authoring.imports.airbyte.texts import Texts
from connector_assets.spec.checks.bindings import RESERVED

ParentOf = Callable[[Mapping[str, Any]], str]
"""Gives the name of the stream that a component is, which is added where it is none yet."""


@dataclass
class Routes:
    """The dimensions of a stream, and how templates read them."""

    each: list[dict[str, Any]] = field(default_factory=list)
    item: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[Option, str]] = field(default_factory=list)
    near: list[str] = field(default_factory=list)
    needs_key: bool = False


class Routers:
    """Converts the partition routers of one stream; `parent_of` knows the other streams."""

    def __init__(
        self,
        reading: Reading,
        parent_of: ParentOf,
        values: Mapping[str, Any],
        slice_of: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        self.texts, self.slice_of = Texts(reading), slice_of
        self.parent_of, self.names = parent_of, values
        self.made = Routes()

    def routes(self, router: Any) -> Routes:
        """All dimensions; Refused where a spec has no equal."""
        for one in router if isinstance(router, list) else [router]:
            if one:
                self._add(one)
        return self.made

    def _add(self, router: Any, batch: int | None = None) -> None:
        if not isinstance(router, Mapping):
            raise Refused("a partition router that is no object")
        kind = router.get("type")
        if router.get("class_name"):
            raise Refused(f"the partition router {router['class_name']}")
        if kind == "ListPartitionRouter":
            self._list(router, batch)
        elif kind in ("SubstreamPartitionRouter", "SubstreamSlicer"):
            self._substream(router, batch)
        elif kind in ("CartesianProductStreamSlicer", "CartesianProductPartitionRouter"):
            for one in router.get("stream_slicers") or router.get("partition_routers") or ():
                self._add(one, batch)
        elif kind == "GroupingPartitionRouter":
            self._add(router.get("underlying_partition_router"), int(router.get("group_size", 1)))
        else:
            raise Refused(f"the partition router {kind}")

    def _list(self, router: Mapping[str, Any], batch: int | None) -> None:
        field_name = self.texts.text(router.get("cursor_field"))
        name = self._bind(field_name, batch)
        values = router.get("values")
        each: dict[str, Any] = {"values": self._values(values), "as": name}
        if batch:
            each["batch"] = batch
        self.made.each.append(each)
        self._option(router, field_name)

    def _values(self, values: Any) -> Any:
        if isinstance(values, list):
            return [_typed(self.texts.one(one)) if isinstance(one, str) else one for one in values]
        found = self.texts.one(values)
        if isinstance(found, Const):
            try:
                listed = ast.literal_eval(str(found.value))
            except (ValueError, SyntaxError):
                listed = found.value
            if not isinstance(listed, list | tuple) or not listed:
                raise Refused("a list partition router without a list")
            return list(listed)
        return f"{{{{ {found.text.removesuffix(' | default(none)')} }}}}"

    def _bind(self, field_name: str, batch: int | None) -> str:
        name = simple_name(field_name)
        if name in RESERVED or name in self.names:
            name = f"{name}_item"
        whole = "values" if batch else name
        self.made.item[field_name] = f"item.{whole}"
        return name

    def _option(self, router: Mapping[str, Any], field_name: str) -> None:
        option = router.get("request_option")
        if option:
            template = f"{{{{ {self.made.item[field_name]} }}}}"
            self.made.sent.append((Option.of(option, self.texts), template))

    def _substream(self, router: Mapping[str, Any], batch: int | None) -> None:
        configs = [one for one in router.get("parent_stream_configs") or () if one]
        if not configs:
            raise Refused("a substream without a parent")
        fields = {self.texts.text(one.get("partition_field") or "") for one in configs}
        if len(fields) > 1:
            raise Refused("parents that set different fields of a slice")
        field_name = fields.pop()
        name = self._bind(field_name, batch)
        parents = [self._parent(one, name) for one in configs]
        each: dict[str, Any] = {"parent": parents[0] if len(parents) == 1 else parents}
        if batch:
            each["batch"] = batch
        self.made.each.append(each)
        options = {str(one.get("request_option")) for one in configs}
        if len(options) > 1:
            raise Refused("parents that send their keys in different places")
        self._option(configs[0], field_name)

    def _parent(self, config: Mapping[str, Any], name: str) -> dict[str, Any]:
        stream = config.get("stream")
        if not isinstance(stream, Mapping):
            raise Refused("a parent that is no stream")
        if config.get("lazy_read_pointer"):
            raise Refused("a parent whose rows hold the first page of their children")
        key = self.texts.text(config.get("parent_key") or "").replace("/", ".")
        if "*" in key or not key.strip("."):
            raise Refused("a parent key that is no field")
        parent = self.parent_of(stream)
        made: dict[str, Any] = {"stream": parent, "field": _path(key.split(".")), "as": name}
        included = [*self._extra(config.get("extra_fields")), *self._parent_slice(parent)]
        if included:
            made["include"] = included
        if config.get("incremental_dependency") and stream.get("incremental_sync"):
            made["changed"] = True
            self.made.needs_key = True
        return made

    def _parent_slice(self, parent: str) -> list[str]:
        """Columns of what the parent itself was read for, where a template asks for it."""
        columns = self.slice_of(parent) if self.slice_of else {}
        for name, column in columns.items():
            self.made.extra[f"parent_slice.{name}"] = f"parent.{column}"
        return list(columns.values())

    def _extra(self, fields: Any) -> list[str]:
        included = []
        for path in fields if isinstance(fields, list) else ():
            steps = [self.texts.text(step) for step in path]
            if "*" in steps:
                raise Refused("an extra field of a parent with a wildcard")
            included.append(_path(steps))
            self.made.extra[".".join(steps)] = f"parent.{_path(steps)}"
        return included


def _path(steps: list[str]) -> str:
    return ".".join(one if one.isidentifier() else f'"{one}"' for one in steps)


def _typed(value: Any) -> Any:
    """A value of a list, which the CDK reads as a Python literal."""
    if not isinstance(value, Const):
        return f"{{{{ {value.text} }}}}"
    text = str(value.value)
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return found if isinstance(found, str | int | float) else text
