"""The page on destinations: its commands run, its URLs are known, its table names all there are."""

from __future__ import annotations

import re
import shlex

from connector_assets.load.urls import destination_from_url
from tests.cli.conftest import api, cli, project, shop_project  # noqa: F401 # fixtures
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "destinations.md"


def test_its_commands_run(cli, shop_project):  # noqa: F811 # the fixtures
    commands = next(block for block in blocks(PAGE, "sh") if "preview" in block.text)
    for line in commands.text.splitlines():
        program, *args = shlex.split(line)
        done = cli(*args)
        assert (program, done.code) == ("connector-assets", 0), done.err
    assert done.out == "n\n12\n"


def test_its_urls_are_destinations(project):  # noqa: F811 # the fixture
    urls = re.findall(r"^\| `([a-z0-9+]+://[^`]*)`", PAGE.read_text(), re.MULTILINE)
    assert len(urls) == 12
    for url in urls:
        if not url.startswith("parquet+s3"):  # that looks for credentials
            kind = url.partition("://")[0]
            assert destination_from_url(url).uri.startswith(kind)
