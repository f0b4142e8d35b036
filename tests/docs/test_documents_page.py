"""The page on documents: its table is what is read, its limits are the code's."""

from __future__ import annotations

import json
import re

import pytest

from connector_assets.errors import SpecError
from connector_assets.spec.document import parse_connector
from connector_assets.spec.yaml.excerpt import render_fault
from connector_assets.spec.yaml.yaml_source import (
    MAX_DEPTH,
    MAX_FAULTS,
    MAX_REPEATED,
    MAX_VALUES,
    read_yaml,
)
from connector_assets.spec.yaml.yaml_text import MAX_BYTES
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "documents.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(.+)` \| `(.+)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("written", "value"), ROWS)
def test_a_value_is_read_as_the_page_says(written, value):
    assert json.dumps(read_yaml(f"a: {written}").data["a"]) == value


def test_every_value_is_found():
    assert len(ROWS) == 14


def test_the_limits_are_the_codes():
    assert MAX_BYTES == 1 << 20
    for limit in (MAX_DEPTH, MAX_VALUES, MAX_REPEATED, MAX_FAULTS):
        assert f"| {limit:,} |" in PAGE


def test_a_fault_is_shown_as_on_the_page():
    text = (
        'kind: connector\nversion: "1.0"\nid: acme\ndisplayName: Acme\ncategory: crm\n'
        "auth:\n  - type: oauth2\n    tokenUrl: http://login.acme.com/token\n"
        "endpoints: [{id: items, url: 'https://api.acme.com/items'}]\nread: {primary: items}\n"
    )
    with pytest.raises(SpecError) as caught:
        parse_connector(text, source="specs/acme.yaml")
    [fault] = caught.value.faults
    assert f"```text\n{render_fault(fault, text, 'specs/acme.yaml')}\n```" in PAGE
