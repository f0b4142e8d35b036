"""`connector-assets new`."""

import io
import itertools

import pytest

from connector_assets.spec.document import load_connector
from tests.loopback import serving

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
    answers = ["shop", URL, "bearer", "n", "data", "id, line", "cursor", "next", ""]
    monkeypatch.setattr("sys.stdin", Terminal("".join(f"{one}\n" for one in answers)))
    done = cli("new")
    assert done.code == 0, done.err
    spec = load_connector(project / "specs" / "shop.yaml")
    assert spec.stream("open_orders").primary_key == ("id", "line")
    assert spec.endpoint("open_orders").pagination.type == "cursor"


@pytest.mark.parametrize("agrees", [True, False])
def test_a_terminal_is_shown_what_is_proposed_and_may_say_otherwise(
    cli, project, monkeypatch, agrees
):
    monkeypatch.setenv("SHOP__TOKEN", TOKEN)
    with serving(shop_answers) as api:
        answers = ["shop", f"{api.origin}/v1/orders?cursor=", "bearer", "y"]
        answers += ["y"] if agrees else ["n", "orders", "total", "page", "p"]
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{one}\n" for one in answers)))
        done = cli("new", "--allow-private", api.host)
    assert done.code == 0, done.err
    assert 'orders: primaryKey: ["id"]' in done.err
    spec = load_connector(project / "specs" / "shop.yaml")
    assert spec.stream("orders").primary_key == (("id",) if agrees else ("total",))
    assert spec.endpoint("orders").pagination.type == ("cursor" if agrees else "page")


def test_without_a_terminal_what_is_missing_is_named(cli, project, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    done = cli("new", "--url", URL)
    assert done.code == 2
    assert "--id" in done.err


TOKEN = "tok-abcdef123456"
OAUTH = ("--auth", "oauth2", "--token-url", "https://login.example.com/token")
AUTHS = [
    (("--auth", "digest"), "digest", {"username", "password"}),
    (("--auth", "api_key", "--key-param", "key"), "api_key", {"apiKey"}),
    ((*OAUTH, "--scope", "read"), "oauth2", {"clientId", "clientSecret"}),
    ((*OAUTH, "--grant", "refresh_token"), "oauth2", {"clientId", "clientSecret", "refreshToken"}),
    (
        (*OAUTH, "--grant", "password"),
        "oauth2",
        {"clientId", "clientSecret", "username", "password"},
    ),
    (
        ("--auth", "aws_sigv4", "--region", "eu-west-1", "--service", "execute-api"),
        "aws_sigv4",
        {"accessKeyId", "secretAccessKey"},
    ),
]


@pytest.mark.parametrize(
    ("options", "kind", "secrets"), AUTHS, ids=[str(one[0][1:]) for one in AUTHS]
)
def test_other_auths_are_choices(cli, project, options, kind, secrets):
    done = cli("new", "--id", "shop", "--url", URL, *options)
    assert done.code == 0, done.err
    spec = load_connector(project / "specs" / "shop.yaml")
    assert [one.type for one in spec.auth] == [kind]
    assert set(spec.secrets) == secrets


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--auth", "oauth2"), "--token-url: oauth2 asks for tokens somewhere; give it"),
        (("--auth", "aws_sigv4", "--region", "x"), "--service: requests to AWS are signed"),
        (("--auth", "api_key", "--header", "A", "--key-param", "b"), "goes into one of both"),
        (("--auth", "kerberos"), "--auth: is none of none, bearer"),
        (("--grant", "magic"), "--grant: is none of"),
        (("--cursor", "at"), "--cursor, --since-param: are of use together only"),
        (("--url", "https://other.example.com/x"), "several servers"),
        (("--name", "a", "--name", "b"), "more names than URLs"),
    ],
)
def test_what_is_not_enough_is_said(cli, project, options, said):
    done = cli("new", "--id", "shop", "--url", URL, *options)
    assert done.code in (1, 2)
    assert said in done.err
    assert not (project / "specs").exists()


def test_several_lists_share_their_base_and_positions(cli, project):
    urls = ("--url", URL, "--url", "https://api.example.com/v1/eu/customers")
    more = ("--name", "orders", "--key", "id", "--cursor", "at", "--since-param", "since")
    assert cli("new", "--id", "shop", *urls, *more).code == 0
    spec = load_connector(project / "specs" / "shop.yaml")
    assert spec.defaults.base_url.source == "https://api.example.com/v1"
    assert {one.name: spec.endpoint_of(one).url.source for one in spec.streams} == {
        "orders": "/open-orders",
        "customers": "/eu/customers",
    }
    assert all(one.incremental.start_param == "since" for one in spec.streams)


def shop_answers(asked):
    if asked.headers.get("authorization") != f"Bearer {TOKEN}":
        return 401, {"error": "who?"}
    if asked.path == "/v1/orders":
        rows = [{"id": n, "total": n + 0.5, "updated_at": "2024-01-01"} for n in range(3)]
        return {"orders": rows, "meta": {"next_cursor": "abc"}}
    if asked.path == "/v1/people":
        link = f'<http://{asked.headers["host"]}/v1/people?page=2>; rel="next"'
        return 200, [{"id": 1, "team": "a"}, {"id": 1, "team": "b"}], {"Link": link}
    return b"no json"


def test_what_is_not_said_is_proposed_from_one_answer_each_with_its_reason(
    cli, project, monkeypatch
):
    monkeypatch.setenv("SHOP__TOKEN", TOKEN)
    with serving(shop_answers) as api:
        urls = ("--url", f"{api.origin}/v1/orders?cursor=", "--url", f"{api.origin}/v1/people")
        base = ("new", "--id", "shop", *urls, "--auth", "bearer", "--allow-private", api.host)
        done = cli(*base, "--ask")
        assert done.code == 0, done.err
        assert [one.path for one in api.seen] == ["/v1/orders", "/v1/people"]
    text = (project / "specs" / "shop.yaml").read_text()
    assert TOKEN not in text + done.err
    spec = load_connector(project / "specs" / "shop.yaml")
    orders, people = spec.endpoint("orders"), spec.endpoint("people")
    assert (orders.pagination.type, str(orders.pagination.cursor_field)) == (
        "cursor",
        "meta.next_cursor",
    )
    assert (people.pagination.type, str(people.response_rows_path)) == ("link_header", "@")
    assert spec.stream("orders").primary_key == ("id",)
    assert spec.stream("orders").column_types["total"] == "double"
    assert spec.stream("people").primary_key == (), "an id that stands twice is no key"
    for said in (
        'orders: responseRowsPath: "orders"  (orders is called like the path)',
        'orders: primaryKey: ["id"]  (its name; another in each of 3 rows)',
        "people: primaryKey: open: id stands twice in 2 rows: which fields are the key?",
        "orders: incremental: open: updated_at tells when a row changed",
    ):
        assert said in done.err, done.err


def test_what_is_said_goes_before_what_is_proposed(cli, project):
    with serving(shop_answers) as api:
        urls = ("--url", f"{api.origin}/v1/orders?cursor=")
        base = ("new", "--id", "shop", *urls, "--auth", "bearer", "--allow-private", api.host)
        said = (
            "--pagination",
            "page",
            "--key",
            "total",
            "--cursor",
            "updated_at",
            "--since-param",
            "s",
        )
        done = cli(*base, "--secret", f"token={TOKEN}", "--ask", *said)
        assert done.code == 0, done.err
    spec = load_connector(project / "specs" / "shop.yaml")
    assert spec.endpoint("orders").pagination.type == "page"
    assert spec.stream("orders").primary_key == ("total",)
    assert spec.stream("orders").incremental.start_param == "s"


@pytest.mark.parametrize(
    ("path", "given", "said"),
    [
        ("orders", (), "SHOP__TOKEN"),
        ("orders", ("--secret", "token=wrong"), "401"),
        ("file", ("--secret", f"token={TOKEN}"), "is no JSON"),
    ],
)
def test_an_api_that_does_not_answer_well_leaves_nothing(cli, project, path, given, said):
    with serving(shop_answers) as api:
        base = ("new", "--id", "shop", "--url", f"{api.origin}/v1/{path}", "--auth", "bearer")
        done = cli(*base, "--allow-private", api.host, "--ask", *given)
        assert done.code == 1
        assert said in done.err
        done = cli(*base, "--ask", "--secret", f"token={TOKEN}")
        assert done.code == 1, "a private address is refused by the guard"
    assert not (project / "specs").exists()
