"""`state show` and `state reset`: the position alone, of a stream, a connection, an item, a partition."""

from __future__ import annotations

import json

import duckdb
import pytest

from tests.loopback import serving
from tests.postgres import emptied
from tests.runtime.shared.state_servers import postgres_url  # noqa: F401 - a fixture

SPEC = """
kind: connector
version: "1.0"
id: feed
displayName: Feed
auth: [{type: none}]
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: events, url: "{{base_url}}/events"}
  - {id: of, url: "{{base_url}}/of/{{account}}"}
read:
  streams:
    - name: events
      endpoint: events
      primaryKey: [id]
      incremental: {cursorField: seq, startParam: since}
    - name: added
      endpoint: events
      primaryKey: [id]
      writeMode: append
      incremental: {cursorField: seq, startParam: since}
    - name: of_accounts
      endpoint: of
      primaryKey: [id]
      forEach: [{values: [a, b], as: account}]
      incremental: {cursorField: seq, startParam: since}
"""
SMALL = [{"id": 1, "seq": 1}, {"id": 2, "seq": 2}]


class Feed:
    """Rows after `since`, as an honest server gives them."""

    def __init__(self):
        self.rows, self.asked = list(SMALL), []

    def __call__(self, request):
        since = request.query.get("since")
        self.asked.append((request.path, since))
        return {"rows": [row for row in self.rows if since is None or row["seq"] >= int(since)]}


@pytest.fixture
def feed():
    return Feed()


@pytest.fixture
def served(project, feed, monkeypatch):
    with serving(feed) as api:
        (project / "specs").mkdir()
        (project / "specs/feed.yaml").write_text(SPEC)
        monkeypatch.setenv("FEED__BASE_URL", api.origin)
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        yield feed


BAD = {"id": 3, "seq": 10**17}
NEW = {"id": 4, "seq": 3}


@pytest.fixture(params=["duckdb:///data.duckdb", "parquet:///lake", "postgres", "dlt"])
def store(request, monkeypatch, tmp_path):
    """A destination's URL, of every kind."""
    if request.param == "dlt":
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{tmp_path}/dlt.duckdb")
        return "dlt:///duckdb"
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else request.param


def test_a_number_that_blinds_a_stream_is_said_and_reset_puts_it_right(cli, served, store):
    if store.startswith("postgresql"):
        emptied(store)
    served.rows.append(BAD)
    done = cli("load", "feed", "events", "--to", store)
    assert done.code == 0
    assert "its cursor is at 100000000000000000, far above 2" in done.err
    assert "run connector-assets state reset feed events" in done.err
    served.rows[:] = [*SMALL, NEW]  # corrected at the source
    assert "now has 3 rows" in cli("load", "feed", "events", "--to", store).out, "it is blind"
    shown = json.loads(cli("state", "show", "feed", "events", "--to", store, "--json").out)
    assert shown["positions"] == {"": {"value": 10**17}}
    reset = cli("state", "reset", "feed", "events", "--to", store)
    assert (reset.code, reset.out) == (0, "feed.events: 1 position reset\n")
    assert "no position is stored" in cli("state", "show", "feed.events", "--to", store).out
    assert "now has 4 rows" in cli("load", "feed", "events", "--to", store).out
    assert served.asked[-1] == ("/events", None)
    assert cli("state", "show", "feed.events", "--to", store).out == "feed.events: 3\n"


def test_full_puts_it_right_too(cli, served):
    served.rows.append(BAD)
    cli("load", "feed", "events")
    served.rows[:] = [*SMALL, NEW]
    done = cli("load", "feed", "events", "--full")
    assert "now has 3 rows" in done.out
    assert "cursor is at" not in done.err
    assert cli("state", "show", "feed", "events").out == "feed.events: 3\n"


def test_state_of_a_whole_connection_asks_nothing_of_the_api(cli, served):
    cli("load", "feed")
    asked = len(served.asked)
    lines = cli("state", "show", "feed").out.splitlines()
    assert lines == [
        "feed.events: 2",
        "feed.added: 2",
        "feed.of_accounts: 2 items",
        '  ["a"]: 2',
        '  ["b"]: 2',
    ]
    done = cli("state", "reset", "feed")
    assert done.out.splitlines() == [
        "feed.events: 1 position reset",
        "feed.added: 1 position reset",
        "feed.of_accounts: 2 positions reset",
    ]
    assert "feed.added: note: it appends; load it with --full" in done.err
    assert "feed.events: none stored" in cli("state", "reset", "feed").out
    assert len(served.asked) == asked


@pytest.mark.parametrize("item", ["a", '["a"]'])
def test_one_item_alone_is_shown_and_reset(cli, served, item):
    cli("load", "feed", "of_accounts")
    shown = json.loads(cli("state", "show", "feed.of_accounts", "--item", item, "--json").out)
    assert shown["positions"] == {'["a"]': {"value": 2}}
    done = cli("state", "reset", "feed", "of_accounts", "--item", item, "--json")
    assert json.loads(done.out)["reset"] == 1
    cli("load", "feed", "of_accounts")
    assert set(served.asked[-2:]) == {("/of/a", None), ("/of/b", "2")}


def test_an_item_that_is_none_names_some_that_are(cli, served):
    cli("load", "feed", "of_accounts")
    done = cli("state", "reset", "feed", "of_accounts", "--item", "c")
    assert done.code == 1
    assert '"c" is none of its items; use one as ["a"], ["b"]' in done.err


def test_a_stream_that_is_not_there_and_a_table_that_is_not_there(cli, served):
    assert '"nope" is not a stream' in cli("state", "show", "feed", "nope").err
    assert "no position is stored" in cli("state", "show", "feed", "events").out
    assert cli("state", "reset", "feed", "events").out == "feed.events: none stored\n"


@pytest.mark.parametrize(
    ("seqs", "said"),
    [
        ([1, 2, 10**17], "10"),
        (["1", "2", "100000000000000000"], "100000000000000000"),
        ([1.5, 2.5, 1e17], "1e+17"),
        ([1_700_000_000, 1_700_000_001, 1_700_000_001_000], "1700000001000"),
        (["2024-01-01", "9999-12-31"], ""),  # which is not stored
        ([1, 2, 3_000], ""),
        ([5, 5, 5], ""),
        ([1_700_000_000, 1_700_000_500], ""),
        (["2024-01-01", "2024-01-02"], ""),
    ],
)
def test_what_is_likely_to_be_wrong_is_said_and_nothing_else(cli, served, seqs, said):
    served.rows[:] = [{"id": n, "seq": seq} for n, seq in enumerate(seqs)]
    done = cli("load", "feed", "events")
    assert done.code == 0, done.err
    assert ("its cursor is at" in done.err) == bool(said)
    assert said in done.err


@pytest.mark.parametrize("seq", [10**17, -(10**17), 10**400, 1e300])
def test_a_number_that_is_no_time_is_an_error_in_our_words(cli, served, project, seq):
    text = SPEC.replace("startParam: since}", "startParam: since, format: epoch}")
    (project / "specs/feed.yaml").write_text(text)
    served.rows[:] = [{"id": 1, "seq": 1}, {"id": 2, "seq": seq}]
    done = cli("load", "feed", "events")
    assert done.code == 1
    assert "row 2 of a page" in done.err
    assert "no time" in done.err


ODD = [
    "[]",
    "5",
    '"x"',
    "true",
    "[[1]]",
    '{"":5}',
    '{"":[]}',
    '{"":{"value":{"a":1}}}',
    '{"":{"value":true}}',
]
ODD += [
    '{"":{"value":1,"keys":5}}',
    '{"":{"value":"x","keys":[1,{}]}}',
    '{"":{"validator":5}}',
    '{"":{"parent":[]}}',
]


@pytest.mark.parametrize("odd", ODD)
def test_a_position_that_somebody_else_wrote_is_refused_and_can_be_reset(cli, served, project, odd):
    cli("load", "feed", "events")
    with duckdb.connect(str(project / "data.duckdb")) as db:
        db.execute("update _connector_assets.state set cursor = ?", [odd])
    done = cli("load", "feed", "events")
    if done.code:
        assert (
            "its stored position is not ours; run connector-assets state reset feed events"
            in done.err
        )
    else:
        assert odd == "[]", "as good as none"
    for args in (["show", "feed"], ["show", "feed", "--json"], ["reset", "feed", "events"]):
        assert cli("state", *args).code == 0
    assert cli("load", "feed", "events").code == 0


def test_an_item_never_reaches_the_terminal_raw(cli, served, project):
    hostile = "é\x9b31m\u202e\x1b]0;x\x07"
    text = SPEC.replace("values: [a, b]", f"values: [{json.dumps(hostile)}, b]")
    (project / "specs/feed.yaml").write_text(text)
    assert cli("load", "feed", "of_accounts").code == 0
    shown = cli("state", "show", "feed", "of_accounts").out
    assert shown.isascii()
    assert shown.replace("\n", "").isprintable()
    name = next(line for line in shown.splitlines() if "u202e" in line).strip().removesuffix(": 2")
    assert "1 position reset" in cli("state", "reset", "feed", "of_accounts", "--item", name).out
    none = cli("state", "reset", "feed", "of_accounts", "--item", "x").err
    assert "\x1b" not in none
