"""curl commands as people copy them: the same request, its credentials taken out."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from connector_assets.authoring.imports.commented import bare
from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.authoring.imports.loaded import loaded
from tests.loopback import serving

KEY = "k-7f3a9b2c1d"


def drafted(text, answer=None):
    given = Source("answer", json.dumps(answer).encode()) if answer is not None else None
    return import_spec("curl", Source("commands.sh", text.encode()), WantedDraft(answer=given))


COMMANDS = [
    "curl {url}/a",
    "curl -X GET '{url}/a?x=1&y=2'",
    'curl -sSL "{url}/a?q=a%20b" -H "X-Version: 2"',
    "curl -G {url}/a -d x=1 -d 'y=a b' --data-urlencode 'z=ü&='",
    "curl --get --url {url}/a --url-query x=1",
    'curl {url}/a --request POST --data \'{{"a": {{"b": [1, "x"]}}}}\'',
    "curl {url}/a -XPOST --json '{{\"a\": 1}}'",
    "curl {url}/a -d 'a=1&b=2'",
    "curl {url}/a -d a=1 -d b=2 -A agent -e ref -k --compressed -o out.json",
    "curl -sS \\\n  -H 'X-One: 1' \\\n  {url}/a",
    'curl {url}/a -d $\'{{"a": "it\\\'s\\\\u0021"}}\'',
    'curl "{url}/a" ^\n  -H "X-One: 1"',
    "curl {url}/a -XPOST -d text -H 'Content-Type: text/plain'",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_draft_asks_what_curl_asks(command):
    answers = [{"id": 1}]
    with serving(lambda _: answers) as server:
        text = command.format(url=server.origin)
        if "^" not in text:  # quoting of Windows, which no shell here reads
            subprocess.run(
                ["bash", "-c", text.replace("-o out.json", "")], capture_output=True, timeout=60
            )
        spec = parse_connector(drafted(text, answers).text)
        with HttpRuntime(allow_private=[server.host]) as runtime:
            assert list(runtime.execute_endpoint(spec, "a").rows) == answers
        ours = server.seen[-1]
        if "^" in text:
            assert ours.headers["x-one"] == "1"
            return
        theirs = server.seen[0]
        assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
        assert _body(ours) == _body(theirs)
        for name in ("x-one", "x-version"):
            assert ours.headers.get(name) == theirs.headers.get(name)


def _body(seen):
    try:
        return json.loads(seen.body)
    except ValueError:
        return seen.body


CREDENTIALS = [
    (f"curl https://a.example/x -H 'Authorization: Bearer {KEY}'", {"type": "bearer"}),
    (f"curl https://a.example/x -H 'Authorization: Token {KEY}'", {"type": "api_key", "prefix": "Token "}),
    (f"curl https://a.example/x -H 'Authorization: Token token={KEY}'", {"prefix": "Token token="}),
    (f"curl https://a.example/x -H 'authorization: {KEY}'", {"name": "Authorization", "prefix": ""}),
    (f"curl https://a.example/x -u {KEY}:", {"type": "basic", "usernameRef": "{{secrets.username}}"}),
    (f"curl https://a.example/x -uadmin:{KEY}", {"type": "basic", "passwordRef": "{{secrets.password}}"}),
    (f"curl https://a.example/x --digest --user admin:{KEY}", {"type": "digest"}),
    (f"curl https://admin:{KEY}@a.example/x", {"type": "basic"}),
    (f"curl 'https://a.example/x?api_key={KEY}'", {"type": "api_key", "in": "query", "name": "api_key"}),
    (f"curl https://a.example/x -b 'session={KEY}'", {"type": "api_key", "in": "cookie", "name": "session"}),
    (f"curl https://a.example/x -H 'Cookie: a={KEY}; b={KEY}2'", {"name": "Cookie"}),
    (f"curl https://a.example/x -H 'X-Api-Key: {KEY}'", {"type": "api_key", "name": "X-Api-Key"}),
    (f"curl https://a.example/x --oauth2-bearer {KEY}", {"type": "bearer"}),
    ('curl https://a.example/x -H "Authorization: Bearer $SHOP_TOKEN"', {"tokenRef": "{{secrets.shopToken}}"}),
]  # fmt: skip


@pytest.mark.parametrize(("command", "wanted"), CREDENTIALS, ids=[c for c, _ in CREDENTIALS])
def test_credentials_are_the_auth_and_their_values_are_nowhere(command, wanted):
    draft = drafted(command, [{"id": 1}])
    assert yaml.safe_load(draft.text)["auth"][0].items() >= wanted.items()
    assert KEY not in draft.text + json.dumps(draft.plain()) + repr(draft)
    assert draft.variables


def test_a_second_credential_and_one_in_a_body_are_secrets_in_their_place():
    command = (
        f"curl https://a.example/x/search -H 'Authorization: Bearer {KEY}' -H 'X-Api-Key: {KEY}2'"
        f' -d \'{{"client_secret": "{KEY}3", "limit": 5}}\''
    )
    draft = drafted(command, {"data": [{"id": 1}]})
    (endpoint,) = yaml.safe_load(draft.text)["endpoints"]
    assert endpoint["headers"] == {"X-Api-Key": "{{secrets.xApiKey}}"}
    assert endpoint["body"] == {"json": {"client_secret": "{{secrets.clientSecret}}", "limit": 5}}
    assert KEY not in draft.text + json.dumps(draft.plain())


def test_many_commands_are_many_streams_and_rows_of_an_answer_are_found():
    text = """
    # first
    curl -s https://api.shop.example/v1/orders?page=1&per_page=50 | jq .
    curl 'https://api.shop.example/v1/customers'; curl -X DELETE https://api.shop.example/v1/all
    curl https://other.example/x
    """
    draft = drafted(text, {"orders": [{"id": 1, "at": "2024-01-01"}], "meta": {"total": 3}})
    data = yaml.safe_load(draft.text)
    assert [one["name"] for one in data["read"]["streams"]] == ["orders", "customers"]
    assert data["endpoints"][0]["responseRowsPath"] == "orders"
    assert {o.why for o in draft.outcomes if o.state == "skipped"} == {
        "it writes",
        "it is of another server; import it by itself",
    }
    assert "# TODO: no answer was seen" in draft.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no curl command"),
        ("wget https://a.example", "holds no curl command"),
        ("curl", "names no URL"),
        ("curl https://a.example/x -H", "-H has no value"),
        ("curl 'https://a.example/x", "commands.sh:1: is no command that a shell reads"),
        ("curl -X DELETE https://a.example/x", "it writes"),
    ],
)
def test_what_is_no_command_is_an_error(text, said):
    with pytest.raises(ConfigError) as error:
        drafted(text)
    assert said in str(error.value)


def test_a_file_that_a_command_names_is_not_opened(tmp_path):
    (tmp_path / "body").write_text("secret content")
    draft = drafted(f"curl https://a.example/x -d @{tmp_path}/body --zap", [{"id": 1}])
    assert "secret content" not in draft.text
    says = [r.says for r in draft.remarks if r.kind == "question"]
    assert any("which is not opened" in one for one in says)
    assert "--zap is no option that is known, and left out" in says


def test_a_draft_of_a_command_reads_all_pages(tmp_path):
    rows = [{"id": n} for n in range(7)]

    def answer(request):
        assert request.headers["x-key"] == KEY
        at = int(request.query.get("cursor") or 0)
        return {"data": rows[at : at + 3], "next_cursor": str(at + 3) if at + 3 < 7 else None}

    with serving(answer) as server:
        command = f"curl '{server.origin}/v1/things?cursor=0' -H 'X-Key: {KEY}'"
        draft = drafted(command, {"data": rows[:3], "next_cursor": "3"})
        name = next(iter(draft.variables))
        tables = loaded(draft.text, tmp_path, server.origin, **{name: KEY})
    assert tables["things"] == rows


@pytest.mark.parametrize(
    ("command", "base"),
    [
        ("curl --proto =https --tlsv1.2 -sSf https://a.example/v1/x", "https://a.example"),
        ("curl -K settings -T - --proxy-header 'a: b' https://a.example/v1/x", "https://a.example"),
        ("curl HTTPS://A.Example/v1/x", "https://a.example"),
        ("curl $API_URL/v1/x", "{{apiUrl}}"),
        ("curl ${BASE}/v1/x?a=1", "{{base}}"),
    ],
)
def test_options_with_values_and_odd_beginnings_leave_the_url_what_it_is(command, base):
    draft = drafted(command, [{"id": 1}])
    assert bare(draft.data)["defaults"]["baseUrl"] == base
    assert bare(draft.data)["endpoints"][0]["url"] == "/v1/x"


def test_a_url_that_is_none_is_an_error():
    with pytest.raises(ConfigError, match="names a URL that is not valid"):
        drafted("curl 'http://[/x'")


SEVERAL = [
    (f"-u admin:{KEY} -b 'sid={KEY}2' 'https://a.example/x?api_key={KEY}3'",
     ["basic"], {"api_key": "{{secrets.apiKey}}"}, {"Cookie": "sid={{secrets.sid}}"}),
    (f"-H 'X-Key: {KEY}' -H 'Authorization: Bearer {KEY}2' 'https://a.example/x?token={KEY}3'",
     ["bearer"], {"token": "{{secrets.token2}}"}, {"X-Key": "{{secrets.xKey}}"}),
    (f"-H 'X-Odd: Bearer {KEY}' 'https://a.example/x?pw={KEY}2'",
     ["api_key"], {"pw": "{{secrets.pw}}"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kinds", "params", "headers"), SEVERAL)
def test_all_credentials_of_a_request_are_sent_with_it(said, kinds, params, headers):
    draft = drafted(f"curl {said}", [{"id": 1}])
    data = yaml.safe_load(draft.text)
    assert [one["type"] for one in data["auth"]] == kinds
    assert data["endpoints"][0]["params"] == params
    assert data["endpoints"][0].get("headers") == headers
    assert KEY not in draft.text + json.dumps(draft.plain())


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (f"curl -u a:{KEY} --aws-sigv4 aws:amz:eu:es https://a.example/x", "write the auth as aws_sigv4"),
        (f"curl -F pw={KEY} https://a.example/x", "-F sends parts of a form"),
        ("curl --cert c.pem https://a.example/x", "network.clientCertificate"),
        (f"curl -x http://u:{KEY}@p:1 https://a.example/x", "network.proxy"),
        (f"curl -u a:{KEY} https://a.example/x; curl -H 'Authorization: Bearer {KEY}2' https://a.example/y",
         "signed in more than one way (basic or bearer)"),
    ],
)  # fmt: skip
def test_what_a_draft_cannot_send_is_asked(said, asked):
    draft = drafted(said)
    assert any(asked in one.says for one in draft.remarks if one.kind == "question")
    assert KEY not in draft.text + json.dumps(draft.plain())


def test_braces_in_a_path_are_values_that_the_path_reads():
    data = yaml.safe_load(drafted("curl 'https://a.example/v1/{{shop.id}}/x?q={{secrets.y}}'").text)
    assert list(data["config"]) == ["shopId"]
    assert data["endpoints"][0]["url"] == "/v1/{{shopId}}/x"
