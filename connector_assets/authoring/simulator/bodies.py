"""Answers as bytes: rows in the format of the endpoint, with what the list says around them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from connector_assets.authoring.simulator.documents import (
    EACH,
    before_choosing,
    put,
    put_at,
    steps_of,
)
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.spec.endpoint import Endpoint

_TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xml": "application/xml",
    "text": "text/plain; charset=utf-8",
}


def body_of(
    endpoint: Endpoint, rows: Sequence[Mapping[str, Any]], told: Mapping[str, Any]
) -> tuple[bytes, str]:
    """The bytes of an answer and its Content-Type; `told` are paths with what stands there."""
    form = endpoint.response_format
    made = {
        "json": lambda: json.dumps(document_of(endpoint, rows, told)).encode(),
        "jsonl": lambda: b"".join(json.dumps(one).encode() + b"\n" for one in rows),
        "csv": lambda: _csv(endpoint, rows),
        "xml": lambda: _xml(endpoint, rows),
        "text": lambda: "".join(f"{row.get('value', 'line')}\n" for row in rows).encode(),
    }
    return made[form](), _TYPES[form]


def document_of(
    endpoint: Endpoint, rows: Sequence[Mapping[str, Any]], told: Mapping[str, Any]
) -> Any:
    """The JSON document: rows at their path, and at theirs what is told beside them."""
    path = endpoint.response_rows_path
    where, listed = before_choosing(path.source if path else "", rows)
    if endpoint.rows_key_as is not None:
        key = endpoint.rows_key_as
        listed = {
            str(row.get(key, f"k{number}")): {n: v for n, v in row.items() if n != key}
            for number, row in enumerate(rows)
        }
    if path is None:
        document: Any = {"items": listed} if told else listed
    else:
        steps = steps_of(where)
        # `data[]` lists the rows themselves: what is beyond the last [] is within each row.
        steps = steps[:-1] if steps and steps[-1] is EACH else steps
        document = put(None, steps, listed)
    for where, value in told.items():
        document = put_at(document, where, value)
    return document


def _csv(endpoint: Endpoint, rows: Sequence[Mapping[str, Any]]) -> bytes:
    form = endpoint.csv
    names = list(form.header) if form.header is not True else _names(rows)
    out = io.StringIO()
    out.write("a line that is skipped\r\n" * form.skip_lines)
    writer = csv.writer(out, delimiter=form.delimiter, quotechar=form.quote)
    if form.header is True:
        writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue().encode(form.charset or "utf-8")


def _names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row)) or ["id"]


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list | bool) else value


def _xml(endpoint: Endpoint, rows: Sequence[Mapping[str, Any]]) -> bytes:
    assert endpoint.response_rows_path is not None
    steps = steps_of(endpoint.response_rows_path.source)
    if not all(isinstance(one, str) for one in steps):
        raise CannotSimulate(f'the rows path "{endpoint.response_rows_path.source}" of XML')
    *above, last = steps
    text = "".join(_element(last, row) for row in rows)
    for name in reversed(above):
        text = f"<{name}>{text}</{name}>"
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, Mapping):
        marks = "".join(
            f' {key[1:]}="{escape(str(one))}"' for key, one in value.items() if key[:1] == "@"
        )
        inner = "".join(_element(key, one) for key, one in value.items() if key[:1] not in "@#")
        return f"<{name}{marks}>{inner}{escape(str(value.get('#text', '')))}</{name}>"
    return f"<{name}>{'' if value is None else escape(str(value))}</{name}>"
