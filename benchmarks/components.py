"""What a component costs beside a file in a folder, as Dagster loads a project.

    python -m benchmarks.components [--components 100] [--streams 10] [--rounds 3]

Seconds of CPU, each in a process of its own, without the import of Dagster: of a folder of
connections, of as many components, and of as many components that do nothing, which is Dagster's
own part. `ratio` is what our components take beside that, by what the folder takes. Figures are
medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = """
kind: connector
version: "1.0"
id: vendor{number}
displayName: Vendor {number}
config: {{base_url: {{default: "https://api.example.com"}}}}
auth: [{{type: bearer, tokenRef: "{{{{secrets.token}}}}"}}]
defaults:
  responseRowsPath: rows
  pagination: {{type: cursor, cursorField: next, maxPages: 10}}
endpoints:
  - {{id: list, url: "{{{{base_url}}}}/{{{{stream}}}}"}}
read:
  primary: list
  streams:
"""
STREAM = """\
    - {{name: stream{number}, primaryKey: [id], description: One of many., checks: {{minRows: 1}}}}
"""
EMPTY = """
import dagster as dg

class Empty(dg.Component, dg.Resolvable, dg.Model):
    id: str
    connector: str

    def build_defs(self, context):
        return dg.Definitions()
"""
PYPROJECT = """
[project]
name = "many"
version = "0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "many"
"""


def project(folder, components, streams):
    """A `dg` project, with as many connections in `connections/` as there are components."""
    for path in ("specs", "connections", "many/defs", "empty/defs"):
        (folder / path).mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "many/__init__.py").write_text(EMPTY)
    for number in range(components):
        text = SPEC.format(number=number)
        text += "".join(STREAM.format(number=one) for one in range(streams))
        (folder / f"specs/vendor{number}.yaml").write_text(text)
        own = f"id: eu{number}\nconnector: vendor{number}\n"
        head = 'kind: connection\nversion: "1.0"\n'
        (folder / f"connections/eu{number}.yaml").write_text(head + own)
        attributes = "".join(f"  {line}\n" for line in own.splitlines())
        for root, kind in (
            ("many", "connector_assets.ConnectorComponent"),
            ("empty", "many.Empty"),
        ):
            (folder / f"{root}/defs/eu{number}").mkdir()
            text = f"type: {kind}\nattributes:\n{attributes}"
            (folder / f"{root}/defs/eu{number}/defs.yaml").write_text(text)


def loaded(kind, folder):
    """Seconds of CPU that the definitions of `kind` take in this process; their assets."""
    import dagster as dg

    import connector_assets.assets.component  # noqa: F401 - not part of the figure
    from connector_assets.assets.factory import build_definitions

    sys.path.insert(0, str(folder))
    os.chdir(folder)
    began = time.process_time()
    if kind == "folder":
        definitions = build_definitions()
    else:
        if kind == "empty":
            Path("many/defs").rename("many/other")
            Path("empty/defs").rename("many/defs")
        definitions = dg.load_from_defs_folder(path_within_project=folder)
    keys = len(list(definitions.resolve_all_asset_specs()))
    took = time.process_time() - began
    return took, keys


def measured(kind, given):
    """`loaded` in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        project(Path(folder), given.components, given.streams)
        command = [
            sys.executable,
            "-m",
            "benchmarks.components",
            "--load",
            kind,
            "--folder",
            folder,
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--components", type=int, default=100)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        print(json.dumps(loaded(given.load, Path(given.folder))))
        return
    kinds = ("folder", "empty", "components")
    rounds = [{kind: measured(kind, given) for kind in kinds} for _ in range(given.rounds)]
    seconds = {kind: statistics.median(one[kind][0] for one in rounds) for kind in kinds}
    for kind in kinds:
        print(f"{kind:12} {seconds[kind]:6.2f} s  {rounds[0][kind][1]:,} assets")
    ratio = statistics.median(
        (one["components"][0] - one["empty"][0]) / one["folder"][0] for one in rounds
    )
    print(f"{'ratio':12} {ratio:6.2f}")


if __name__ == "__main__":
    main()
