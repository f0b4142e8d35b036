"""Pages that show rows before and after: what they show is what happens."""

from __future__ import annotations

import json

import httpx
import pytest
import yaml

from connector_assets.runtime.body.page import Page
from connector_assets.runtime.body.to_json import json_of
from connector_assets.runtime.body.xml_tree import MAX_DEPTH, MAX_ELEMENTS
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.rows.records import transform_of
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.request.formats import ACCEPT, Csv
from connector_assets.spec.stream.fields import CastType, Mask
from connector_assets.spec.stream.stream import Stream
from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "docs/how-to/compute-fields.md"
SCOPE = {"config": {"region": "eu"}, "region": "eu"}
BLOCKS = list(blocks(PAGE))


@pytest.mark.parametrize("at", range(0, len(BLOCKS), 3), ids=lambda at: str(BLOCKS[at]))
def test_rows_become_what_the_page_shows(at: int) -> None:
    spec, before, after = BLOCKS[at : at + 3]
    assert [spec.language, before.language, after.language] == ["yaml", "json", "json"]
    stream = Stream.model_validate({"name": "page", **yaml.safe_load(spec.text)})
    transform = transform_of(stream)
    assert transform
    made, _ = transform(before.text.encode(), SCOPE)
    assert rows(made.decode()) == rows(after.text)


def rows(text: str) -> list[object]:
    """The rows with their keys in order and each number as it is written."""
    return [json.loads(line, parse_float=str, object_pairs_hook=list) for line in text.splitlines()]


@pytest.mark.parametrize("kind", [CastType, Mask])
def test_every_cast_and_mask_has_a_line(kind) -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert all(any(f"`{name}`" in row for row in rows) for name in kind.__args__)


FORMATS = ROOT / "docs/how-to/read-csv-and-xml.md"
_SHOWN = [block for block in blocks(FORMATS) if block.language in ("text", "xml")]


@pytest.mark.parametrize("source", _SHOWN, ids=str)
def test_a_body_becomes_the_rows_that_the_page_shows(source: Block) -> None:
    page = list(blocks(FORMATS))
    at = page.index(source)
    given = yaml.safe_load(page[at - 1].text)
    endpoint = Endpoint.model_validate({"id": "e", "url": "https://x.example", **given})
    body = source.text.encode(endpoint.csv.charset or "utf-8")
    answer = Answer(200, httpx.Headers(), body, "https://x.example")
    found = Page(answer, endpoint.response_rows_path, None, json_of(answer, endpoint))
    assert rows(found.ndjson().decode()) == rows(page[at + 1].text)


def test_the_formats_and_their_limits_are_the_codes() -> None:
    page = FORMATS.read_text()
    for name, accept in ACCEPT.items():
        assert f"| `{name}`" in page
        assert f"`{accept}` |" in page
    for key in Csv.model_fields.values():
        assert f"| `{key.alias}` |" in page
    assert f"{MAX_DEPTH} deep" in page
    assert f"{MAX_ELEMENTS:,} elements" in page
    most = Endpoint.model_fields["max_response_bytes"].default
    assert f"({most >> 20} MiB" in page
