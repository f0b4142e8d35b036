"""The founding example, letter for letter, as four assets of a connection that sets `soql`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from connector_assets import HttpRuntime, parse_connector
from tests.specs.vendor import Loopback, running
from tests.specs.vendors import Salesforce

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "salesforce_rest.yaml"
TYPES = ("Account", "Contact", "Lead", "Opportunity")
FOUNDING = "3ec0844e4f2a2999"


@pytest.fixture
def org() -> Iterator[Loopback]:
    with running(Salesforce()) as loopback:
        yield loopback


def test_the_file_is_the_founding_example_letter_for_letter() -> None:
    assert sha256(SPEC.read_bytes()).hexdigest().startswith(FOUNDING)


def test_the_founding_call_reads_every_row_of_every_page(org: Loopback) -> None:
    with HttpRuntime(allow_private=[org.origin.removeprefix("http://")]) as runtime:
        result = runtime.execute_endpoint(
            parse_connector(SPEC.read_text()),
            "query",
            params={
                "instance_url": org.origin,
                "soql": "SELECT FIELDS(ALL) FROM Account LIMIT 200",
            },
            secrets={"accessToken": Salesforce.key},
        )
        rows = list(result.rows)
    assert [row["Name"] for row in rows] == [str(number) for number in range(450)]
    assert [request.path.rpartition("/")[2] for request in org.requests] == [
        "query",
        "01gAccount-200",
        "01gAccount-400",
    ]


def test_the_command_line_loads_four_tables(org: Loopback, tmp_path: Path) -> None:
    connection = ROOT / "connections" / "salesforce_rest.yaml"
    done = run("connector-assets", "load", connection, org=org, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path) == {"Account": 450, "Contact": 200, "Lead": 1, "Opportunity": 2}


def test_dagster_materializes_four_assets(org: Loopback, tmp_path: Path) -> None:
    command = ["dagster", "asset", "materialize", "-m", "connector_assets.definitions"]
    done = run(*command, "--select", 'key:"salesforce_rest/*"', org=org, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path) == {"Account": 450, "Contact": 200, "Lead": 1, "Opportunity": 2}


def test_a_missing_token_names_the_variable_to_set(org: Loopback, tmp_path: Path) -> None:
    connection = ROOT / "connections" / "salesforce_rest.yaml"
    done = run("connector-assets", "read", connection, "Lead", org=org, folder=tmp_path, token="")
    assert done.returncode == 1
    assert "SALESFORCE_REST__ACCESS_TOKEN" in done.stderr
    assert org.requests == []


def run(
    program: str, *arguments: str | Path, org: Loopback, folder: Path, token: str = Salesforce.key
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder),
        "CONNECTOR_ASSETS_SPECS": str(ROOT / "specs"),
        "CONNECTOR_ASSETS_CONNECTIONS": str(ROOT / "connections"),
        "CONNECTOR_ASSETS_DESTINATION": f"duckdb:///{folder}/data.duckdb",
        "CONNECTOR_ASSETS_STAGING": str(folder / "staging"),
        "CONNECTOR_ASSETS_ALLOW_PRIVATE": org.origin.removeprefix("http://"),
        "SALESFORCE_REST__INSTANCE_URL": org.origin,
        "SALESFORCE_REST__ACCESS_TOKEN": token,
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240
    )


def tables(folder: Path) -> dict[str, int]:
    with duckdb.connect(str(folder / "data.duckdb"), read_only=True) as data:
        return {
            name: data.execute(f'select count(*) from salesforce_rest."{name}"').fetchall()[0][0]
            for name in TYPES
        }
