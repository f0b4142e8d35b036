"""What is shipped: the wheel and the sdist hold what they must, and the wheel works on its own.

`make build` makes them in `dist/` and names that folder by `DIST`; else they are made for the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {str(path.relative_to(ROOT)) for path in (ROOT / "connector_assets").rglob("*.py")}
IN_SDIST = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "docs/index.md",
    "pyproject.toml",
    "specs/catalogue/stripe.yaml",
    "tests/conftest.py",
    "workspace.yaml",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "DIST" in os.environ:
        return Path(os.environ["DIST"])
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
    return folder


def one(dist: Path, pattern: str) -> Path:
    (found,) = dist.glob(pattern)
    return found


def test_the_wheel_holds_the_package_its_licence_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(one(dist, "*.whl")) as wheel:
        names = set(wheel.namelist())
        meta = next(name for name in names if name.endswith(".dist-info/METADATA"))
        info = meta.rpartition("/")[0]
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert names >= MODULES | {"connector_assets/py.typed"}
    assert any(name.startswith(f"{info}/licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {"connector_assets", info}
    assert "connector-assets = connector_assets.cli:main" in entry_points
    assert not [name for name in names if name.endswith((".pyc", ".duckdb"))]


def test_the_sdist_holds_what_a_packager_needs_to_test_it(dist: Path) -> None:
    with tarfile.open(one(dist, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= MODULES | IN_SDIST
    assert not [name for name in names if name.endswith((".pyc", ".duckdb")) or ".venv" in name]


def test_the_wheel_works_in_a_fresh_environment(dist: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    wheel = one(dist, "*.whl")
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([python, "-m", "pip", "install", *quiet, wheel], check=True, cwd=tmp_path)
    spec = ROOT / "specs" / "catalogue" / "stripe.yaml"
    command = [tmp_path / "env" / "bin" / "connector-assets", "validate", spec]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = "import connector_assets as c; print(c.__file__, [getattr(c, n) for n in c.__all__][0])"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout
    assert sys.prefix not in done.stdout
