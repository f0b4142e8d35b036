"""A connection as a component of a `dg` project: `defs.yaml` instead of `connections/*.yaml`."""

# No `from __future__ import annotations`: Dagster resolves the fields' types as they stand.

from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import BaseModel, Field

from connector_assets.assets.factory import definitions_of
from connector_assets.assets.settings import settings
from connector_assets.errors import SpecError
from connector_assets.plugins.registry import connector_registry, import_plugins
from connector_assets.project import Broken, Project, connection_from_document
from connector_assets.spec.component import attributes_of, read_component
from connector_assets.spec.document import read_file
from connector_assets.spec.yaml_source import YamlSource


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
    secrets: dict[str, dict[str, str]] = Field(
        {}, description="Name to {env: NAME} or {file: PATH}."
    )
    auth: str | int | None = None
    streams: list[str] | dict[str, Any] | None = None
    vars: dict[str, Any] = {}
    destination: str | None = None
    schedule: str | None = None
    execution: Literal["perStream", "perConnector"] = "perStream"
    pool: str | None = None
    group: str | None = None
    owners: list[str] = []
    tags: dict[str, str] = {}

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description=cls.__doc__, produces=["asset", "asset_check", "schedule", "resource"]
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        import_plugins()
        path = context.path / "defs.yaml" if context.path.is_dir() else context.path
        try:
            yaml = _attributes(path)
            given = self.model_dump(exclude_unset=True)
            connection = connection_from_document(
                read_component(given, yaml, source=str(path)),
                path,
                yaml=yaml,
                specs=context.project_root / self.specs,
                plugins=connector_registry.connectors(),
            )
        except SpecError as error:
            return definitions_of(Project(broken=(Broken(path, error),)), settings())
        return definitions_of(Project((connection,)), settings())


def _attributes(path: Path) -> YamlSource | None:
    """The attributes as they stand in the file, for the places of faults.

    Dagster takes files that this package's reader refuses: several components in one, or YAML that
    its templates only make.
    """
    try:
        return attributes_of(read_file(path), source=str(path))
    except SpecError:
        return None
