"""`connector-assets new`."""

import io
import itertools

import pytest

from connector_assets.spec.document import load_connector

URL = "https://api.example.com/v1/open-orders?status=open"
PAGES = {
    "none": (),
    "cursor": (
        "--field",
        "meta.next",
        "--param",
        "after",
        "--page-size",
        "50",
        "--size-param",
        "n",
    ),
    "next_url": ("--field", "links.next", "--page-size", "50", "--size-param", "n"),
    "link_header": (),
    "offset": ("--page-size", "50", "--size-param", "n"),
    "page": ("--param", "p", "--page-size", "50", "--size-param", "n"),
}


@pytest.mark.parametrize(
    ("pagination", "auth"), list(itertools.product(PAGES, ["none", "bearer", "basic", "api_key"]))
)
def test_what_options_say_is_a_valid_spec_without_findings(cli, project, pagination, auth):
    more = ("--rows", "data", "--key", "id", "--pagination", pagination, *PAGES[pagination])
    more += ("--description", "Orders of a shop.", "--docs-url", "https://a.example/docs")
    more += ("--rate-limit", "5")
    done = cli("new", "--id", "shop", "--url", URL, "--auth", auth, *more)
    file = project / "specs" / "shop.yaml"
    assert done.code == 0, done.err
    spec = load_connector(file)
    assert spec.endpoint("open_orders").url.source == "/open-orders"
    assert spec.endpoint("open_orders").pagination.type == pagination
    assert [one.type for one in spec.auth] == ([] if auth == "none" else [auth])
    assert spec.stream("open_orders").primary_key == ("id",)
    linted = cli("lint", file)
    assert (linted.code, linted.out) == (0, f"{file}: ok\n"), linted.err
    assert cli("fmt", "--check", file).code == 0


def test_a_file_that_is_there_stays(cli, project):
    file = project / "shop.yaml"
    file.write_text("mine\n")
    base = ("new", "--id", "shop", "--url", URL, "--out", file)
    done = cli(*base)
    assert (done.code, file.read_text()) == (1, "mine\n")
    assert "--replace" in done.err
    assert cli(*base, "--replace").code == 0
    assert file.read_text().startswith("kind: connector\n")
    assert list(project.glob(".*")) == []


BAD = {
    "no URL": (("--url", "orders"), "https://"),
    "a password in it": (("--url", "https://me:hunter2@a.example/x"), "credential"),
    "a token in its query": (("--url", "https://a.example/x?api_key=hunter2"), "credential"),
    "another pagination": (("--url", URL, "--pagination", "pages"), "link_header"),
    "another auth": (("--url", URL, "--auth", "magic"), "api_key"),
    "a cursor without its place": (("--url", URL, "--pagination", "cursor"), "cursorField"),
    "not an id": (("--url", URL, "--id", "../x"), "id"),
    "a path that is none": (("--url", URL, "--rows", "a..b["), "responseRowsPath"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_answers_are_errors_and_write_nothing(cli, project, name):
    given, words = BAD[name]
    done = cli("new", "--id", "shop", *given)
    assert done.code in (1, 2)
    assert words in done.err
    assert "hunter2" not in done.err
    assert list(project.rglob("*")) == []


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_is_asked(cli, project, monkeypatch):
    answers = ["shop", URL, "data", "id, line", "cursor", "next", "", "bearer"]
    monkeypatch.setattr("sys.stdin", Terminal("".join(f"{one}\n" for one in answers)))
    done = cli("new")
    assert done.code == 0, done.err
    spec = load_connector(project / "specs" / "shop.yaml")
    assert spec.stream("open_orders").primary_key == ("id", "line")
    assert spec.endpoint("open_orders").pagination.type == "cursor"


def test_without_a_terminal_what_is_missing_is_named(cli, project, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    done = cli("new", "--url", URL)
    assert done.code == 2
    assert "--id" in done.err
