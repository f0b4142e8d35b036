"""The MCP server: an assistant creates connectors, as text, into the specs folder.

It speaks over stdin and stdout. It sends no request to any API and reads no secret; a connector it
creates is read only once the operator materializes or loads it.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.errors import ConnectorError, SpecError

_INSTRUCTIONS = """\
Creates connectors for HTTP APIs: one YAML document each, with endpoints, authentication,
pagination and streams. Read get_spec_schema first, look at list_connectors for ids that are taken,
and call create_yaml_connector; its errors name the place in the document and what to do there.
Never put a secret into a document: write "{{secrets.name}}", its operator sets <ID>__<NAME>."""

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

Yaml = Annotated[str, Field(description="The whole connector document.")]
Overwrite = Annotated[
    bool, Field(description="Replace the connector of this id, if its operator asked for that.")
]


def serve(specs: str | Path) -> None:
    """Serve on stdin and stdout until the client leaves."""
    server(SpecsFolder(Path(specs))).run("stdio")


def server(folder: SpecsFolder) -> MCPServer:
    """The server over one specs folder."""
    tools = MCPServer(
        "connector-assets",
        title="Connector Assets",
        instructions=_INSTRUCTIONS,
        version=version("connector-assets"),
        log_level="WARNING",
    )

    @tools.tool(annotations=_WRITES)
    def create_yaml_connector(yaml: Yaml, overwrite: Overwrite = False) -> dict[str, Any]:
        """Validate a connector document and, if it is valid, register it and write its file.

        Answers {"ok": true, "id", "displayName"}, or {"ok": false, "errors"} with every fault.
        """
        try:
            spec = folder.create(yaml, overwrite=overwrite)
        except ConnectorError as error:
            return _refused(error)
        return {"ok": True, "id": spec.id, "displayName": spec.display_name}

    @tools.tool(annotations=_READS)
    def validate_yaml_connector(yaml: Yaml) -> dict[str, Any]:
        """As create_yaml_connector, but nothing is registered or written."""
        try:
            spec = folder.check(yaml)
        except ConnectorError as error:
            return _refused(error)
        return {"ok": True, "id": spec.id, "displayName": spec.display_name}

    @tools.tool(annotations=_READS)
    def list_connectors() -> dict[str, Any]:
        """The connectors there are: id, displayName, category, streams; files with faults."""
        return folder.listing()

    @tools.tool(annotations=_READS)
    def get_spec_schema() -> dict[str, Any]:
        """The JSON Schema of a connector document."""
        from connector_assets.spec.connector import ConnectorSpec
        from connector_assets.spec.jsonschema import schema_of

        return schema_of(ConnectorSpec)

    return tools


def _refused(error: ConnectorError) -> dict[str, Any]:
    """Each fault as its path and message; an error that is no fault of the document as one."""
    faults = error.faults if isinstance(error, SpecError) else [error]
    return {"ok": False, "errors": [str(fault) for fault in faults]}
