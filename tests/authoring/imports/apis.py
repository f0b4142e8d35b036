"""Small OpenAPI documents, written as the vendors of the world write theirs."""

from __future__ import annotations

import json
from typing import Any

from connector_assets.authoring.imports.draft import Draft
from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
FLAG = {"type": "boolean"}
URL = {"type": "string", "format": "uri", "nullable": True}
TIME = {"type": "string", "format": "date-time"}


def thing(**more: Any) -> dict[str, Any]:
    """An object with these properties."""
    return {"type": "object", "properties": more}


ROW = thing(id=TEXT, name=TEXT)


def rows(row: Any = ROW) -> dict[str, Any]:
    """A list of such rows."""
    return {"type": "array", "items": row}


def query(name: str, schema: Any = TEXT, text: str = "", **more: Any) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": name, "in": "query", "schema": schema, "description": text, **more}


def in_path(name: str) -> dict[str, Any]:
    """A parameter of the path."""
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


def lists(answer: Any, *params: Any, headers: Any = None, body: Any = None, **more: Any) -> Any:
    """An operation that answers so."""
    good = {"description": "OK", "content": {"application/json": {"schema": answer}}}
    if headers:
        good["headers"] = headers
    made = {"parameters": list(params), "responses": {"200": good}, **more}
    if body:
        made["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return made


def document(paths: Any, **more: Any) -> dict[str, Any]:
    """A whole document; a path maps to its GET, or to an item with methods."""
    items = {p: one if "get" in one or "post" in one else {"get": one} for p, one in paths.items()}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "https://api.example.com/v1"}],
        "paths": items,
        **more,
    }


def drafted(made: Any, *select: str, name: str = "shop.json") -> Draft:
    """The draft of a document, given as data or as text."""
    raw = made if isinstance(made, str) else json.dumps(made)
    return import_spec("openapi", Source(name, raw.encode()), WantedDraft(select))
