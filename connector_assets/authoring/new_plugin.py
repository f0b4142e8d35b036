"""The skeleton of a plugin as a package of its own, with a test that passes."""

from __future__ import annotations

import re
from pathlib import Path

from connector_assets.errors import ConfigError

_PROJECT = """\
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "connector-assets-{dashed}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["connector-assets"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points."connector_assets.plugins"]
{name} = "{name}_plugin:plugin"

[tool.hatch.build.targets.wheel]
only-include = ["{name}_plugin.py"]
"""
_PLUGIN = '''\
"""The lines of a file as rows. Replace Config, read and test_connection with your own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from connector_assets import PluginContext, define_connector


class Config(BaseModel):
    """What a connection gives; a field of type pydantic.SecretStr is a secret."""

    path: str


def read(ctx: PluginContext[Config]) -> Iterator[dict[str, Any]]:
    """Yield the rows of ctx.stream as they come, from where a killed run was."""
    done = ctx.resume or 0
    with Path(ctx.config.path).open() as lines:
        for number, line in enumerate(lines):
            if number < done:
                continue
            yield {{"number": number, "line": line.rstrip("\\n")}}
            if (number + 1) % 1000 == 0:
                ctx.checkpoint(number + 1)


def test_connection(config: Config) -> None:
    """Raise what is wrong."""
    Path(config.path).open().close()


plugin = define_connector(
    id="{name}",
    display_name="{title}",
    config_schema=Config,
    streams=[{{"name": "lines", "primaryKey": ["number"]}}],
    read=read,
    test_connection=test_connection,
)
'''
_TEST = """\
from {name}_plugin import plugin

from connector_assets.testing import PluginBench


def test_lines_are_rows(tmp_path):
    (tmp_path / "lines.txt").write_text("one\\ntwo\\n")
    bench = PluginBench(plugin, tmp_path, config={{"path": str(tmp_path / "lines.txt")}})
    assert bench.check().ok
    bench.load("lines")
    assert bench.rows("lines") == [
        {{"number": 0, "line": "one"}},
        {{"number": 1, "line": "two"}},
    ]


def test_killed_loads_lose_nothing(tmp_path):
    (tmp_path / "lines.txt").write_text("x\\n" * 2500)
    bench = PluginBench(plugin, tmp_path, config={{"path": str(tmp_path / "lines.txt")}})
    bench.assert_survives_kills("lines")
"""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def new_plugin(name: str, folder: Path) -> list[Path]:
    """Write the package into `folder`; raises ConfigError where one of its files is there already.

    `name` is the connector's id.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f'"{name}" is no id of a connector', fix="use small letters, digits and _, as my_source"
        )
    words = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "title": name.replace("_", " ").title(),
    }
    files = {
        folder / "pyproject.toml": _PROJECT,
        folder / f"{name}_plugin.py": _PLUGIN,
        folder / "tests" / f"test_{name}.py": _TEST,
    }
    there = [str(path) for path in files if path.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)} is there already", fix="choose another folder")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**words))
    return list(files)
