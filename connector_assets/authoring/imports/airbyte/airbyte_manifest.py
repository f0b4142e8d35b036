"""A low-code manifest of Airbyte (`manifest.yaml`) → a draft, with a report of each stream.

Every stream comes out as one of three: `same` asks the same and gives the same rows, `near` says
what differs, `refused` says what it needs that a spec cannot say, such as Python of its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from connector_assets.authoring.imports.airbyte.components import whole_manifest
from connector_assets.authoring.imports.airbyte.credential_marks import mark_values
from connector_assets.authoring.imports.airbyte.given_values import GivenValues
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.rate_budgets import rate_limit
from connector_assets.authoring.imports.airbyte.stream_templates import StreamTemplate, templates_of
from connector_assets.authoring.imports.airbyte.streams import Made, StreamConverter, Surroundings
from connector_assets.authoring.imports.draft import (
    Draft,
    DraftRemark,
    Names,
    Outcome,
    connector_id,
)
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.read_data import read_mapping
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.spec.names.dates import DateError

_WHAT = "an Airbyte manifest: a mapping of the type DeclarativeSource"
_MAX_PARENTS = 20


class AirbyteManifest:
    """Reads a low-code manifest; none of its connector's Python is read or run."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """Its streams, with auth, pagination, increments, parents and error rules."""
        manifest = read_mapping(source, _WHAT)
        is_source = manifest.get("type", "DeclarativeSource") == "DeclarativeSource"
        if not is_source or not ("streams" in manifest or "dynamic_streams" in manifest):
            raise ConfigError(f"is not {_WHAT}, with streams", where=source.name)
        return _Manifest(manifest, source, wanted).draft()


class _Manifest:
    def __init__(self, manifest: Mapping[str, Any], source: Source, wanted: WantedDraft) -> None:
        self.source, self.wanted = source, wanted
        self.whole = whole_manifest(manifest, source.name)
        spec = self.whole.get("spec")
        asked = spec.get("connection_specification") if isinstance(spec, Mapping) else None
        self.given = GivenValues.of(asked)
        mark_values(self.whole, self.given)
        self.names = Names()
        self.done: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.open: list[str] = []
        self.listed: dict[str, str] = {}
        self.made: dict[str, Made] = {}
        self.outcomes: list[Outcome] = []
        self.remarks: list[DraftRemark] = []
        self.dynamic: list[dict[str, Any]] = []

    def draft(self) -> Draft:
        streams = [one for one in self.whole.get("streams") or () if isinstance(one, Mapping)]
        templates, expanded = self._templates()
        streams += expanded
        for one in streams:
            self.listed.setdefault(_identity(one), self.names.new(_name(one)))
        # All before any is reported: a child may have columns added to its parent's rows.
        for one in streams:
            with suppress(Refused):
                self._stream(one)
        for one in streams:
            self._outcome(one)
        for template in templates:
            self._dynamic(template)
        return self._drafted()

    def _templates(self) -> tuple[list[StreamTemplate], list[Mapping[str, Any]]]:
        templates: list[StreamTemplate] = []
        expanded: list[Mapping[str, Any]] = []
        for one in self.whole.get("dynamic_streams") or ():
            try:
                found, plain = templates_of(one, self.given)
                templates += found
                expanded += plain
            except (Refused, DateError) as error:
                self._refuse("", str(one.get("name") or "dynamic streams"), str(error))
        return templates, expanded

    def _outcome(self, component: Mapping[str, Any]) -> None:
        name, source = self.listed[_identity(component)], _name(component)
        try:
            self._stream(component)
        except Refused as error:
            self._refuse(name, source, str(error))
            return
        near = list(dict.fromkeys(self.made[name].near))
        for says in near:
            self.remarks.append(DraftRemark(name, "", "note", says))
        self.outcomes.append(Outcome(name, source, "near" if near else "same", "; ".join(near)))

    def _refuse(self, name: str, source: str, why: str) -> None:
        self.outcomes.append(Outcome(name, source, "refused", why))

    def _stream(self, component: Mapping[str, Any]) -> str:
        """The name of the stream that a component is; it is converted where it is not yet."""
        key = _identity(component)
        if key in self.done:
            return self.done[key]
        if key in self.refused:
            raise Refused(self.refused[key])
        if key in self.open or len(self.open) > _MAX_PARENTS:
            raise Refused("a stream that is its own parent")
        name = self.listed.setdefault(key, self.names.new(_name(component)))
        self.open.append(key)
        try:
            self.made[name] = self._converted(component, name, {})
        except Refused as error:
            self.refused[key] = str(error)
            raise
        finally:
            self.open.pop()
        self.done[key] = name
        return name

    def _converted(self, component: Mapping[str, Any], name: str, variables: Any) -> Made:
        around = Surroundings(self.given, self._parent, self._schema, self._parent_slice, variables)
        if component.get("type") == "StateDelegatingStream":
            return self._delegating(component, name, around)
        try:
            return StreamConverter(component, name, around).convert()
        except (DateError, ValueError, TypeError, AttributeError, KeyError) as error:
            # A manifest that the CDK would not take, either: say so, and go on with the next.
            if isinstance(error, ConnectorError):
                raise Refused(str(error)) from None
            raise Refused(
                f"a component that is not as the format says ({type(error).__name__})"
            ) from None

    def _delegating(self, component: Mapping[str, Any], name: str, around: Surroundings) -> Made:
        """A stream that reads all by one request the first time, and goes on by another."""
        full, later = component.get("full_refresh_stream"), component.get("incremental_stream")
        if not isinstance(full, Mapping) or not isinstance(later, Mapping):
            raise Refused("a delegating stream without its two streams")
        made = StreamConverter(later, name, around).convert()
        first = StreamConverter(full, self.names.new(f"{name}_all"), around).convert()
        initial: dict[str, Any] = {"endpoint": first.endpoint["id"]}
        for key in ("where", "fields"):
            if first.stream.get(key) != made.stream.get(key) and key in first.stream:
                initial[key] = first.stream[key]
        if first.stream.get("forEach") != made.stream.get("forEach"):
            raise Refused("a delegating stream of parents")
        cursor = made.stream.get("incremental", {})
        initial["incremental"] = {
            key: cursor[key] for key in ("cursorField", "cursorFormat") if key in cursor
        }
        made.stream["initial"] = initial
        made.near += first.near
        self.made[first.endpoint["id"]] = Made(first.endpoint, {}, first.auths)
        return made

    def _parent(self, component: Mapping[str, Any]) -> str:
        try:
            return self._stream(component)
        except Refused as error:
            raise Refused(f"its parent {_name(component)} is refused: {error}") from None

    def _parent_slice(self, name: str) -> Mapping[str, str]:
        return self.made[name].slice_columns()

    def _schema(self, path: str) -> Any:
        """The schema in a file beside the manifest; None where it cannot be had."""
        try:
            return json.loads(self.source.beside(path.removeprefix("./")).raw)
        except (ConnectorError, ValueError, OSError):
            return None

    def _dynamic(self, template: StreamTemplate) -> None:
        name = self.names.new(template.name)
        try:
            lister = StreamConverter(
                template.lister,
                self.names.new(f"{name}_listed"),
                Surroundings(self.given, self._parent, self._schema, self._parent_slice),
            ).convert()
            made = self._converted(template.stream, name, {one: one for one in template.variables})
        except Refused as error:
            self._refuse("", template.name, str(error))
            return
        stream = {"from": lister.endpoint["id"], **made.stream, "endpoint": made.endpoint["id"]}
        stream["name"] = template.name_template
        stream["vars"] = template.variables
        self.dynamic.append(stream)
        self.made[lister.endpoint["id"]] = Made(lister.endpoint, {}, lister.auths)
        self.made[name] = Made(made.endpoint, {}, made.auths)
        near = list(dict.fromkeys([*made.near, "run discover to name the streams"]))
        self.outcomes.append(Outcome("", template.name, "near", "; ".join(near)))

    # The document.

    def _drafted(self) -> Draft:
        auth = self._auth()
        endpoints = [one.endpoint for one in self.made.values()]
        streams = [one.stream for one in self.made.values() if one.stream]
        name = self._display_name()
        data: dict[str, Any] = {
            "kind": "connector",
            "version": "1.0",
            "id": self.wanted.id or connector_id(name),
            "displayName": name,
        }
        data |= self._about()
        budget, near = rate_limit(self.whole.get("api_budget"))
        for key, value in (("auth", auth), ("rateLimit", budget)):
            if value:
                data[key] = value
        for says in near:
            self.remarks.append(DraftRemark("", "rateLimit", "note", says))
        data["endpoints"] = endpoints
        read: dict[str, Any] = {"streams": streams} if streams else {}
        if self.dynamic:
            read["dynamic"] = self.dynamic
        data["read"] = read
        self._values(data)
        return Draft("airbyte", self.source.name, data, self.outcomes, self.remarks, head=_HEAD)

    def _values(self, data: dict[str, Any]) -> None:
        """Declare what is read, before what reads it."""
        shown = json.dumps(data)
        for one in self.given.by_path.values():
            kind = "secrets" if one.secret else "config"
            one.used = bool(re.search(rf"\b{kind}\.{re.escape(one.name)}\b", shown))
        late = [key for key in ("auth", "rateLimit", "endpoints", "read") if key in data]
        after: dict[str, Any] = {key: data.pop(key) for key in late}
        for kind in ("config", "secrets"):
            declared = self.given.declared(kind)  # type: ignore[arg-type]
            if declared:
                data[kind] = declared
        data |= after

    def _auth(self) -> list[Any]:
        """What most endpoints authenticate by; the others say it themselves."""
        counted = Counter(json.dumps(one.auths) for one in self.made.values())
        if not counted:
            return []
        usual = json.loads(counted.most_common(1)[0][0])
        for one in self.made.values():
            if one.auths != usual:
                one.endpoint["auth"] = one.auths
        return [] if usual == [{"type": "none"}] else list(usual)

    def _display_name(self) -> str:
        metadata = self.whole.get("metadata")
        spec = self.whole.get("spec")
        title = None
        if isinstance(spec, Mapping) and isinstance(spec.get("connection_specification"), Mapping):
            title = spec["connection_specification"].get("title")
        named = metadata.get("name") if isinstance(metadata, Mapping) else None
        for one in (named, title):
            if isinstance(one, str) and one.strip():
                text = re.sub(
                    r"\b(source|spec|specification|connector)\b", "", one, flags=re.IGNORECASE
                )
                text = " ".join(re.sub(r"[^\w .&-]+", " ", text).split())
                if text:
                    return text[:100]
        stem = self.source.stem
        return stem if stem and stem != "manifest" else "api"

    def _about(self) -> dict[str, Any]:
        spec = self.whole.get("spec")
        url = spec.get("documentation_url") if isinstance(spec, Mapping) else None
        fits = isinstance(url, str) and url.startswith("https://") and len(url) < 200  # noqa: PLR2004
        return {"docsUrl": url} if fits else {}


_HEAD = ("Drafted from a low-code manifest of Airbyte.",)


def _identity(component: Mapping[str, Any]) -> str:
    return json.dumps(component, sort_keys=True, default=str)


def _name(component: Mapping[str, Any]) -> str:
    parameters = component.get("$parameters")
    named = component.get("name") or (
        parameters.get("name") if isinstance(parameters, Mapping) else None
    )
    return str(named or "stream")
