"""Temporary folders of loads: gone at the end, or when the next load finds who made them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from connector_assets.load.files.scratch_folders import scratch_folder

_KILLED = """
import os, signal
from connector_assets.load.files.scratch_folders import scratch_folder
with scratch_folder() as folder:
    (folder / "rows.csv").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", _KILLED], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    left = list(temporary.glob("*/rows.csv"))
    assert len(left) == 1
    with scratch_folder() as folder, scratch_folder() as beside:
        assert not left[0].exists()
        assert set(temporary.iterdir()) == {folder, beside}
    assert not list(temporary.iterdir())


def test_what_others_made_or_are_just_making_stays(temporary: Path) -> None:
    (temporary / "connector_assets-new").mkdir()
    (temporary / "connector_assets-file").write_text("mine")
    (temporary / "connector_assets-link").symlink_to(temporary / "connector_assets-new")
    (temporary / "other").mkdir()
    with scratch_folder():
        pass
    assert len(list(temporary.iterdir())) == 4
    os.utime(temporary / "connector_assets-new", (0, 0))
    with scratch_folder():
        pass
    assert not (temporary / "connector_assets-new").exists()
