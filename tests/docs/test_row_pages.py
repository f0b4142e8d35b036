"""Pages that show rows before and after: what they show is what happens."""

from __future__ import annotations

import json

import pytest
import yaml

from connector_assets.runtime.records import transform_of
from connector_assets.spec.connector import Stream
from connector_assets.spec.fields import CastType, Mask
from tests.docs.pages import ROOT, blocks

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
