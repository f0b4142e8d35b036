"""A draft's file: whole, and never over another one in silence."""

from __future__ import annotations

import pytest

from connector_assets.authoring import whole_file
from connector_assets.authoring.imports.write_draft import Existing, write_draft
from connector_assets.errors import ConfigError


def test_a_file_is_written_once_and_the_same_text_changes_nothing(tmp_path):
    path = tmp_path / "specs" / "shop.yaml"
    assert write_draft(path, "a: 1\n")
    assert not write_draft(path, "a: 1\n")
    assert path.read_text() == "a: 1\n"


def test_another_text_is_refused_with_what_it_would_change(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text("a: 1\nb: edited\n")
    with pytest.raises(Existing) as error:
        write_draft(path, "a: 2\n")
    assert "-b: edited\n" in error.value.diff
    assert path.read_text() == "a: 1\nb: edited\n"
    assert write_draft(path, "a: 2\n", replace=True)
    assert path.read_text() == "a: 2\n"


def test_a_file_that_appears_meanwhile_stays(tmp_path, monkeypatch):
    path = tmp_path / "shop.yaml"
    monkeypatch.setattr(whole_file.os, "fsync", lambda _: path.write_text("theirs\n"))
    with pytest.raises(Existing):
        write_draft(path, "mine\n")
    assert path.read_text() == "theirs\n"
    assert [one.name for one in tmp_path.iterdir()] == ["shop.yaml"]


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: no space left on device"):
        write_draft(tmp_path / "shop.yaml", "a: 1\n")
    assert not list(tmp_path.iterdir())
