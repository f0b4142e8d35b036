"""The page on partitions: what it says is asked is what is asked."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from connector_assets.project.partitioned import keys
from connector_assets.spec.document import parse_connection
from tests.docs.pages import ROOT, Block, blocks
from tests.timeline import Project

PAGE = ROOT / "docs" / "how-to" / "partitions.md"
YAML = list(blocks(PAGE, "yaml"))
CONNECTIONS = [
    block for block in YAML if "connection" in yaml.safe_load(block.text).get("kind", "")
]
OF_PARENTS = next(block for block in CONNECTIONS if "customers" in block.text)
CONNECTIONS.remove(OF_PARENTS)


def asked_for(block: Block) -> dict[str, str]:
    """The requests that the page shows after a connection, by partition."""
    every = [one for one in blocks(PAGE) if one.language in ("yaml", "text")]
    said = next(then for one, then in pairwise(every) if one == block)
    return dict(line.split() for line in said.text.splitlines())


def shop(folder: Path, shown: Block = YAML[0]) -> Project:
    streams = yaml.safe_load(shown.text)["streams"]
    api = "https://api.example.com"
    spec = {
        "kind": "connector",
        "version": "1.0",
        "id": "shop",
        "displayName": "Shop",
        "auth": [{"type": "none"}],
        "endpoints": [
            {"id": "orders", "url": f"{api}/orders"},
            {"id": "stock", "url": f"{api}/stock", "params": {"region": "{{region}}"}},
        ],
        "read": {"primary": "orders", "streams": streams},
    }
    return Project(folder, json.dumps(spec), lambda _path, _query: [])


@pytest.mark.parametrize("block", CONNECTIONS, ids=str)
def test_each_partition_asks_for_what_the_page_says(tmp_path: Path, block: Block) -> None:
    project, document = shop(tmp_path), parse_connection(block.text)
    project.clock.now = dt.datetime(2024, 1, 4, 12, tzinfo=dt.UTC)
    project.connection = replace(project.connection, document=document)
    (stream,) = document.stream_names
    said = asked_for(block)
    assert set(said) <= set(keys(project.connection, stream))
    for key, query in said.items():
        project.asked.clear()
        project.load(stream, partition=key)
        asked = [{n: v for n, v in one.items() if n != "path"} for one in project.asked]
        assert [urlencode(one, safe=":") for one in asked] == [query]


def test_the_keys_that_are_explained_are_those_there_are() -> None:
    text = PAGE.read_text("utf-8")
    schema: Any = json.loads((ROOT / "docs/reference/connection.schema.json").read_text("utf-8"))
    kinds = schema["$defs"]["TimePartitions"]["properties"]
    for name in (*kinds["type"]["enum"], *kinds):
        assert f"`{name}" in text or f"{name}:" in text


def test_the_rows_of_a_parent_are_partitions_as_the_page_says(tmp_path: Path) -> None:
    project, document = (
        shop(tmp_path, YAML[YAML.index(OF_PARENTS) - 1]),
        parse_connection(OF_PARENTS.text),
    )
    connection = replace(project.connection, document=document)
    rows = iter([[3], [17], [3], [None]])
    assert keys(connection, "visits", lambda stream, names: rows) == ["3", "17"]
    assert list(document.misfits(connection.stream("visits"))) == []
