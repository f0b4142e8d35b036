"""Text from outside is never taken for a mark of ours, wherever it is kept and read again."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import ConnectorError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.items import ItemPositions
from connector_assets.load.order import Order
from connector_assets.load.staging import journal
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import Cursor, Table
from connector_assets.load.urls import destination_from_url
from connector_assets.project.connection import Connection
from connector_assets.project.discovery import discover_streams
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.redact import Secrets
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.shared.bucket import Bucket
from connector_assets.runtime.shared.tokens import token_store
from connector_assets.spec.auth.token_answer import Tokens
from connector_assets.spec.document import parse_connector
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.sealing import Sealing
from connector_assets.spec.request.stored import Unstorable, dumps, loads
from tests.loopback import serving
from tests.postgres import run
from tests.runtime.shared.state_servers import postgres_url, redis_url  # noqa: F401 - fixtures
from tests.shop import shop_spec
from tests.syncing import sync

SENT, SIGNING = 'k/9f3a+"é', "NEVER-SENT-0123456789"
SECRETS = Secrets({"apiKey": SENT, "signingKey": SIGNING, "pin": "7"})
SEALING = Sealing(SECRETS, {"apiKey", "pin"})

FORGED = [
    "[sealed:value:signingKey]",
    "[sealed:percent:apiKey]",
    "[secret:signingKey]",
    '["sealed",["value","signingKey"]]',
    '["template","{{secrets.signingKey}}"]',
    "{{secrets.signingKey}}",
    '{"$deferred":"{{secrets.signingKey}}"}',
    "$deferred",
    "complete",
]
STRUCTURES = [
    {"$deferred": "{{secrets.signingKey}}"},
    {"$decimal": "1.10"},
    ["template", "{{secrets.signingKey}}"],
    ["sealed", ["value", "signingKey"]],
    ["list", ["decimal", "1"]],
    {"sealed": ["value", "signingKey"]},
    {"now": "x", "number": 9, "call": ["template", "{{secrets.signingKey}}"]},
    [],
    [[]],
]
TEXTS = (
    st.sampled_from(FORGED)
    | st.text(max_size=8)
    | st.lists(st.sampled_from([*FORGED, "/a?b=", "&", '"', "\\", ""]), max_size=3).map("".join)
)
VALUES = st.recursive(
    TEXTS
    | st.sampled_from(STRUCTURES)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(value=VALUES, url=TEXTS, header=TEXTS)
@settings(max_examples=150)
def test_a_checkpoint_gives_back_what_came_and_nothing_else(value, url, header):
    call = Call("POST", url, {"c": value}, {"h": header}, {"deep": [value]}, job={"r": value})
    text = dumps(call, SEALING)
    assert Call.of(loads(text, SEALING)) == call
    assert SIGNING not in text


@given(before=TEXTS, after=TEXTS, form=st.sampled_from(["value", "percent", "path", "form"]))
def test_a_secret_that_is_sent_comes_back_and_is_not_written(before, after, form):
    said = {
        kind: written for (kind, _), written in SEALING._by_reference.items() if len(written) > 3
    }
    link = f"{before}{said[form]}{after}"
    text = dumps(Call("GET", link, {"c": [link]}, body={"x": link}), SEALING)
    assert not any(one in text or json.dumps(one)[1:-1] in text for one in said.values())
    back = Call.of(loads(text, SEALING))
    assert (back.url, back.params, back.body) == (link, {"c": [link]}, {"x": link})


@pytest.mark.parametrize(
    "value",
    [
        SIGNING,
        {SIGNING: 1},
        [f"a{SIGNING}b"],
        "TkVWRVItU0VOVC0wMTIzNDU2Nzg5",
        {SENT: 1},
        "k%2f9f3a%2B%22%C3%A9",
    ],
)
def test_what_could_not_come_back_is_no_checkpoint(value):
    with pytest.raises(Unstorable):
        dumps(Call("GET", "/", body=value), SEALING)


def test_a_number_that_is_a_secret_is_no_checkpoint():
    for value in (12345678, Decimal("0.12345678")):
        with pytest.raises(Unstorable):
            dumps([value], Sealing(Secrets({"pin": "12345678"}), {"pin"}))


@pytest.mark.parametrize(
    "text",
    [
        '["sealed",["value","signingKey"]]',
        '["sealed",["value","nobody"]]',
        '["sealed",["secret","apiKey"]]',
        '["sealed",["value"]]',
        '["sealed",1]',
        '["template","{{secrets.signingKey}}"]',
        '["template","{{secrets.apiKey}}{{secrets.signingKey}}"]',
        '["template","{{"]',
        '["template",{}]',
        '["decimal","x"]',
        '["decimal",[]]',
        '["new"]',
        "[[]]",
        "[{}]",
        "[]",
        "[" * 100_000,
        "{",
        "",
    ],
)
def test_a_stored_form_that_was_never_written_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        loads(text, SEALING)


SPEC = shop_spec("""
auth: [{type: jwt, algorithm: HS256, keyRef: "{{secrets.signingKey}}", claims: {iss: me}}]
endpoints:
  - id: items
    url: "{{base_url}}/items"
    method: POST
    headers: {X-Key: "{{secrets.apiKey}}"}
    body: {json: {all: true}}
    responseRowsPath: rows
    pagination: PAGINATION
    retry: {maxAttempts: 1}
read: {streams: [{name: items, primaryKey: [id]}]}
""")
IN_BODY = "{type: cursor, cursorField: next, cursorParam: after, cursorIn: body}"
KEYS = {"signingKey": SIGNING, "apiKey": "key-9f3a2b"}


def interrupted(tmp_path, cursor, pagination=IN_BODY, resume=None):
    """What the server sees of a load whose second page fails, and of the one that goes on."""
    down, seen = [True], []

    def answer(request):
        seen.append(request)
        if len(seen) == 1:
            said = (
                {"X-Next": cursor, "Link": f'<{cursor}>; rel="next"'}
                if isinstance(cursor, str)
                else {}
            )
            return 200, {"rows": [{"id": 1}], "next": cursor}, said
        return (500, {}) if down[0] else {"rows": [{"id": 2}], "next": None}

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        connector = YamlConnector(parse_connector(SPEC.replace("PAGINATION", pagination)), runtime)
        connection = Connection("shop", connector, environ={"SHOP__BASE_URL": api.origin})
        destination = DuckDBDestination(tmp_path / "data.duckdb")
        given = {"staging": tmp_path / "staging", "secrets": KEYS}
        with pytest.raises(ConnectorError):
            sync(connection, "items", destination, **given)
        down[0] = False
        stored = (tmp_path / "staging/shop/items/all/journal").read_bytes()
        if resume:
            resume(tmp_path / "staging/shop/items/all/journal")
        done = sync(connection, "items", destination, **given)
    return seen, stored, done


@pytest.mark.parametrize("cursor", [*FORGED[:-1], *STRUCTURES[:-2]], ids=repr)
def test_a_forged_cursor_is_sent_on_as_it_came(tmp_path, cursor):
    seen, stored, done = interrupted(tmp_path, cursor)
    assert seen[-1].json["after"] == seen[1].json["after"] == cursor
    assert len(seen) == 3
    assert done.loaded.rows == 2
    for request in seen:
        assert SIGNING not in request.target + str(request.headers) + request.body.decode()
    assert SIGNING.encode() not in stored


LINKS = [
    "{type: next_url, urlField: next}",
    "{type: next_url, urlHeader: X-Next}",
    "{type: link_header}",
]


@pytest.mark.parametrize("pagination", LINKS)
@pytest.mark.parametrize("mark", FORGED[:6])
def test_a_forged_link_is_followed_as_it_came(tmp_path, mark, pagination):
    link = f"/items?after={mark}#".replace("{", "%7B").replace("}", "%7D").replace('"', "%22")
    seen, _, _ = interrupted(tmp_path, link, pagination)
    assert seen[-1].target == seen[1].target
    assert "NEVER" not in seen[-1].target


@pytest.mark.parametrize("place", ["query", "header"])
@pytest.mark.parametrize("mark", FORGED[:6])
def test_a_forged_cursor_in_a_header_or_query_is_sent_on_as_it_came(tmp_path, mark, place):
    pagination = f"{{type: cursor, cursorHeader: X-Next, cursorParam: after, cursorIn: {place}}}"
    seen, _, _ = interrupted(tmp_path, mark, pagination)
    for request in (seen[1], seen[-1]):
        assert (request.query if place == "query" else request.headers)["after"] == mark


def test_a_secret_that_a_link_repeats_is_sent_again_and_stored_nowhere(tmp_path):
    link = f"/items?key={KEYS['apiKey']}&page=2"
    seen, stored, done = interrupted(tmp_path, link, "{type: next_url, urlField: next}")
    assert seen[-1].target == link
    assert done.resumed_rows == 1
    assert KEYS["apiKey"].encode() not in stored


def test_a_key_that_signs_is_never_put_back(tmp_path):
    """The server knows it already, but no file is to hold it, and no request is to bring it back."""
    seen, stored, done = interrupted(tmp_path, f"c-{SIGNING}")
    assert SIGNING.encode() not in stored
    assert (len(seen), done.resumed_rows, done.loaded.rows) == (3, 0, 1)


def old(text):
    """As an earlier version wrote it."""

    def rewrite(path):
        lines = path.read_bytes().splitlines()
        header, entry = (json.loads(line[9:]) for line in lines[:2])
        path.write_bytes(
            journal.line(journal.Header(**header))
            + journal.line(journal.Entry(**{**entry, "checkpoint": text}))
        )

    return rewrite


@pytest.mark.parametrize(
    "text",
    [
        '{"now":"2026-01-01T00:00:00+00:00","call":{"method":"POST","url":"U","headers":{"X":["template","{{secrets.signingKey}}"]}}}',
        '{"now":"2026-01-01T00:00:00+00:00","number":0,"item":["sealed",["value","signingKey"]]}',
        '{"now":"no date"}',
        '{"now":"2026-01-01T00:00:00+00:00","number":"0"}',
        '{"now":"2026-01-01T00:00:00+00:00","call":{"method":1}}',
        "[sealed:value:signingKey]",
        "null",
    ],
)
def test_a_checkpoint_that_was_never_written_begins_the_load_anew(tmp_path, text):
    seen, _, done = interrupted(tmp_path, "c2", resume=old(text))
    assert "after" not in seen[-1].json
    assert (done.resumed_rows, done.loaded.rows) == (1, 1)
    assert any("starting over" in note for note in done.stats.notes)


def test_a_journal_of_an_earlier_version_is_dropped_and_said(tmp_path):
    def rewrite(path):
        header = json.loads(path.read_bytes().splitlines()[0][9:])
        rest = path.read_bytes().split(b"\n", 1)[1]
        path.write_bytes(journal.line(journal.Header(**{**header, "version": 1})) + rest)

    seen, _, done = interrupted(tmp_path, "c2", resume=rewrite)
    assert "after" not in seen[-1].json
    assert any("another version" in note for note in done.stats.notes)


JSON = st.recursive(
    TEXTS | st.sampled_from(STRUCTURES) | st.none() | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXTS, JSON, min_size=1, max_size=3)
# PostgreSQL cannot hold a NUL and says so; half a surrogate pair is no text.
PLAIN = OBJECTS.filter(lambda value: not re.search(r"\\u(0000|d[89a-f])", json.dumps(value)))
SLOW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@given(positions=OBJECTS, checkpoint=TEXTS)
@SLOW
def test_a_journal_gives_back_what_was_staged(tmp_path_factory, positions, checkpoint):
    folder = tmp_path_factory.mktemp("staging")
    names = {"connection": "c", "stream": "s", "fingerprint": "f"}
    with Staging(folder, **names) as staging:
        staging.append(b'{"a":1}\n', 1, checkpoint, cursor=positions)
    with Staging(folder, **names) as staging:
        assert staging.resume == checkpoint
        assert dict(staging.cursor) == positions


def stored_by(destination, positions):
    """What a store gives back of positions that a load left with its table."""
    table = Table("s", "t")
    before = destination.read_cursor(table)
    destination.load(Order(table, "replace", [], Cursor(positions, before)))
    return destination.read_cursor(table)


@given(positions=PLAIN)
@SLOW
def test_stored_positions_come_back_as_they_were(tmp_path_factory, positions):
    folder = tmp_path_factory.mktemp("store")
    assert stored_by(DuckDBDestination(folder / "d.duckdb"), positions) == positions
    assert stored_by(destination_from_url(f"parquet:///{folder}/lake"), positions) == positions
    assert dict(ItemPositions((k, json.dumps(v)) for k, v in positions.items())) == positions


@given(positions=PLAIN)
@SLOW
def test_postgres_gives_stored_positions_back_as_they_were(postgres_url, positions):  # noqa: F811
    assert stored_by(destination_from_url(postgres_url), positions) == positions


@pytest.fixture(params=["folder", "redis", "postgres"])
def state(request, tmp_path):
    """Where tokens outlive a process."""
    kind = request.param
    return str(tmp_path) if kind == "folder" else request.getfixturevalue(f"{kind}_url")


@given(record=OBJECTS)
@SLOW
def test_a_stored_token_comes_back_as_it_was(state, record):
    store = token_store(state)
    store.write("forged", record)
    assert store.read("forged") == record


@given(text=TEXTS)
@example(text="[secret:signingKey]")
def test_nothing_turns_a_redaction_mark_back(text):
    masked = SECRETS.mask(text)
    assert SIGNING not in SECRETS.mask(masked)
    if not SECRETS.finds(text):
        assert masked == text


@pytest.mark.parametrize(
    "damage", ["", "null", "[]", "5", '"x"', "{", "NaN", '{"access":5}', '{"access":"a","more":1}']
)
def test_a_damaged_token_is_none(state, damage):
    """Whoever else writes there cannot make us crash, nor send what is no token."""
    store = token_store(state)
    if isinstance(state, str) and "://" not in state:
        Path(state, "tokens/forged.json").write_text(damage)
    elif state.startswith("redis"):
        store._redis.set("connector_assets:token:forged", damage)
    else:
        store.write("forged", {})
        run(
            state, f"update _connector_assets.tokens set record = $${damage}$$ where key = 'forged'"
        )
    assert Tokens.of(store.read("forged")) is None


@pytest.mark.parametrize(
    "text",
    [
        b"[NaN,0,0,0,[]]",
        b"[0,0,0,0,[Infinity]]",
        b"[1e999,0,0,0,[]]",
        b"[0]",
        b"{}",
        b"[0,0,0,0,0]",
        b"x",
    ],
)
def test_a_damaged_budget_is_an_empty_one(text):
    assert Bucket.loads(text) == Bucket()


@pytest.mark.parametrize("field", ["name", "table"])
def test_a_secret_that_a_list_of_streams_repeats_is_not_committed(tmp_path, field):
    text = SPEC.replace("PAGINATION", "{type: none}").partition("read:")[0] + DYNAMIC
    row = {"name": "t", "table": "x", field: f"a-{KEYS['apiKey']}"}
    with serving(lambda _: {"rows": [row]}) as api, HttpRuntime([api.host]) as runtime:
        connector = YamlConnector(parse_connector(text), runtime)
        environ = {"SHOP__BASE_URL": api.origin}
        connection = Connection(
            "shop", connector, environ=environ, lock=tmp_path / "shop.lock.yaml"
        )
        with pytest.raises(ConnectorError, match="holds a secret of ours"):
            discover_streams(connection, secrets=KEYS)


DYNAMIC = """
  - {id: of, url: "{{base_url}}/{{table}}"}
read:
  dynamic: [{from: items, endpoint: of, name: "{{record.name}}", vars: {table: "{{record.table}}"}}]
"""


def test_a_validator_with_a_secret_in_it_is_not_kept(tmp_path):
    text = SPEC.replace("PAGINATION", "{type: none}").replace("method: POST", "conditional: etag")
    text = text.replace("    body: {json: {all: true}}\n", "")
    for etag, kept in ((f'"{KEYS["apiKey"]}"', {}), ('"v1"', {"validator"})):
        with (
            serving(lambda _, e=etag: (200, {"rows": [{"id": 1}]}, {"ETag": e})) as api,
            HttpRuntime([api.host]) as runtime,
        ):
            connector = YamlConnector(parse_connector(text), runtime)
            connection = Connection("shop", connector, environ={"SHOP__BASE_URL": api.origin})
            store = DuckDBDestination(tmp_path / f"{len(kept)}.duckdb")
            sync(connection, "items", store, staging=tmp_path / "staging", secrets=KEYS)
            assert set((store.read_cursor(Table("shop", "items")) or {}).get("", {})) == set(kept)
