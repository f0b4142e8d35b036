"""Discovered streams as assets: from the lock file, and an asset that says so without it."""

from __future__ import annotations

import dagster as dg
import pytest

from tests.assets.test_definitions import connection, keys_of, specs_of
from tests.assets.test_materialize import failure
from tests.cli.test_discover import BASE, TABLES
from tests.loopback import serving

UNDISCOVERED = dg.AssetKey(["base", "not_discovered"])
SAID = "base: its streams are not discovered yet; run connector-assets discover specs/base.yaml"


@pytest.fixture
def base(project, monkeypatch):
    """A project whose API lists its tables, and a server that does."""

    def answer(request):
        if request.path == "/tables":
            return {"tables": TABLES}
        table = request.path.rpartition("/")[2]
        return {"rows": [{"id": n, "table": table} for n in range(3)]}

    project.write("specs/base.yaml", BASE)
    with serving(answer) as api:
        monkeypatch.setenv("BASE__BASE_URL", api.origin)
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        yield project


def test_streams_nobody_has_looked_up_are_an_asset_that_says_how(base):
    spec = specs_of(base.definitions())[UNDISCOVERED]
    assert (spec.description, spec.kinds) == (SAID, {"undiscovered"})
    result = base.run("base/not_discovered")
    assert failure(result).description == SAID


def test_streams_that_a_connection_names_are_in_sight_before_they_are_discovered(base):
    base.write(
        "connections/mine.yaml",
        connection("id: mine\nconnector: base\nstreams: [Leads_EU]\nschedule: '@daily'\n"),
    )
    definitions = base.definitions()
    assert keys_of(definitions) == ["mine/Leads_EU"]
    assert "discover connections/mine.yaml" in failure(base.run("mine/Leads_EU")).description


def test_discovered_streams_materialise(base):
    done = base.tool("connector-assets", "discover", "base")
    assert done.returncode == 0, done.stderr
    keys = keys_of(base.definitions())
    assert keys[0] == "base/Leads_EU"
    assert len(keys) == 3
    result = base.run(*keys)
    assert result.success
    assert base.rows("base.Leads_EU") == [(0, "t1"), (1, "t1"), (2, "t1")]
    # The file is the only source of streams: to load definitions asks no server.
    base.write("specs/base.lock.yaml", 'kind: lock\nversion: "1.0"\nconnections: {base: []}\n')
    assert keys_of(base.definitions()) == []
