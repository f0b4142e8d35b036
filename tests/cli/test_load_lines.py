"""The lines of `connector-assets load`: each names its stream, and says what came and what is next."""

from __future__ import annotations

import json

from connector_assets.cli.progress import Lines
from connector_assets.runtime.stats import Stats
from tests.cli.conftest import SHOP, shop


def respecified(project, **changes):
    """The shop's spec with some of its text replaced."""
    text = SHOP
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    (project / "specs" / "shop.yaml").write_text(text)


def test_an_error_names_its_stream_whatever_failed(cli, shop_project, api):
    good = shop()
    for answer, says in (
        ((404, {}), "GET {host}/items: 404"),
        ({"other": []}, 'GET {host}/items: "rows" is absent'),
        ({"rows": 1}, "GET {host}/items: "),
        ((200, b"<html>", {"Content-Type": "text/html"}), "GET {host}/items: "),
    ):
        api.answer = lambda r, answer=answer: answer if r.path == "/items" else good(r)
        done = cli("load", "shop", "--full")
        assert done.code == 1
        assert done.err.startswith(f"shop.items: {says.format(host=api.host)}"), done.err
        assert done.out.startswith("shop.orders: served 12 rows, 4 pages")
        assert cli("read", "shop", "items").err.startswith("shop.items: GET ")
        told = json.loads(cli("load", "shop", "items", "--json").out)
        assert told["error"].startswith("shop.items: GET ")


def test_an_error_names_the_item_and_the_window_too(cli, shop_project, api):
    (shop_project / "specs" / "shop.yaml").write_text(
        SHOP.replace(
            "    - {name: items, primaryKey: [id]}\n",
            """    - name: items
      primaryKey: [id]
      forEach: [{values: [a, b], as: region}]
      incremental:
        {cursorField: at, startParam: since, start: "{{first}}", format: date, window: P1Y}
""",
        )
    )
    api.answer = lambda r: (500, {}) if r.query["since"] == "2025-01-01" else {"rows": []}
    done = cli("load", "shop", "items", "--config", "first=2024-01-01")
    assert done.err.startswith(
        f"shop.items: region=a, 2025-01-01 to 2026-01-01: GET {api.host}/items: 500"
    ), done.err


def test_every_line_names_its_stream(cli, shop_project, api, caplog):
    caplog.set_level("DEBUG", "connector_assets")
    api.answer = lambda r: (500, {}) if r.path == "/orders" else shop(pages=2)(r)
    done = cli("load", "shop")
    lines = [*done.out.splitlines(), *done.err.splitlines()]
    assert len(lines) > 1
    assert not [
        line for line in lines if "shop.items: " not in line and "shop.orders: " not in line
    ]
    assert caplog.records
    assert all("shop." in record.getMessage() for record in caplog.records)


def test_a_bug_in_one_stream_is_said_and_the_others_are_loaded(cli, shop_project, monkeypatch):
    from connector_assets.reading.yaml_connector import YamlConnector

    read = YamlConnector.read

    def broken(self, ctx):
        if ctx.stream.name == "items":
            raise KeyError("tok-5f1c9a/42")
        return read(self, ctx)

    monkeypatch.setattr(YamlConnector, "read", broken)
    done = cli("load", "shop")
    assert done.code == 1
    assert done.err.startswith("shop.items: KeyError at test_load_lines.py:")
    assert "; this is a bug, -v shows all of it" in done.err
    assert "shop.orders in duckdb:///data.duckdb now has 12 rows" in done.out


def test_rows_served_and_rows_in_the_table_are_told_apart(cli, shop_project, api):
    api.answer = lambda _: {"rows": [{"id": 1}]}
    done = cli("load", "shop", "items")
    assert done.out.startswith("shop.items: served 1 row, 1 page, ")
    assert done.out.endswith("shop.items in duckdb:///data.duckdb now has 1 row\n")
    told = json.loads(cli("load", "shop", "items", "--json").out)
    assert (told["served"], told["received"], told["rows"]) == (1, 1, 1)
    api.answer = lambda _: {"rows": [{"id": 1}, {"id": 2}]}
    (shop_project / "specs" / "shop.yaml").write_text(
        SHOP.replace("{name: items,", '{name: items, where: "{{record.id == 2}}",')
    )
    done = cli("load", "shop", "items")
    assert "served 2 rows, 1 page" in done.out
    assert "; 1 row loaded; shop.items in " in done.out
    assert done.out.endswith("now has 1 row\n")


def test_rows_staged_by_an_earlier_run_are_told(cli, shop_project, api):
    good = shop(pages=3)
    api.answer = lambda r: (500, {}) if r.query.get("cursor") == "2" else good(r)
    assert cli("load", "shop", "items").code == 1
    api.answer = good
    done = cli("load", "shop", "items")
    assert "served 3 rows, 1 page" in done.out
    assert "; 6 rows staged before; 9 rows loaded; " in done.out


def test_a_wait_is_said_at_once_with_its_status(cli, shop_project, api, capsys):
    respecified(shop_project, **{"maxAttempts: 1": "maxAttempts: 2"})
    good, refused = shop(pages=1), []

    def answer(request):
        if request.path not in refused:
            refused.append(request.path)
            return (429 if request.path == "/items" else 503), {}, {"Retry-After": "1"}
        return good(request)

    api.answer = answer
    done = cli("load", "shop")
    assert done.code == 0, done.err
    items, orders = done.err.splitlines()
    assert items.startswith("shop.items: 0 rows")
    assert items.endswith("429 Too Many Requests: waiting 1 s, as the server asks")
    assert orders.endswith("503 Service Unavailable: waiting 1 s, as the server asks")
    assert "waiting" not in done.out


def test_a_line_says_which_part_is_read(capsys):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock, stats = Clock(), Stats(part="region=a")
    lines = Lines(clock)
    lines.start("shop.items")
    clock.now, stats.rows, stats.pages = 5.0, 5, 1
    lines.update(stats)
    assert capsys.readouterr().err == "shop.items: region=a: 5 rows, 1 page, 0 B, 1 row/s\n"
