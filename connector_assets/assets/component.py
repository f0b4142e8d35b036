"""A connection as a component of a `dg` project: `defs.yaml` instead of `connections/*.yaml`."""

# No `from __future__ import annotations`: Dagster resolves the fields' types as they stand.

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import dagster as dg
from dagster.components.resolved.errors import ResolutionException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, create_model

from connector_assets.assets.broken import validating
from connector_assets.assets.factory import definitions_of
from connector_assets.assets.machines import elsewhere, instance_here, unshared_by
from connector_assets.assets.secrets import written
from connector_assets.assets.settings import Settings, settings
from connector_assets.assets.translator import ConnectorTranslator
from connector_assets.errors import Fault, SpecError
from connector_assets.plugins.found import import_plugins
from connector_assets.plugins.registry import connector_registry
from connector_assets.project.connection import Connection
from connector_assets.project.project import (
    Project,
    connection_from_document,
    connection_from_file,
)
from connector_assets.project.spec_files import (
    Broken,
    SpecFiles,
    Stamp,
    read_specs,
    stamp,
    streams_of,
)
from connector_assets.spec.component import (
    attributes_of,
    component_schema,
    is_component,
    own_words,
    read_component,
    with_variables,
)
from connector_assets.spec.dynamic import lock_path
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.yaml.yaml_source import YamlSource
from connector_assets.spec.yaml.yaml_text import read_file

_FILES = ("defs.yaml", "defs.yml", "component.yaml")
_UNRENDERED = "(template)"
"""Key of what the rendering of a component's templates failed with."""


class ScaffoldParams(BaseModel):
    """What `dg scaffold defs connector_assets.ConnectorComponent NAME` takes."""

    connector: str | None = Field(None, description="Id or file of the connector; default NAME.")


class ConnectorScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a `defs.yaml` for one connection."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        name = request.target_path.name
        connector = (request.params and request.params.connector) or name
        dg.scaffold_component(request, {"id": name, "connector": connector})


class _Attributes(BaseModel):
    """Takes every attribute as it stands: what is wrong with one is said by our own reader.

    Dagster's would take the whole code location down with it. The JSON Schema is strict: `dg check
    yaml` and editors go by that.
    """

    model_config = ConfigDict(extra="allow")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        own = handler.resolve_ref_schema(handler(core_schema)).get("properties", {})
        return component_schema(own)


@dg.scaffold_with(ConnectorScaffolder)
class ConnectorComponent(dg.Component, dg.Resolvable, dg.Model):
    """One connector under your values: each of its streams becomes an asset and a table.

    The attributes are those of a connection document. Dagster renders `{{ }}` here itself, before
    this package sees it: keep templates in the connector, or put them between `{% raw %}` and
    `{% endraw %}`.
    """

    id: str
    connector: str = Field(description="Id of a connector in `specs`, or its file beside this one.")
    specs: str = Field("specs", description="Folder of connectors, relative to the project.")
    description: str = ""
    config: dict[str, Any] = {}
    secrets: Annotated[dict[str, dict[str, str]], BeforeValidator(written)] = Field(
        {},
        repr=False,  # what stands there by mistake
        description="Name to {env: NAME}, {file: PATH} or a store; in Python dg.EnvVar, too.",
    )
    origins: list[str] | None = None
    auth: str | int | None = None
    streams: list[str] | dict[str, Any] | None = None
    vars: dict[str, Any] = {}
    destination: str | None = None
    schedule: str | None = None
    execution: Literal["perStream", "perConnector"] = "perStream"
    key: str | list[str] | None = None
    keyPrefix: str | list[str] | None = None  # noqa: N815 - a document's key
    group: str | None = None
    owners: list[str] = []
    tags: dict[str, str] = {}
    kinds: list[str] = []
    metadata: dict[str, Any] = {}
    automationCondition: str | None = None  # noqa: N815 - as above
    watch: str | None = None
    freshWithin: str | None = None  # noqa: N815 - as above
    deps: list[str] = []
    opTags: dict[str, Any] = {}  # noqa: N815 - as above
    retryPolicy: dict[str, Any] | None = None  # noqa: N815 - as above
    pool: str | None = None
    sampleRows: int = 5  # noqa: N815 - as above
    _given: dict[str, Any] | None = PrivateAttr(None)

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe this component to `dg list components`."""
        return dg.ComponentTypeSpec(
            description=cls.__doc__,
            produces=["asset", "asset_check", "schedule", "sensor", "resource"],
        )

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return the model of what Dagster checks: the fields that a subclass adds."""
        return _attributes_model(cls)

    @classmethod
    def resolve_from_model(cls, context: Any, model: BaseModel) -> Self:
        """The component with its templates rendered, not yet looked at."""
        given = with_variables(model.model_extra or {})
        own = {name: getattr(model, name) for name in model.model_fields_set - given.keys()}
        try:
            given, own = context.resolve_value(given), context.resolve_value(own)
        except ResolutionException as error:
            given, own = {**given, _UNRENDERED: str(error)}, {}
        known = {
            name: one for name, one in given.items() if name in ConnectorComponent.model_fields
        }
        made: Any = cls.model_construct(**known, **own)
        made._given = given  # noqa: SLF001 - its own, made here
        return cast("Self", made)

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the connection document, as they are given."""
        if self._given is not None:
            return self._given
        return self.model_dump(exclude_unset=True, include=set(ConnectorComponent.model_fields))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The connection's assets, checks, schedules and resources.

        One with faults keeps its assets, schedule and job, and they fail with what is wrong; where
        Dagster only checks the definitions, it is an error that shows the lines.
        """
        import_plugins()
        file = _ComponentFile.of(context)
        given = self.attributes
        specs = _specs(context, context.project_root / str(given.get("specs", "specs")))
        files = file.stamps(given.get("connector"), specs)
        own = {name: getattr(self, name) for name in _added(type(self))}
        translator = _AsComponent(type(self), repr(own), self)
        also = (files, connector_registry.version, validating(), translator)
        text = json.dumps(given, sort_keys=True, default=str)
        return _built(text, file, specs, settings(), also)

    def get_asset_spec(
        self, connection: Connection, stream: Stream, spec: dg.AssetSpec
    ) -> dg.AssetSpec:
        """The spec of a stream's asset, as the attributes have it; a subclass may change it."""
        del connection, stream
        return spec

    def get_op_tags(
        self, connection: Connection, stream: Stream, tags: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The tags of a stream's step, as the attributes have them; a subclass may change them."""
        del connection, stream
        return tags

    def get_retry_policy(
        self, connection: Connection, stream: Stream, policy: dg.RetryPolicy | None
    ) -> dg.RetryPolicy | None:
        """The retry policy of a stream's step, as the attributes have it."""
        del connection, stream
        return policy

    def get_pool(self, connection: Connection, stream: Stream, pool: str | None) -> str | None:
        """The pool of a stream's step, as the attributes have it."""
        del connection, stream
        return pool


@dataclass
class _Load:
    """What the components of one load have in common, so that a folder is looked at once."""

    tree: Any = None
    folders: dict[Path, SpecFiles] = field(default_factory=dict)


_load = _Load()


def _specs(context: dg.ComponentLoadContext, folder: Path) -> SpecFiles:
    """The connectors of `folder` as they were when Dagster began to load the project."""
    if _load.tree is not context.component_tree:
        _load.tree, _load.folders = context.component_tree, {}
    if folder not in _load.folders:
        _load.folders[folder] = read_specs(folder, connector_registry.connectors())
    return _load.folders[folder]


class _AsComponent(ConnectorTranslator):
    """A component's own word on its assets; components of one class and equal fields are equal."""

    def __init__(self, kind: type, fields: str, component: ConnectorComponent) -> None:
        self._key, self._component = (kind, fields), component

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AsComponent) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def get_asset_spec(
        self, connection: Connection, stream: Stream, spec: dg.AssetSpec
    ) -> dg.AssetSpec:
        return self._component.get_asset_spec(connection, stream, spec)

    def get_op_tags(
        self, connection: Connection, stream: Stream, tags: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return self._component.get_op_tags(connection, stream, tags)

    def get_retry_policy(
        self, connection: Connection, stream: Stream, policy: dg.RetryPolicy | None
    ) -> dg.RetryPolicy | None:
        return self._component.get_retry_policy(connection, stream, policy)

    def get_pool(self, connection: Connection, stream: Stream, pool: str | None) -> str | None:
        return self._component.get_pool(connection, stream, pool)


def _added(component: type[ConnectorComponent]) -> list[str]:
    """The fields that a subclass adds."""
    return [name for name in component.model_fields if name not in ConnectorComponent.model_fields]


@cache
def _attributes_model(component: type[ConnectorComponent]) -> type[BaseModel]:
    fields = component.model_fields
    added: dict[str, Any] = {
        name: (fields[name].annotation, fields[name]) for name in _added(component)
    }
    made: type[BaseModel] = create_model(
        f"{component.__name__}Attributes", __base__=_Attributes, **added
    )
    return made


@dataclass(frozen=True)
class _ComponentFile:
    """Where a component is written: its file, which of several in there it is, and the project."""

    path: Path
    number: int
    defs: Path

    @classmethod
    def of(cls, context: dg.ComponentLoadContext) -> Self:
        path = context.path
        if path.is_dir():
            path = next(
                (path / name for name in _FILES if (path / name).is_file()), path / _FILES[0]
            )
        number = getattr(context.component_loc, "instance_key", None)
        return cls(path, number if isinstance(number, int) else 0, context.defs_module_path)

    def stamps(self, connector: Any, specs: SpecFiles) -> tuple[Stamp, ...]:
        """What changes with the files that this component is made of, but for those in `specs`."""
        named = self.path.parent / str(connector)
        spec = specs.specs[connector][1] if connector in specs.specs else named
        files = (self.path, named, lock_path(spec if spec.suffix else named))
        return tuple(stamp(file) for file in dict.fromkeys(files) if file.is_file())

    def yaml(self) -> YamlSource | None:
        """The attributes as they stand in the file, for the places of faults.

        Dagster takes YAML that this package's reader refuses, as its templates make some.
        """
        try:
            return attributes_of(read_file(self.path), source=str(self.path), number=self.number)
        except SpecError:
            return None


@cache  # Dagster builds a component some six times in each of its processes
def _built(
    attributes: str, file: _ComponentFile, specs: SpecFiles, given: Settings, also: tuple[Any, ...]
) -> dg.Definitions:
    """The definitions of a component; `also` is what else they depend on, last its own class."""
    data = json.loads(attributes)
    for lack in unshared_by(
        elsewhere(None, instance_here()), given.state, given.destination, given.staging
    ):
        warnings.warn(lack, stacklevel=3)
    try:
        return definitions_of(
            Project((_connection(data, file, specs),)), given, translator=also[-1]
        )
    except SpecError:
        error = _located(data, file, specs)  # to find its lines takes as long as all else
    data = own_words(data)
    one = Broken(file.path, error, "", data, streams_of(data, file.path, specs))
    others = tuple(_others(file)) if validating() else ()
    return definitions_of(Project(broken=(one, *others)), given)


def _located(data: dict[str, Any], file: _ComponentFile, specs: SpecFiles) -> SpecError:
    """What is wrong, with its lines."""
    try:
        _connection(data, file, specs, file.yaml())
    except SpecError as error:
        return error
    raise AssertionError


def _connection(
    data: dict[str, Any], file: _ComponentFile, specs: SpecFiles, yaml: YamlSource | None = None
) -> Connection:
    source = str(file.path)
    if _UNRENDERED in data:
        raise SpecError([Fault("", data[_UNRENDERED])], source=source)
    return connection_from_document(
        read_component(data, yaml, source=source),
        file.path,
        yaml=yaml,
        specs=specs,
        plugins=connector_registry.connectors(),
    )


def _others(file: _ComponentFile) -> Iterator[Broken]:
    """Further components with faults, so that a check shows all of them at once.

    Those with templates are for Dagster to render first.
    """
    for path in sorted(file.defs.rglob("defs.y*ml")):
        text = read_file(path)
        if path == file.path or b"{{" in text or b"{%" in text or not is_component(text):
            continue
        try:
            connection_from_file(path, plugins=connector_registry.connectors())
        except SpecError as error:
            yield Broken(path, error)
