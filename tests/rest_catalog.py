"""An Iceberg REST catalog on this machine: what the protocol needs for tables, over an SQL catalog.

There is no server of it in Python's or npm's index, so this one is ours; only the library that
reads and writes the messages is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyiceberg.catalog.rest import CreateTableRequest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableRequest

from tests.loopback import serving

_ERRORS = {
    CommitFailedException: 409,
    TableAlreadyExistsError: 409,
    NamespaceAlreadyExistsError: 409,
    NoSuchNamespaceError: 404,
    NoSuchTableError: 404,
}


@contextmanager
def serving_catalog(folder: Path, token: str) -> Iterator[str]:
    """The catalog's address; it wants `token` of whoever asks, and keeps tables in the folder."""
    folder.mkdir()
    catalog = SqlCatalog(
        "rest", uri=f"sqlite:///{folder}/rest.db", warehouse=f"file://{folder}/warehouse"
    )

    def answer(request: Any) -> Any:
        if request.headers.get("authorization") != f"Bearer {token}":
            return _error(401, "NotAuthorizedException")
        try:
            return _answer(catalog, request)
        except tuple(_ERRORS) as error:
            return _error(_ERRORS[type(error)], type(error).__name__)

    with serving(answer) as server:
        yield server.origin
    catalog.close()


def _answer(catalog: SqlCatalog, request: Any) -> Any:
    path = request.path.partition("?")[0].removeprefix("/v1/").split("/")
    body = request.body
    if path == ["config"]:
        return {"defaults": {}, "overrides": {}}
    if path == ["namespaces"]:
        names = tuple(json.loads(body)["namespace"])
        catalog.create_namespace(names)
        return {"namespace": names, "properties": {}}
    if len(path) == 2:
        return {"namespace": [path[1]], "properties": catalog.load_namespace_properties(path[1])}
    if len(path) == 3:
        asked = {"location": None, **json.loads(body)}
        return _create(catalog, path[1], CreateTableRequest.model_validate(asked))
    identifier = (path[1], path[3])
    if request.method == "POST":
        asked = CommitTableRequest.model_validate_json(body)
        table: Any = SimpleNamespace(name=lambda: identifier)
        done = catalog.commit_table(table, asked.requirements, asked.updates)
        return json.loads(done.model_dump_json(by_alias=True))
    return _loaded(catalog.load_table(identifier))


def _create(catalog: SqlCatalog, schema: str, asked: CreateTableRequest) -> Any:
    make = catalog._create_staged_table if asked.stage_create else catalog.create_table
    return _loaded(
        make(
            (schema, asked.name),
            asked.table_schema,
            partition_spec=asked.partition_spec,
            properties=asked.properties,
        )
    )


def _loaded(table: Any) -> Any:
    metadata = json.loads(table.metadata.model_dump_json(by_alias=True))
    return {"metadata-location": table.metadata_location, "metadata": metadata, "config": {}}


def _error(status: int, kind: str) -> Any:
    return status, {"error": {"message": "refused", "type": kind, "code": status}}
