"""`schema`: the JSON Schema of the documents, for editors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from connector_assets.cli import output


class SchemaKind(StrEnum):
    """What a document is."""

    CONNECTOR = "connector"
    CONNECTION = "connection"
    LOCK = "lock"


KindArgument = Annotated[
    SchemaKind, typer.Argument(metavar="connector|connection|lock", help="Which kind of document.")
]


def schema(kind: KindArgument = SchemaKind.CONNECTOR) -> None:
    """Print the JSON Schema of a document, for editors and other tools.

    Save it, and begin a spec with: # yaml-language-server: $schema=connector.schema.json
    """
    from connector_assets.spec.checks.jsonschema import schema_of
    from connector_assets.spec.connection import ConnectionDocument
    from connector_assets.spec.connector import ConnectorSpec
    from connector_assets.spec.dynamic import Lock

    models = {
        SchemaKind.CONNECTOR: ConnectorSpec,
        SchemaKind.CONNECTION: ConnectionDocument,
        SchemaKind.LOCK: Lock,
    }
    output.write_json(schema_of(models[kind]), indent=2)
