"""What a project of many streams costs Dagster: to load, and for each step of a run.

    python -m benchmarks.definitions [--assets 100 1000 10000] [--rounds 3]

Beside as many bare assets, `@dg.asset` functions that do nothing, in groups of ten; and beside as
many that are written by hand to show the same. Each case is a process of its own, and they take
turns. Loading is what a code server does: definitions,
repository, and the snapshot that is sent to the UI. A step is forked as Dagster runs it, reads one
row of a server on loopback and loads it; its CPU is that of its process, from fork to end.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks.items import peak_mb
from tests.loopback import serving

PER_SPEC = 10
STEPS = 5
SPEC = """
kind: connector
version: "1.0"
id: {id}
displayName: Shop {id}
description: What one of many shops sells.
config: {{base_url: {{type: string, default: "{origin}"}}}}
auth: [{{type: none}}]
defaults: {{responseRowsPath: rows}}
endpoints:
  - {{id: list, url: "{{{{base_url}}}}/{{{{stream}}}}"}}
read:
  primary: list
  streams:
"""
STREAM = """    - name: stream_{n}
      primaryKey: [id]
      description: One of ten lists.
      columns:
        {{id: bigint, name: {{type: varchar, description: What it is called.}}, at: timestamp}}
"""
BARE = """
import dagster as dg
from connector_assets.assets.executor import executor

def asset(connection, stream):
    @dg.asset(key=[connection, stream], group_name=connection)
    def compute(): pass
    return compute

def shown(connection, stream):
    api = dg.AssetKey(["apis", connection])
    names = {"id": "bigint", "name": "varchar", "at": "timestamp"}
    columns = [dg.TableColumn(name, kind, "What it is called.") for name, kind in names.items()]
    lineage = {name: [dg.TableColumnDep(api, f"$.{name}")] for name in names}
    line = dg.LocalFileCodeReference(file_path=f"specs/{connection}.yaml", line_number=9, label="9")
    @dg.asset(
        key=[connection, stream],
        group_name=connection,
        deps=[api],
        kinds={"duckdb", connection},
        description=f"One of ten lists. Shop: GET {connection}/{stream} replaces {stream}.",
        code_version="1",
        metadata={
            "dagster/table_name": f"{connection}.{stream}",
            "dagster/uri": "duckdb:///data.duckdb",
            "dagster/storage_kind": "duckdb",
            "dagster/column_schema": dg.TableSchema(columns),
            "dagster/column_lineage": dg.TableColumnLineage(lineage),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[line]),
        },
        check_specs=[dg.AssetCheckSpec("complete", asset=[connection, stream])],
        required_resource_keys={"http", "store"},
        config_schema={"full": dg.Field(bool, False), "limit": dg.Field(int, is_required=False)},
    )
    def compute(): pass
    return compute

def definitions(asset, **given):
    made = [asset(f"c{n // 10}", f"stream_{n % 10}") for n in range(ASSETS)]
    return dg.Definitions(made, executor=executor(preload="bare_preload"), **given)

def bare():
    return definitions(asset)

def hand():
    import warnings
    warnings.simplefilter("ignore")
    one = dg.ResourceDefinition.hardcoded_resource(1)
    return definitions(shown, resources={"http": one, "store": one})
"""
PRELOAD = """
from functools import cache
import bare_project
from connector_assets.assets.preload import preload
bare_project.bare = cache(bare_project.bare)
preload(bare_project.bare)
"""
CASES = {
    "ours": ("connector_assets.definitions", "defs"),
    "bare": ("bare_project", "bare"),
    "by hand": ("bare_project", "hand"),
}


def project(folder: Path, assets: int, origin: str) -> None:
    """Both projects, ours and the bare one, in `folder`."""
    specs, home = folder / "specs", folder / "home"
    specs.mkdir()
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    streams = "".join(STREAM.format(n=n) for n in range(PER_SPEC))
    for n in range(assets // PER_SPEC):
        text = SPEC.format(id=f"c{n}", origin=origin) + streams
        (specs / f"c{n}.yaml").write_text(text)
    (folder / "bare_project.py").write_text(BARE.replace("ASSETS", str(assets)))
    (folder / "bare_preload.py").write_text(PRELOAD)


def loading(case: str) -> None:
    """As a process of its own: seconds of CPU to load all, and the peak of memory."""
    import dagster as dg
    from dagster._core.remote_representation.external_data import RepositorySnap

    began = time.process_time()
    module, name = CASES[case]
    repository = getattr(import_module(module), name)().get_repository_def()
    repository.load_all_definitions()
    sent = dg.serialize_value(RepositorySnap.from_def(repository))
    print(json.dumps([time.process_time() - began, peak_mb(), len(sent) / 1e6]))


def steps(case: str) -> None:
    """As a process of its own: seconds and seconds of CPU of each of some steps of a run."""
    import dagster as dg
    from dagster._core.definitions.reconstruct import ReconstructableRepository

    module, name = CASES[case]
    repository = ReconstructableRepository.for_module(module, name, str(Path.cwd()))
    job = repository.get_reconstructable_job("__ASSET_JOB")
    keys = [dg.AssetKey(["c0", f"stream_{n}"]) for n in range(STEPS)]
    with dg.DagsterInstance.get() as instance:
        ran = dg.execute_job(
            job,
            instance,
            asset_selection=keys,
            run_config={"execution": {"config": {"multiprocess": {"max_concurrent": 1}}}},
        )
        assert ran.success
        spent = cpu_of_forks() / STEPS
        began, took = {}, []
        for record in instance.get_records_for_run(ran.run_id).records:
            event = record.event_log_entry.dagster_event
            if event and event.event_type_value == "STEP_WORKER_STARTING":
                began[event.step_key] = record.event_log_entry.timestamp
            if event and event.event_type_value == "STEP_SUCCESS":
                took.append(record.event_log_entry.timestamp - began[event.step_key])
    print(json.dumps([statistics.median(took), spent]))


def cpu_of_forks() -> float:
    """Seconds of CPU that the processes took which the fork server of this one has waited for."""
    from multiprocessing import forkserver

    server = forkserver._forkserver._forkserver_pid  # noqa: SLF001 - there is no other way to it
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def measured(what: str, case: str, folder: Path, host: str) -> list[float]:
    """What a process of its own prints."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CONNECTOR_")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ |= {
        "DAGSTER_HOME": str(folder / "home"),
        "CONNECTOR_ASSETS_ALLOW_PRIVATE": host,
        "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[1]}",
    }
    command = [sys.executable, "-m", "benchmarks.definitions", what, case]
    ran = subprocess.run(command, check=False, cwd=folder, env=environ, capture_output=True)
    if ran.returncode:
        sys.exit(ran.stderr.decode()[-4000:])
    told: list[float] = json.loads(ran.stdout.splitlines()[-1])
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--assets", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print("| assets | | load, CPU s | times bare | peak MB | times bare | snapshot MB |", end="")
    print(" a step, s | a step, CPU s |\n|---|---|---|---|---|---|---|---|---|")
    with serving(lambda _: {"rows": [{"id": 1, "name": "a", "at": "2024-01-01"}]}) as api:
        for assets in given.assets:
            with tempfile.TemporaryDirectory() as folder:
                project(Path(folder), assets, api.origin)
                compare(assets, Path(folder), api.host, given.rounds)


def compare(assets: int, folder: Path, host: str, rounds: int) -> None:
    found: dict[str, list[list[float]]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case, told in found.items():
            loaded = measured("load", case, folder, host)
            # What is written by hand runs no other steps than bare ones.
            stepped = [] if case == "by hand" else measured("steps", case, folder, host)
            told.append([*loaded, *stepped])
    middle = {
        case: [statistics.median(one) for one in zip(*told, strict=True)]
        for case, told in found.items()
    }
    bare = middle["bare"]
    for case, (cpu, peak, size, *stepped) in middle.items():
        loads = [f"{cpu:.2f}", f"{cpu / bare[0]:.2f}", f"{peak:.0f}", f"{peak / bare[1]:.2f}"]
        a_step = [f"{one:.2f}" for one in stepped] or ["", ""]
        print(
            f"| {' | '.join([f'{assets:,}', case, *loads, f'{size:.1f}', *a_step])} |", flush=True
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["load", case]:
            loading(case)
        case ["steps", case]:
            steps(case)
        case _:
            main()
