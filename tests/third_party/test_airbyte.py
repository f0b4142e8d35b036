"""Airbyte's CDK and this package read the same server by the same manifest: both ask the same.

The manifests are our own, one for each kind of component. Requests are compared in their order
where there is one, with method, path, query, body and the headers that a manifest sets; then rows.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.authoring.imports.airbyte.cases import CASES, Case
from tests.authoring.imports.airbyte.reading import (
    RECORDED,
    compared,
    read_here,
    served,
    stream_of,
    told,
)
from tests.third_party.environments import python_environment

pytestmark = pytest.mark.third_party
READS = Path(__file__).with_name("airbyte_reads.py")


class Cdk:
    """A process that reads manifests with the CDK, one after the other."""

    def __init__(self, python: Path) -> None:
        self.process = subprocess.Popen(
            [python, READS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def rows(self, manifest: Any, config: Any, stream: str) -> list[dict[str, Any]]:
        job = {"manifest": manifest, "config": config, "stream": stream}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert "rows" in told, told
        rows: list[dict[str, Any]] = told["rows"]
        return rows

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


@pytest.fixture(scope="module")
def cdk() -> Iterator[Cdk]:
    one = Cdk(python_environment("airbyte") / "python")
    yield one
    one.close()


def recorded(case: Case, cdk: Cdk) -> dict[str, Any]:
    """What the CDK asks and gives."""
    with served(case) as one:
        rows = cdk.rows(case.manifest, one.config, stream_of(case))
        return told(one.asked(), compared(rows, case), one.api.origin)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_cdk_and_this_package_ask_the_same_and_give_the_same_rows(
    case: Case, cdk, tmp_path, capsys
):
    theirs = recorded(case, cdk)
    with served(case) as one:
        rows = read_here(one, stream_of(case), tmp_path, lambda: capsys.readouterr().out)
        assert told(one.asked(), compared(rows, case), one.api.origin) == theirs
    # The tests that run without the CDK go by what is kept of it.
    assert json.loads(RECORDED.read_text())[case.name] == theirs


def record() -> None:
    """Keep what the CDK asks and gives: `python -m tests.third_party.test_airbyte`."""
    one = Cdk(python_environment("airbyte") / "python")
    kept = {case.name: recorded(case, one) for case in CASES}
    RECORDED.write_text(json.dumps(kept, indent=1) + "\n")
    one.close()


if __name__ == "__main__":
    record()
