"""The rule-based part, scored against the truth of documentation written here."""

from __future__ import annotations

from collections import Counter

import pytest

from connector_assets.spec.document import read_connector
from connector_assets.spec.lint.lint import at_or_above, lint
from tests.authoring.drafts.documented import NAMES, drafted, scored


def scores():
    """How often each field is right, asked, missing or wrong, over all APIs."""
    return Counter(one for name in NAMES for one in scored(name, drafted(name)))


def test_nothing_is_wrong_without_a_remark():
    """`python -m pytest -s` of this test prints the figures."""
    counted = scores()
    for field in dict.fromkeys(field for field, _ in counted):
        print(field, {state: n for (other, state), n in counted.items() if other == field})
    assert {one: n for one, n in counted.items() if one[1] in ("wrong", "missing")} == {}
    assert sum(n for (_, state), n in counted.items() if state == "asked") <= 4


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_is_valid_and_every_value_has_its_source(name):
    answer = drafted(name)
    document = read_connector(answer["yaml"])
    assert at_or_above(lint(document), "error") == []
    for line in answer["yaml"].splitlines():
        is_value = ": " in line.partition(" # ")[0] and not line.lstrip().startswith("#")
        assert not is_value or " # " in line, line
    sourced = [one for one in answer["provenance"] if one["sentence"]]
    assert len(sourced) >= 0.9 * len(answer["provenance"])


@pytest.mark.slow
@pytest.mark.parametrize("name", [one for one in NAMES if one != "silent"])
def test_a_draft_loads_from_its_simulated_api(name):
    told = drafted(name, tries=True)
    assert not [one for one in told["open_questions"] if "the trial on the simulator failed" in one]
    assert told["usage"]["trial"] == "held"
