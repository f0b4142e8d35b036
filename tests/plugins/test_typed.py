"""A plugin of the wrong shape is an error of the type checker, and one of the right shape is none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each line with an `# error` must be one, and no other may.
SNIPPET = """
from collections.abc import Iterator, Mapping
from typing import Any
from pydantic import BaseModel
from connector_assets import Connection, PluginContext, define_connector

class Config(BaseModel):
    topic: str

class Other(BaseModel):
    path: str

def read(ctx: PluginContext[Config]) -> Iterator[dict[str, Any]]:
    yield {"topic": ctx.config.topic}
    yield {"topic": ctx.config.topik}  # error

def lines(ctx: PluginContext[Config]) -> Iterator[bytes]:
    yield b"{}"

def texts(ctx: PluginContext[Config]) -> Iterator[str]:
    yield "no row"

def elsewhere(ctx: PluginContext[Other]) -> Iterator[dict[str, Any]]:
    yield {"path": ctx.config.path}

def untyped(ctx: PluginContext[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    yield dict(ctx.config)

def fine(config: Config) -> bool:
    return bool(config.topic)

def other_test(config: Other) -> bool:
    return bool(config.path)

def assets(connection: Connection) -> list[Any]:
    return []

define_connector(id="a", display_name="A", config_schema=Config, read=read, test_connection=fine)
define_connector(id="a", display_name="A", config_schema=Config, read=lines, assets=assets)
define_connector(id="a", display_name="A", read=untyped)
define_connector(id="a", display_name="A", config_schema=Config, read=texts)  # error
define_connector(id="a", display_name="A", config_schema=Config, read=elsewhere)  # error
define_connector(id="a", display_name="A", config_schema=Config, read=read, test_connection=other_test)  # error
define_connector(id="a", display_name="A", config_schema=Config, read=read, streams=[7])  # error
define_connector(id="a", display_name="A", config_schema=Config, read=read, stream=["x"])  # error
define_connector(id="a", config_schema=Config, read=read)  # error
define_connector(id="a", display_name="A", config_schema=str, read=read)  # error

@define_connector(id="b", display_name="B", config_schema=Config)
class Good:
    def read(self, ctx: PluginContext[Config]) -> Iterator[dict[str, Any]]:
        yield {"topic": ctx.config.topic}

@define_connector(id="c", display_name="C", config_schema=Config)  # error
class Reads:
    def reed(self, ctx: PluginContext[Config]) -> Iterator[dict[str, Any]]:
        yield {}
"""


def test_wrong_shapes_are_errors_and_right_ones_are_none(tmp_path):
    file = tmp_path / "plugins.py"
    file.write_text(SNIPPET)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            str(file),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = {int(line) for line in re.findall(r"plugins\.py:(\d+): error", done.stdout)}
    wanted = {n for n, line in enumerate(SNIPPET.splitlines(), 1) if "# error" in line}
    assert found == wanted, done.stdout
