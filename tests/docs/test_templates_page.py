"""The page on templates: its examples are run, its reference and its limits are the code's."""

from __future__ import annotations

import json
import re

import pytest

from connector_assets.errors import ConfigError
from connector_assets.spec.templates import expression, functions, template
from connector_assets.spec.templates.template import Template
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "templates.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `(.+)` \| `(\{.*\})` \| (url|header|value) \| (?:`(.*)`|an error) \|$", re.MULTILINE
)
EXAMPLES = ROW.findall(PAGE)


@pytest.mark.parametrize(("source", "scope", "place", "sent"), EXAMPLES)
def test_an_example_is_sent_as_the_page_says(source, scope, place, sent):
    render = getattr(Template(source.replace(r"\|", "|")), place)
    if not sent:
        with pytest.raises(ConfigError):
            render(json.loads(scope))
        return
    assert render(json.loads(scope)) == (json.loads(sent) if place == "value" else sent)


def test_every_example_is_found():
    assert len(EXAMPLES) == PAGE.split("| template | with |")[1].split("\n\n")[0].count("\n") - 1


def test_the_reference_is_what_the_docstrings_say():
    assert PAGE.endswith("\n" + functions.reference()), "the page ends with functions.reference()"


def test_the_limits_are_the_codes():
    limits = PAGE.split("## Limits")[1].split("## ")[0]
    for module in (expression, functions, template):
        for name, limit in vars(module).items():
            if name.startswith("MAX_"):
                assert f"{limit:,} " in limits.replace("|", " "), name
