"""The kit for plugins: it loads, kills, goes on, and tells where rows are lost."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import BaseModel, SecretStr

from connector_assets.errors import ConfigError
from connector_assets.plugins.define import define_connector
from connector_assets.testing import PluginBench
from tests.loopback import serving


class Config(BaseModel):
    pages: int
    token: SecretStr


def read(ctx):
    for page in range(ctx.resume or 0, ctx.config.pages):
        yield from ({"page": page, "n": n} for n in range(3))
        yield ctx.checkpoint(page + 1)


def read_doubling(ctx):
    """Its checkpoint is one page behind what it yielded."""
    for page in range(ctx.resume or 0, ctx.config.pages):
        yield {"page": page}
        yield ctx.checkpoint(page)


def paged(read):
    return define_connector(
        id="paged",
        display_name="Paged",
        config_schema=Config,
        read=read,
        test_connection=lambda config: config.token.get_secret_value() == "t-91ab",
    )


GOOD, DOUBLING = paged(read), paged(read_doubling)
VALUES = {"config": {"pages": 2}, "secrets": {"token": "t-91ab"}}


def test_a_stream_is_checked_loaded_and_looked_at(tmp_path):
    bench = PluginBench(GOOD, tmp_path, **VALUES)
    assert bench.check().ok
    assert bench.rows("paged") == []
    assert bench.load("paged").loaded.rows == 6
    assert bench.rows("paged")[0] == {"page": 0, "n": 0}
    assert bench.types("paged") == {"page": "BIGINT", "n": "BIGINT"}


def test_a_killed_load_is_gone_on_with(tmp_path):
    bench = PluginBench(GOOD, tmp_path, **VALUES)
    assert bench.load_killed("paged", after=1)
    assert bench.load("paged").resumed_rows == 3
    assert len(bench.rows("paged")) == 6


def test_a_plugin_that_doubles_rows_is_found_out(tmp_path):
    PluginBench(GOOD, tmp_path / "good", **VALUES).assert_survives_kills("paged")
    bench = PluginBench(DOUBLING, tmp_path / "bad", **VALUES)
    with pytest.raises(AssertionError, match="paged: killed after batch 1: 3 rows instead of 2"):
        bench.assert_survives_kills("paged")


def test_a_plugin_without_a_name_cannot_be_found_by_another_process(tmp_path):
    bench = PluginBench(paged(read), tmp_path, **VALUES)
    with pytest.raises(ConfigError, match=r"plugin paged: no module has it under a name; give"):
        bench.load_killed("paged", after=1)


def test_its_requests_may_go_to_a_server_of_the_test(tmp_path):
    def fetch(ctx):
        yield ctx.http.get("/x").json()

    with serving(lambda request: {"n": 1}) as api:
        plugin = define_connector(
            id="api", display_name="API", read=fetch, http={"defaults": {"baseUrl": api.origin}}
        )
        bench = PluginBench(plugin, tmp_path, allow_private=(api.host,))
        bench.load("api")
    assert bench.rows("api") == [{"n": 1}]


def test_it_imports_no_test_framework():
    program = "import sys, connector_assets.testing; print({'pytest', 'dagster'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"
