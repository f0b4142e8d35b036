"""A spec does not choose whose variables it reads, nor a file whose secrets it gets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.errors import SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.plugins.registry import ConnectorRegistry
from connector_assets.spec.document import parse_connection, parse_connector
from connector_assets.spec.names.names import RESERVED_IDS, variable_names
from tests.loopback import serving
from tests.spec.documents import SEED, lines, with_

CANARY = "NEVER-SENT-0123456789abcdef"
SPEC = """
kind: connector
version: "1.0"
id: {id}
displayName: It
endpoints: [{{id: items, url: "{url}/items", headers: {{X-Key: "{{{{secrets.key}}}}"}}}}]
read: {{primary: items}}
"""
CONNECTION = 'kind: connection\nversion: "1.0"\nid: {id}\nconnector: {of}\n'


@pytest.fixture
def write(project):
    def into(name, text):
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return into


@pytest.fixture
def servers():
    """The one that was meant, and another."""
    with serving(lambda _: [{"id": 1}]) as good, serving(lambda _: [{"id": 1}]) as evil:
        yield good, evil


@pytest.fixture
def allowed(servers, monkeypatch):
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", ",".join(one.host for one in servers))
    for name in ("SHOP__KEY", "SHOP_EU_KEY", "SHOP_EU__KEY"):
        monkeypatch.setenv(name, CANARY)


@pytest.mark.parametrize("name", ["a__b", "a_", "a_b_", "a___b", *sorted(RESERVED_IDS)])
def test_an_id_that_reads_the_variables_of_others_is_a_fault(name):
    assert [one for one in lines(with_("id: shop", f"id: {name}")) if one.startswith("id:")]
    with pytest.raises(SpecError, match="id: "):
        parse_connection(CONNECTION.format(id=name, of="shop"))
    with pytest.raises(SpecError, match="id: "):
        define_connector(id=name, display_name="It", read=lambda _: iter(()))


@pytest.mark.parametrize("name", ["eu__key", "_key", "key_", "__key", "a__"])
@pytest.mark.parametrize(
    "spec",
    [
        "secrets: {{{}: {{}}}}",
        "config: {{{}: {{}}}}",
        "defaults: {{headers: {{X: '{{{{secrets.{}}}}}'}}}}",
        "defaults: {{headers: {{X: '{{{{config.{} | default(1)}}}}'}}}}",
        "defaults: {{baseUrl: 'https://{{{{{}}}}}.example.com'}}",
        "auth: [{{type: bearer, tokenRef: '{{{{secrets.{}}}}}'}}]",
    ],
)
def test_a_name_that_reads_the_variable_of_another_connection_is_a_fault(name, spec):
    text = SEED.replace("auth:\n  - type: none\n", "")
    found = lines(with_("read:\n", spec.format(name) + "\nread:\n", text))
    assert any(name in one and '"_' in one for one in found), found


SHARED = [
    ("secrets: {apiKey: {}, api_key: {}}", "SHOP__API_KEY"),
    ("secrets: {apikey: {}, apiKey: {}}", "SHOP__APIKEY"),
    ("secrets: {token: {}}\nconfig: {token: {}}", "SHOP__TOKEN"),
    ("secrets: {apiKey: {}}\nconfig: {APIKEY: {}}", "SHOP__APIKEY"),
    (
        "secrets: {token: {}}\ndefaults: {headers: {X: '{{Token}}', Y: '{{secrets.token}}'}}",
        "SHOP__TOKEN",
    ),
    ("secrets: {aB: {}, A_B: {}}", "SHOP__A_B"),
]


@pytest.mark.parametrize(("spec", "variable"), SHARED)
def test_two_names_that_one_variable_gives_are_a_fault(spec, variable):
    assert f"would both be read from {variable}" in "\n".join(
        lines(with_("read:\n", f"{spec}\nread:\n"))
    )


def test_what_every_stream_binds_is_no_variable():
    spec = "secrets: {token: {}}\ndefaults: {headers: {X: '{{token}}', Y: '{{secrets.token}}'}}"
    streams = "  streams: [{name: a, vars: {token: x}}]"
    text = with_("  resourceTypes: [Item]", streams, with_("read:\n", f"{spec}\nread:\n"))
    assert lines(text) == []


def test_no_two_pairs_of_a_valid_id_and_name_share_a_variable():
    """Every text of up to five letters and underscores, as an id and as a name."""
    texts = ["".join(some) for size in range(1, 6) for some in product("ab_", repeat=size)]
    ids = [one for one in texts if not lines(with_("id: shop", f"id: {one}"))]
    names = [one for one in texts if not lines(with_("read:", f"secrets: {{{one}: {{}}}}\nread:"))]
    assert len(ids) > 20
    assert len(names) > 20
    seen = {}
    for pair in product(ids, names):
        for variable in variable_names(*pair):
            assert seen.setdefault(variable, pair) == pair


def test_of_two_files_with_one_id_neither_is_used_nor_what_names_it(cli, write, servers, allowed):
    good, evil = servers
    write("specs/shop.yaml", SPEC.format(id="shop", url=good.origin))
    write("specs/a_new_api.yaml", SPEC.format(id="shop", url=evil.origin))
    write("specs/other.yaml", SPEC.format(id="other", url=good.origin))
    write("connections/shop_eu.yaml", CONNECTION.format(id="shop_eu", of="shop"))
    for command in ("load", "read", "check", "preview"):
        for asked in ("shop", "shop_eu", "specs/shop.yaml", "connections/shop_eu.yaml"):
            done = cli(command, asked)
            assert done.code == 1, (command, asked)
            assert {"a_new_api.yaml", "shop.yaml"} <= set(re.findall(r"\w+\.yaml", done.err))
    assert not good.seen
    assert not evil.seen
    assert cli("read", "other", "--secret", "key=k").code == 0
    told = json.loads(cli("list", "--json").out)
    assert [one["id"] for one in told if "streams" in one] == ["other"]
    assert sorted(one["source"] for one in told if "faults" in one) == [
        "connections/shop_eu.yaml",
        "specs/a_new_api.yaml",
        "specs/shop.yaml",
    ]
    assert cli("validate", "specs").err.count("is the id of") == 2


def test_of_two_connections_with_one_id_neither_is_used(cli, write, servers, allowed):
    write("specs/shop.yaml", SPEC.format(id="shop", url=servers[0].origin))
    write("connections/a.yaml", CONNECTION.format(id="eu", of="shop"))
    write("connections/b.yaml", CONNECTION.format(id="eu", of="shop"))
    done = cli("read", "eu")
    assert done.code == 1
    assert "connections/b.yaml" in done.err
    assert cli("read", "shop").code == 2  # the connections name it: it has no default
    assert not servers[0].seen


@pytest.mark.parametrize(
    "text", ["id: shop\norigin: [x]\n", "id: [\n", 'id: "x"\nconnector: shop\n']
)
def test_nothing_stands_in_for_a_broken_connection(cli, write, servers, allowed, text):
    write("specs/shop.yaml", SPEC.format(id="shop", url=servers[0].origin))
    write("connections/shop.yaml", f'kind: connection\nversion: "1.0"\n{text}')
    assert cli("load", "shop").code == 1
    assert not servers[0].seen


def test_a_project_with_a_shared_id_still_gives_dagster_the_rest(write, servers):
    for name in ("shop", "twin"):
        write(f"specs/{name}.yaml", SPEC.format(id="shop", url=servers[0].origin))
    write("specs/other.yaml", SPEC.format(id="other", url=servers[0].origin))
    code = (
        "from connector_assets import build_definitions\n"
        "for spec in build_definitions().resolve_all_asset_specs():\n"
        "    print(spec.key.to_user_string(), spec.kinds)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    keys = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "invalid" not in keys["other/items"]
    assert sum("invalid" in line for line in keys.values()) == 2


def pinned(*origins):
    return CONNECTION.format(id="eu", of="shop") + f"origins: [{', '.join(origins)}]\n"


def test_a_spec_that_adds_an_origin_is_refused_before_a_request(cli, write, servers, allowed):
    good, evil = servers
    write("connections/eu.yaml", pinned(good.origin) + "secrets: {key: {env: SHOP_EU_KEY}}\n")
    spec = SPEC.format(id="shop", url=good.origin)
    write("specs/shop.yaml", spec)
    assert cli("read", "eu").code == 0
    more = (
        ("read:", f"origins: [{evil.origin}]\nread:"),
        ("endpoints: [", f"endpoints: [{{id: b, url: '{evil.origin}/b'}}, "),
        (good.origin, evil.origin),
        ("endpoints:", f"defaults: {{baseUrl: '{evil.origin}'}}\nendpoints:"),
    )
    good.seen.clear()
    for old, new in more:
        text = with_(old, new, spec).replace(f'"{good.origin}/items"', '"/items"', "base" in new)
        write("specs/shop.yaml", text)
        done = cli("read", "eu")
        assert (done.code, good.seen, evil.seen) == (1, [], []), new
        assert evil.origin in done.err
        assert cli("validate", "connections/eu.yaml").code == 1


def test_an_origin_that_comes_from_a_value_is_refused_too(cli, write, servers, allowed):
    good, evil = servers
    write("connections/eu.yaml", pinned(good.origin) + "secrets: {key: {env: SHOP_EU_KEY}}\n")
    write("specs/shop.yaml", SPEC.format(id="shop", url="{{base}}"))
    assert cli("read", "eu", "--config", f"base={good.origin}").code == 0
    done = cli("read", "eu", "--config", f"base={evil.origin}")
    assert done.code == 1
    assert f"may send to {evil.origin}, which the connection does not allow" in done.err
    assert not evil.seen


@pytest.mark.parametrize("origin", ["api.example.com", "https://a.example.com/v1", "https://u@h"])
def test_a_pin_is_an_origin(origin):
    with pytest.raises(SpecError, match="must be an origin without a path"):
        parse_connection(CONNECTION.format(id="eu", of="shop") + f"origins: ['{origin}']\n")


def test_list_and_check_say_what_a_spec_would_read_before_it_runs(cli, write, servers):
    dynamic = """
endpoints:
  - {id: tables, url: "https://api.example.com/{{team}}", headers: {X: "{{secrets.key}}"}}
  - {id: rows, url: "https://rows.example.com/{{table}}", headers: {X: "{{secrets.rowKey}}"}}
read: {dynamic: [{from: tables, endpoint: rows, vars: {table: "{{record.id}}"}}]}
"""
    head = SPEC.format(id="dy", url="x").partition("endpoints")[0]
    write("specs/dy.yaml", head + dynamic)
    (told,) = json.loads(cli("list", "--json").out)
    assert told["reads"] == ["DY__KEY", "DY__ROW_KEY", "DY__TEAM"]
    assert told["sendsTo"] == ["https://api.example.com", "https://rows.example.com"]
    write("specs/dy.yaml", SPEC.format(id="dy", url="https://api.example.com"))
    assert cli("check", "dy").out == "dy: reads DY__KEY; sends to https://api.example.com\n"
    assert json.loads(cli("check", "dy", "--json").out)["reads"] == ["DY__KEY"]


def created(tmp_path, *texts, overwrite=True):
    folder = SpecsFolder(tmp_path, ConnectorRegistry())
    for text in texts:
        folder.create(text, overwrite=overwrite)
    return folder


def spec(name="shop", url="https://api.example.com"):
    return SPEC.format(id=name, url=url)


def test_an_assistant_may_not_send_the_values_of_another_connector_elsewhere(tmp_path):
    (tmp_path / "shop.yaml").write_text(spec())
    before = Path(tmp_path / "shop.yaml").read_text()
    with pytest.raises(SpecError, match=r"would go to https://evil\.example\.com too"):
        created(tmp_path, spec(url="https://evil.example.com"))
    assert Path(tmp_path / "shop.yaml").read_text() == before
    created(tmp_path, spec().replace("It", "Better"))
    (tmp_path / "shop.yaml").write_text(spec() + "wrong: 1\n")
    with pytest.raises(SpecError, match="would go to"):
        created(tmp_path, spec(url="https://evil.example.com"))
    created(tmp_path, spec())


def test_an_assistant_may_repair_what_it_wrote_itself(tmp_path):
    created(tmp_path, spec(url="https://wrong.example.com"), spec())
    assert parse_connector((tmp_path / "shop.yaml").read_text()).id == "shop"


def test_an_assistant_may_not_take_the_file_of_another_id_nor_choose_between_two(tmp_path):
    (tmp_path / "shop.yaml").write_text(spec("other"))
    with pytest.raises(SpecError, match=r'taken by shop\.yaml, the file of "other"'):
        created(tmp_path, spec())
    (tmp_path / "a.yaml").write_text(spec())
    (tmp_path / "b.yaml").write_text(spec())
    folder = SpecsFolder(tmp_path, ConnectorRegistry())
    with pytest.raises(SpecError, match=r"taken by a\.yaml and b\.yaml"):
        folder.create(spec(), overwrite=True)
    told = folder.listing()
    assert [one["id"] for one in told["connectors"]] == ["other"]
    assert [one["file"] for one in told["broken"]] == ["a.yaml", "b.yaml"]


def test_the_guide_lists_every_id_that_is_reserved():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "secrets.md"
    section = page.read_text().partition("## Ids that are reserved")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) == RESERVED_IDS


@pytest.mark.parametrize("name", ["shop", "shop_eu"])
@pytest.mark.parametrize("file", ["elsewhere/new.yaml", "new.yaml", "specs/sub.yml"])
@pytest.mark.usefixtures("allowed")
def test_a_file_that_is_named_by_its_path_takes_no_place_of_a_project(
    cli, write, servers, file, name
):
    good, evil = servers
    write("specs/shop.yaml", SPEC.format(id="shop", url=good.origin))
    write("connections/shop_eu.yaml", CONNECTION.format(id="shop_eu", of="shop"))
    write(file, SPEC.format(id=name, url=evil.origin))
    for command in ("read", "load", "check"):
        done = cli(command, file)
        assert (done.code, f'"{name}" is the id of' in done.err) == (1, True)
    assert not evil.seen


@pytest.mark.usefixtures("allowed")
def test_a_connection_does_not_use_one_of_two_files_by_its_path(cli, write, servers):
    good, evil = servers
    write("specs/shop.yaml", SPEC.format(id="shop", url=good.origin))
    write("specs/a_new_api.yaml", SPEC.format(id="shop", url=evil.origin))
    secrets = "secrets: {key: {env: SHOP_EU_KEY}}\n"
    write("connections/eu.yaml", CONNECTION.format(id="eu", of="../specs/a_new_api.yaml") + secrets)
    for spec in ("eu", "connections/eu.yaml"):
        assert cli("read", spec).code == 1
    assert not evil.seen
