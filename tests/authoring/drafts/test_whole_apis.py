"""Drafts by rules from whole documentations, beside what is right, and read from the API itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector_assets.authoring.simulator.pointed import pointed
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import parse_connector, read_connector
from connector_assets.spec.endpoint import Endpoint
from tests.authoring.drafts.whole_apis import NAMES, Documented, documented
from tests.syncing import sync

_PAGING = (
    *("cursor_field", "cursor_param", "has_more_field", "url_field", "offset_param"),
    *("limit_param", "page_param", "page_size_param", "page_size"),
)


def at_the_simulator(text: str) -> ConnectorSpec:
    """A draft whose requests go to the simulated API, as fast as that answers."""
    return parse_connector(json.dumps(pointed(read_connector(text).yaml.data).data))


def facts(spec: ConnectorSpec) -> dict[tuple[str, str], Any]:
    """What is compared, by the list's path and what it is of."""
    found: dict[tuple[str, str], Any] = {}
    for auth in spec.auth[:1]:
        named = {n: getattr(auth, n, None) for n in ("name", "in_", "prefix", "token_url")}
        found["", "auth"] = (auth.type, {n: str(v) for n, v in named.items() if v})
    if spec.rate_limit and spec.rate_limit.requests_per_second:
        found["", "limit"] = round(spec.rate_limit.requests_per_second, 2)
    for stream in spec.streams:
        endpoint = spec.endpoint_of(stream)
        path = whole_path(endpoint)
        paging = endpoint.pagination
        said = {one: str(getattr(paging, one, None)) for one in _PAGING}
        found[path, "pagination"] = (paging.type if paging else "none", said)
        rows = endpoint.response_rows_path
        found[path, "rows"] = rows.source if rows and rows.source != "@" else ""
        found[path, "key"] = list(stream.primary_key)
        found[path, "parents"] = list(stream.parents)
        cursor = stream.incremental
        found[path, "incremental"] = cursor and (str(cursor.cursor_field), cursor.start_param)
    return found


def whole_path(endpoint: Endpoint) -> str:
    base = endpoint.base_url.source if endpoint.base_url else ""
    return "/" + (base.rstrip("/") + endpoint.url.source).split("/", 3)[-1]


def read_all(known: Documented, spec: ConnectorSpec, folder: Any) -> dict[str, int]:
    """The rows that a load of each list of the draft brings."""
    given = {**known.api.secrets, "simulator_0": known.api.bases[0]}
    environ = {f"{spec.id.upper()}__{_upper(name)}": value for name, value in given.items()}
    destination = DuckDBDestination(folder / "data.duckdb")
    found = {}
    with HttpRuntime(allow_private=known.api.allowed) as runtime:
        connection = Connection(spec.id, YamlConnector(spec, runtime), environ=environ)
        for stream in spec.streams:
            sync(connection, stream.name, destination, staging=folder / "staging")
            _, rows = destination.query(f"select count(*) from {spec.id}.{stream.name}")
            found[stream.name] = rows[0][0]
    return found


def _upper(name: str) -> str:
    return "".join(f"_{one}" if one.isupper() else one.upper() for one in name)


# What rules do not find in these pages, and ask for.
ASKED = {"farm": {"pagination"}, "cinema": {"auth"}}


@pytest.mark.parametrize("name", NAMES)
def test_a_documentation_becomes_the_connector_that_is_right(name, tmp_path):
    """Beside `truth.yaml`, and by reading all rows of the API that the simulator makes of that."""
    with documented(name) as known:
        answer = known.draft()
        wanted = facts(parse_connector(json.dumps(known.truth)))
        made = facts(parse_connector(answer["yaml"]))
        wrong = {key[1] for key in wanted if made.get(key) != wanted[key]}
        assert wrong == ASKED.get(name, set())
        for one in wrong:
            assert any(one in question for question in answer["open_questions"])
        if not wrong:
            truth = {one.name: len(known.api.api.truth(one.name)) for one in known.api.spec.streams}
            assert read_all(known, at_the_simulator(answer["yaml"]), tmp_path) == truth
