"""The page about `check`: its example runs, and its table names every part."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from connector_assets.cli.app import run
from connector_assets.runtime.answers.diagnosis import Part
from tests.docs.pages import ROOT, blocks
from tests.loopback import serving

PAGE = ROOT / "docs" / "how-to" / "test-a-connection.md"
ROWS = {"rows": [{"id": n} for n in range(100)]}


@pytest.mark.parametrize(("number", "token"), [(0, "good"), (1, "bad")])
def test_the_examples_are_what_the_command_prints(number, token, tmp_path, monkeypatch, capsys):
    def answer(request):
        return ROWS if request.headers["authorization"] == "Bearer good" else (401, {})

    (spec,) = blocks(PAGE, "yaml")
    _, shown = list(blocks(PAGE, "console"))[number].text.split("\n", 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP__TOKEN", token)
    with serving(answer) as api:
        (tmp_path / "specs").mkdir()
        text = spec.text.replace("https://api.example.com", api.origin)
        (tmp_path / "specs" / "shop.yaml").write_text(text)
        code = run(["check", "shop", "--allow-private", api.host])
        printed = capsys.readouterr()
    assert code == number
    assert (printed.out + printed.err).replace(api.origin, "https://api.example.com").replace(
        api.host, "api.example.com"
    ) == shown


def test_the_table_has_every_part_once():
    named = re.findall(r"^\| `([a-z ]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(get_args(Part))
