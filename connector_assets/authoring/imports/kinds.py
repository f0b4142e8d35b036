"""The importers by name: a new one is a class in a file of its own, and a line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImportKind:
    """An importer's name, where its class is, and what the command line says of it.

    `home` is a module of this package and a class in it. `takes` are the options beside the common
    ones: select, refs, answer. A source that begins with `text` is the document itself.
    """

    name: str
    home: str
    reads: str
    about: str
    takes: frozenset[str] = frozenset()
    text: str = ""


KINDS = (
    ImportKind(
        "airbyte",
        "airbyte.airbyte_manifest:AirbyteManifest",
        "A low-code manifest of Airbyte: manifest.yaml, or its JSON.",
        "Draft a spec from a low-code manifest of Airbyte, with a report of each stream: same, "
        "near (what differs) or refused (why). Python beside it is neither read nor run.",
    ),
    ImportKind(
        "openapi",
        "openapi.importer:OpenApi",
        "An OpenAPI document, 2.0, 3.0 or 3.1, in JSON or YAML: a file or a URL.",
        "Draft a spec from an OpenAPI document: its lists, how they page, keys and parents.",
        frozenset({"select", "refs"}),
    ),
    ImportKind(
        "dlt",
        "dlt_config:DltConfig",
        "A dlt REST API configuration: its JSON, its YAML, or the Python file that holds it.",
        "Draft a spec from a dlt REST API configuration; the Python in it is read, never run.",
    ),
    ImportKind(
        "curl",
        "curl:Curl",
        "One or many curl commands: a file, - for stdin, or the command itself in quotes.",
        "Draft a spec from curl commands; credentials in them are taken out and named.",
        frozenset({"answer"}),
        text="curl ",
    ),
    ImportKind(
        "har",
        "har:Har",
        "A HAR file, as a browser's network tab exports it, with the answers.",
        "Draft a spec from a browser's recording: two requests of a list prove how it pages.",
        frozenset({"select"}),
    ),
    ImportKind(
        "postman",
        "postman:Postman",
        "A Postman collection, exported as v2.1.",
        "Draft a spec from a Postman collection: its GET requests, auth and example answers.",
        frozenset({"select"}),
    ),
    ImportKind(
        "sling",
        "sling:Sling",
        "A Sling API spec (YAML).",
        "Draft a spec from a Sling API spec: endpoints, pagination, queues and sync values.",
        frozenset({"select"}),
    ),
)
