"""`connector-assets read`: rows to stdout, everything else to stderr."""

from __future__ import annotations

import json
import signal
import subprocess
import threading

from connector_assets.cli.text_table import table
from tests.cli.conftest import SECRET, SHOP, shop
from tests.loopback import serving


def ids(text):
    return [json.loads(line)["id"] for line in text.splitlines()]


def test_a_table_shows_the_first_rows(cli, shop_project):
    done = cli("read", "specs/shop.yaml", "items", "--limit", "2")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["id", "name"],
        ["─" * len(done.out.splitlines()[1])],
        ["0", "n0"],
        ["1", "n0"],
    ]
    assert done.err == "2 rows shown; there are more\n"


def test_jsonl_is_every_row_as_the_server_sent_it(cli, shop_project, api):
    body = b'{"rows":[{"id":1.10,"n":123456789012345678901},{"id":"\\u00e9","z":null}],"next":null}'
    api.answer = lambda _: body
    done = cli("read", "shop", "items", "--format", "jsonl")
    assert done.out == '{"id":1.10,"n":123456789012345678901}\n{"id":"\\u00e9","z":null}\n'
    assert (done.code, done.err) == (0, "")


def test_a_table_shows_numbers_as_they_were_written():
    text = table([b'{"a":1.10,"b":1e400,"c":{"d":[1]},"e":"x"}', b'{"f":null,"e":true}'])
    cells = [line.split() for line in text.splitlines()]
    assert cells[0] == ["a", "b", "c", "e", "f"]
    assert cells[2:] == [["1.10", "1e400", '{"d":[1]}', "x"], ["true"]]


def test_a_narrow_terminal_gets_the_columns_that_fit_and_the_names_of_the_others():
    text = table([b'{"first":"aaaa","second":"bbbb","third":"cccc"}'], width=18)
    assert text.splitlines()[0].split() == ["first", "second"]
    assert text.splitlines()[-1] == "and 1 more columns: third"


def test_what_a_server_sends_cannot_drive_the_terminal():
    text = table([json.dumps({"a\x1b[2J": "\x1b]0;title\x07\u202egpj.exe"}).encode()])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


def test_all_rows_in_jsonl_and_a_hundred_in_a_table(cli, shop_project, api):
    api.answer = shop(pages=5, size=30)
    assert ids(cli("read", "shop", "items", "--format", "jsonl").out) == list(range(150))
    done = cli("read", "shop", "items")
    assert len(done.out.splitlines()) == 102
    assert done.err == "100 rows shown; there are more\n"


def test_limit_and_pages_stop_early_and_ask_for_no_more(cli, shop_project, api):
    assert ids(cli("read", "shop", "items", "--format", "jsonl", "--limit", "4").out) == [
        0,
        1,
        2,
        3,
    ]
    assert len(api.seen) == 2
    api.seen.clear()
    done = cli("read", "shop", "items", "--format", "jsonl", "--pages", "1")
    assert ids(done.out) == [0, 1, 2]
    assert len(api.seen) == 1
    assert done.err == "3 rows shown; there are more\n"


def test_exactly_as_many_rows_as_there_are_is_all_of_them(cli, shop_project):
    done = cli("read", "shop", "items", "--format", "jsonl", "--limit", "12")
    assert (len(done.out.splitlines()), done.err) == (12, "")


def test_all_of_a_list_that_max_pages_cuts_is_an_error(cli, shop_project, api):
    api.answer = shop(pages=11)
    done = cli("read", "shop", "items", "--format", "jsonl")
    assert done.code == 1
    assert "10 pages were read and there are more" in done.err


def test_a_look_at_a_list_that_max_pages_cuts_says_so(cli, shop_project, api):
    api.answer = shop(pages=11)
    done = cli("read", "shop", "items")
    assert (done.code, done.err) == (0, "30 rows shown; there are more\n")


def test_requests_are_shown_without_secrets(cli, shop_project, api):
    spec = SHOP.replace("url:", 'params: {key: "{{secrets.token}}"}, url:')
    (shop_project / "specs" / "shop.yaml").write_text(spec)
    done = cli("read", "shop", "items", "--requests", "--limit", "4")
    asked = [line for line in done.err.splitlines() if line.startswith("GET ")]
    assert asked[:2] == [
        f"GET {api.origin}/items?key=[secret:token]",
        f"GET {api.origin}/items?key=[secret:token]&cursor=1",
    ]


def test_without_a_stream_a_table_takes_the_first_and_says_so(cli, shop_project):
    done = cli("read", "shop", "--limit", "1")
    assert done.code == 0
    assert "reading items; there is also orders\n" in done.err


def test_all_rows_of_one_of_several_streams_need_its_name(cli, shop_project):
    done = cli("read", "shop", "--format", "jsonl")
    assert (done.code, done.err) == (2, "shop: has several streams; name one of items, orders\n")


def test_a_stream_that_is_not_there_lists_those_that_are(cli, shop_project):
    done = cli("read", "shop", "itms")
    assert done.code == 1
    assert done.err == 'shop: "itms" is not a stream; use one of items, orders\n'


def test_missing_values_are_named_by_their_variables(cli, shop_project, monkeypatch):
    monkeypatch.delenv("SHOP__TOKEN")
    monkeypatch.delenv("SHOP__BASE_URL")
    done = cli("read", "shop", "items")
    assert done.code == 1
    assert done.err == "shop: values are missing; set SHOP__BASE_URL, SHOP__TOKEN\n"


def test_values_from_options_win_over_the_environment(cli, shop_project, api, monkeypatch):
    monkeypatch.setenv("SHOP__BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("SHOP__TOKEN", "stale")
    options = ("--config", f"base_url={api.origin}", "--secret", f"token={SECRET}")
    done = cli("read", "shop", "items", "--limit", "1", *options)
    assert done.code == 0


def test_a_private_address_needs_leave(cli, shop_project, api, monkeypatch):
    monkeypatch.delenv("CONNECTOR_ASSETS_ALLOW_PRIVATE")
    done = cli("read", "shop", "items")
    assert done.code == 1
    assert f"allow it with --allow-private {api.host}" in done.err
    assert api.seen == []
    done = cli("read", "shop", "items", "--limit", "1", "--allow-private", api.host)
    assert done.code == 0


def test_a_refused_secret_is_one_line(cli, shop_project):
    done = cli("read", "shop", "items", "--secret", "token=wrong-8812")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert 'items: 401; check secret "token"' in done.err
    assert "wrong-8812" not in done.err


def test_a_spec_with_faults_shows_them_before_anything_is_sent(cli, shop_project, api):
    (shop_project / "specs" / "shop.yaml").write_text(SHOP.replace("type: cursor", "type: kursor"))
    for spec in ("specs/shop.yaml", "shop"):
        done = cli("read", spec, "items")
        assert done.code == 1
        assert "specs/shop.yaml:11:22: defaults.pagination.type: " in done.err
        assert "\n                         ^" in done.err
    assert api.seen == []


def test_an_unknown_spec_lists_the_ids_there_are(cli, shop_project):
    done = cli("read", "shoop")
    assert (done.code, done.err) == (2, "shoop: is neither a file nor an id; known ids are: shop\n")
    done = cli("read", "shoop.yaml")
    assert (done.code, done.err) == (2, "shoop.yaml: no such file\n")


def test_a_connection_file_brings_its_own_values(cli, shop_project, api, monkeypatch):
    monkeypatch.setenv("EU_KEY", SECRET)
    (shop_project / "connections").mkdir()
    (shop_project / "connections" / "eu.yaml").write_text(
        f'kind: connection\nversion: "1.0"\nid: shop_eu\nconnector: shop\n'
        f"config: {{base_url: {api.origin}}}\nsecrets: {{token: {{env: EU_KEY}}}}\nstreams: [orders]\n"
    )
    for spec in ("connections/eu.yaml", "shop_eu", "shop"):
        done = cli("read", spec, "--format", "jsonl", "--limit", "1")
        assert (done.code, done.out) == (0, '{"id": 0, "name": "n0"}\n')
    assert {request.path for request in api.seen} == {"/orders"}


def test_a_reader_that_has_had_enough_is_no_error(process, shop_project, api):
    api.answer = shop(pages=8, size=2000)
    child = process("read", "shop", "items", "--format", "jsonl")
    head = subprocess.run(["head", "-n", "1"], stdin=child.stdout, capture_output=True, text=True)
    child.stdout.close()
    child.stdout = None
    _, err = child.communicate(timeout=30)
    assert ids(head.stdout) == [0]
    assert (child.returncode, err) == (0, "")


def test_verbose_shows_the_servers_words_but_no_secret(process, shop_project, api):
    api.answer = lambda request: (400, {"error": f"bad token {request.headers['authorization']}"})
    child = process("read", "shop", "items", "-v")
    out, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "bad token" in err
    assert SECRET not in out + err


def test_control_c_ends_a_read_of_a_silent_server_at_once(process, shop_project, api):
    arrived, release = threading.Event(), threading.Event()

    def silent(_):
        arrived.set()
        release.wait(30)
        return 500, {}

    api.answer = silent
    child = process("read", "shop", "items")
    assert arrived.wait(30)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    release.set()
    assert (child.returncode, out, err) == (130, "", "interrupted\n")


def test_what_only_the_parent_reads_is_given_to_it_when_its_child_is_read(
    project, cli, monkeypatch
):
    def answer(request):
        wanted = request.path != "/7/accounts" or request.query == {"region": "eu"}
        return [{"id": 1}] if wanted else (400, {})

    spec = """
kind: connector
version: "1.0"
id: shop
displayName: Shop
config: {base_url: {type: string}, region: {type: string}}
secrets: {team: {description: Part of an address.}}
defaults: {baseUrl: "{{base_url}}"}
endpoints:
  - {id: accounts, url: "/{{secrets.team}}/accounts", params: {region: "{{region}}"}}
  - {id: users, url: "/users/{{item.id}}"}
  - {id: tasks, url: "/tasks/{{item.id}}"}
read:
  streams:
    - {name: accounts}
    - {name: users, forEach: [{parent: {stream: accounts, field: id}}]}
    - {name: tasks, forEach: [{parent: {stream: users, field: id}}]}
"""
    (project / "shop.yaml").write_text(spec)
    with serving(answer) as api:
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        for name, value in (("BASE_URL", api.origin), ("REGION", "eu"), ("TEAM", "7")):
            monkeypatch.setenv(f"SHOP__{name}", value)
        done = cli("read", "shop.yaml", "tasks", "--format", "jsonl")
    assert (done.code, done.out) == (0, '{"id": 1}\n'), done.err
