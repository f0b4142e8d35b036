"""What servers, specs and file names hold never reaches a terminal, a log or a page raw."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re
from pathlib import Path

import pytest
from rich.console import Console

from connector_assets.assets.labels import description
from connector_assets.cli.progress import Bar
from connector_assets.errors import ConnectorError, Fault, SpecError
from connector_assets.legible import LONGEST_LINE, code, escaped, legible, markdown, message
from connector_assets.project.project import connection_from_file
from connector_assets.runtime.http.logs import mask_line
from connector_assets.runtime.stats import Stats
from tests.loopback import serving
from tests.shop import shop_spec

CODES = [
    *(one for one in range(0x20) if one not in (0x09, 0x0A)),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)),
]
ALL = "".join(map(chr, CODES))
RAW = re.compile(f"[{re.escape(ALL)}]")
ROW = {"id": 1, f"k{ALL}": f"a{ALL}b\tc\nd", "nested": {ALL: [ALL]}}
MARKDOWN = "![x](http://h/t.png) [renew](https://evil.example) <img src=x> `a` *b* | c ~~d~~\n# e"
SPEC = shop_spec("""
endpoints: [{{id: items, url: "{url}/items"}}]
read: {{primary: items}}
""")


@pytest.fixture
def shop(cli, project, monkeypatch):
    with serving(lambda _: [ROW]) as api:
        (project / "specs").mkdir()
        (project / "specs" / "shop.yaml").write_text(SPEC.format(url=api.origin))
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        yield api


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr("connector_assets.cli.output.on_terminal", lambda: True)


@pytest.mark.parametrize("one", CODES)
def test_each_of_them_is_written_out_and_comes_back_from_json(one):
    text = f"a{chr(one)}b"
    assert not RAW.search(legible(text))
    assert legible(text) != text
    raw = json.dumps(text, ensure_ascii=False).encode()
    assert not RAW.search(escaped(raw).decode())
    assert json.loads(escaped(raw)) == text


def test_what_is_no_control_character_stays():
    text = "a\tb\nc é 漢 עברית 😀 \u00a0 \ufeff"
    assert legible(text) == text
    assert escaped(text.encode()) == text.encode()


def test_half_a_character_is_written_out():
    assert legible("a\ud800") == "a\\ud800"
    assert escaped("a\ud800".encode("utf-8", "surrogatepass")) == b"a\\ud800"


@pytest.mark.parametrize(
    "command",
    [
        ("read", "shop"),
        ("read", "shop", "--format", "jsonl"),
        ("preview", "shop"),
        ("preview", "shop", "--format", "csv"),
        ("preview", "shop", "--format", "jsonl"),
        ("query", "select * from shop.items"),
        ("query", "select * from shop.items", "--format", "csv"),
        ("query", "select * from shop.items", "--format", "jsonl"),
        ("query", 'select chr(155) as "a\x9b"'),
        ("list",),
        ("list", "--json"),
        ("check", "shop"),
        ("load", "shop"),
        ("load", "shop", "--json"),
    ],
)
def test_no_command_prints_them_raw_on_a_terminal(cli, shop, terminal, command):
    cli("load", "shop")
    done = cli(*command)
    assert done.code == 0, done.err
    assert not RAW.search(done.out + done.err)


@pytest.mark.parametrize("command", [("read", "shop"), ("preview", "shop")])
def test_rows_for_machines_give_every_value_back(cli, shop, command):
    cli("load", "shop")
    done = cli(*command, "--format", "jsonl")
    assert not RAW.search(done.out)
    row = json.loads(done.out)
    assert next(value for key, value in row.items() if key.startswith("k")) == f"a{ALL}b\tc\nd"


def test_csv_in_a_file_has_every_value_as_it_is(cli, shop):
    cli("load", "shop")
    out = cli("query", "select columns('^k.*') from shop.items", "--format", "csv").out
    assert list(csv.reader(io.StringIO(out, newline="")))[1] == [f"a{ALL}b\tc\nd"]


@pytest.mark.parametrize("args", [("validate",), ("lint",), ("read",), ("load",), ("check",)])
def test_a_name_of_a_file_or_a_word_typed_is_not_raw(cli, project, terminal, args):
    hostile = "q\x1b]0;pwned\x07\x9b\u202e.yaml"
    (project / hostile).write_text("kind: connector\n")
    for given in (hostile, f"no-{hostile}", "x\x1b[31m"):
        done = cli(*args, given)
        assert done.code
        assert not RAW.search(done.out + done.err)
    assert not RAW.search(cli("read", "x\x9b", "--no\x9bsuch").err)


@pytest.mark.parametrize("key", ["displayName", "category", "docsUrl"])
@pytest.mark.parametrize("one", ["\x1b", "\x7f", "\x9b", "\u202e", "\u2028", "\u2066"])
def test_a_label_of_a_spec_holds_none(cli, project, key, one):
    text = SPEC.format(url="https://h.example.com").replace("displayName: Shop\n", "")
    given = {"displayName": "Shop", key: f"https://A{one}B"}
    lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in given.items())
    (project / "a.yaml").write_text(text + lines)
    done = cli("validate", "a.yaml")
    assert done.code == 1
    assert f"{key}: must be one line of text" in done.err


def test_no_line_of_a_message_is_longer_than_anyone_reads():
    long = "/" + "A" * 400_000
    for said in (
        str(ConnectorError(long, where=long, fix=long)),
        str(Fault(long, long)),
        str(SpecError([Fault("a", long), Fault("b", long)])),
        mask_line(long),
        message(f"{long}\n{long}"),
    ):
        assert max(map(len, said.split("\n"))) <= LONGEST_LINE
        assert "more characters" in said
    stats = Stats()
    stats.note(long + ALL)
    assert len(stats.notes[0]) <= LONGEST_LINE
    assert not RAW.search(str(ConnectorError(ALL)) + mask_line(ALL))


def test_a_path_of_a_server_is_cut_on_the_command_line(cli, shop):
    def answer(request):
        if request.path == "/items":
            return {"rows": [{"id": 1}], "next": "/" + "A" * 400_000}
        return 500, {}

    shop.answer = answer
    spec = Path("specs/shop.yaml")
    more = ", responseRowsPath: rows, pagination: {type: next_url, urlField: next}, retry: {maxAttempts: 1}}]"
    spec.write_text(spec.read_text().replace("}]", more))
    done = cli("load", "shop")
    assert done.code == 1
    assert max(map(len, done.err.splitlines())) <= LONGEST_LINE


def test_a_log_with_verbose_is_clean(cli, shop, capsys, monkeypatch):
    log = logging.getLogger("connector_assets")
    monkeypatch.setattr(log, "handlers", [])  # what the command adds goes with the test
    monkeypatch.setattr(log, "level", log.level)
    monkeypatch.setattr("connector_assets.cli.output._mask", None)
    cli("read", "shop", "-v")
    logging.getLogger("connector_assets.http").warning("it said %s", ALL)
    said = capsys.readouterr().err
    assert "it said" in said
    assert not RAW.search(said)


def test_a_bar_shows_a_name_as_text():
    page = io.StringIO()
    with Bar(Console(file=page, force_terminal=True, width=200, color_system=None)) as bar:
        bar.start("[bold]a[/bold] [link=https://evil]b[/link]\x9b\u202e")
        bar._drawn.refresh()
    assert "[bold]a[/bold] [link=https://evil]b[/link]\\x9b\\u202e" in page.getvalue()


def test_a_page_of_dagster_shows_what_a_spec_says_as_text(tmp_path):
    text = SPEC.format(url="https://h.example.com").replace(
        "primary: items",
        f"streams: [{{name: items, description: {json.dumps(MARKDOWN)}, primaryKey: ['a`]`[x](y)']}}]",
    )
    path = tmp_path / "shop.yaml"
    path.write_text(text.replace("displayName: Shop", f"displayName: {json.dumps(MARKDOWN[:40])}"))
    connection = connection_from_file(path)
    shown = description(connection, connection.stream("items"))
    plain = re.sub(r"(`+).+?\1", "", re.sub(r"\\[\\`*\[\]<>|~#]", "", shown))
    assert not re.search(r"[\[\]<>*]|^#", plain, re.MULTILINE), plain
    assert not RAW.search(markdown(ALL) + code(ALL))
    assert code("a`b") == "`` a`b ``"


def test_nothing_else_in_the_command_line_writes_to_the_terminal():
    """One seam: what every command prints passes through `cli.output`."""
    folder = Path(__file__).parents[2] / "connector_assets"
    for path in folder.rglob("*.py"):
        if path.name == "output.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "typer.echo", "typer.secho"), path
            assert not re.match(r"sys\.(stdout|stderr)\.(write|buffer)", called), path
