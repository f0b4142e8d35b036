"""A draft is validated before anyone sees it; what is odd in it is left out and told."""

from __future__ import annotations

import pytest

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.draft import Draft, Names, Outcome, connector_id, finished
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.errors import ConfigError
from connector_assets.spec.document import parse_connector


def parts(**streams):
    made = Parts("test", "doc.yaml")
    for name, stream in streams.items():
        made.endpoints.append({"id": name, "url": f"https://api.example.com/{name}"})
        made.streams.append({"name": name, **stream})
        made.outcomes.append(Outcome(name, f"GET /{name}", "drafted"))
    return made


def test_a_stream_that_is_not_valid_is_left_out_with_all_that_reads_from_it():
    made = parts(
        good={},
        bad={"writeMode": "merge"},
        child={"forEach": [{"parent": {"stream": "bad", "field": "id", "as": "x"}}]},
    )
    done = finished(made.draft("Shop", None))
    assert [one.name for one in parse_connector(done.text).streams] == ["good"]
    assert {one.stream: one.state for one in done.outcomes} == {
        "good": "drafted",
        "bad": "refused",
        "child": "refused",
    }
    assert done.summary() == "3 lists: 1 drafted, 2 refused"


def test_a_draft_of_which_nothing_is_valid_is_an_error():
    with pytest.raises(ConfigError, match="nothing of it makes a valid stream"):
        finished(parts(bad={"writeMode": "merge"}).draft("Shop", None))


def test_a_secret_of_the_source_is_never_in_a_draft():
    made = parts(good={})
    made.secret("token", "The token", "tok-123456")
    made.streams[0] = Noted(made.streams[0], why="the header was tok-123456")
    with pytest.raises(ConfigError, match=r"a secret of it \(token\) would be in the draft"):
        finished(made.draft("Shop", None))


def test_the_report_masks_what_the_source_held():
    made = parts(good={})
    made.secret("token", "The token", "tok-123456")
    made.say("question", "good", "url", "it holds tok-123456")
    told = finished(made.draft("Shop", None)).plain()
    assert "tok-123456" not in str(told)
    assert told["secrets"] == [{"name": "token", "variable": "SHOP__TOKEN"}]


def test_two_values_of_one_name_are_two_secrets():
    made = Parts("test", "doc")
    assert made.secret("key", "A key", "one") == "{{secrets.key}}"
    assert made.secret("key", "A key", "two") == "{{secrets.key2}}"
    assert made.secret("key", "A key", "one") == "{{secrets.key}}"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("The Shop API (v2)", "the_shop_api_v2"),
        ("Dagster", "dagster_api"),
        ("99 bottles", "bottles"),
        ("日本", "api"),
        ("a" * 100, "a" * 60),
        ("A__B", "a_b"),
    ],
)
def test_ids_are_valid_whatever_a_source_is_called(text, made):
    assert connector_id(text) == made
    spec = {"id": connector_id(text)}
    assert Draft("test", "doc", spec).id == made


def test_names_are_given_once_in_any_case():
    names = Names()
    assert [names.new(one) for one in ("Orders", "orders", "", "1", "a\n# b")] == [
        "Orders",
        "orders_2",
        "list",
        "list_1",
        "a_b",
    ]
