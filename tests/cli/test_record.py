"""`record`, `replay`, and `test --replay`: real answers kept, and a spec held to them."""

import base64
import gzip
import json
import re
import secrets as random
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, unquote

import httpx
import pytest

from tests.cli.conftest import command as installed
from tests.loopback import serving
from tests.shop import shop_spec

CLIENT = "client-secret-7f2c"
CRM = shop_spec("""
config: {base: {}}
secrets: {id: {description: Client id}, secret: {description: Client secret}}
auth:
  - type: oauth2
    grant: client_credentials
    tokenUrl: "{{base}}/token"
    clientIdRef: "{{secrets.id}}"
    clientSecretRef: "{{secrets.secret}}"
defaults: {baseUrl: "{{base}}/v1", responseRowsPath: data, retry: {maxDelaySeconds: 1}}
endpoints:
  - id: customers
    url: /customers
    params: {since: "{{now() | date('%Y-%m-%dT%H:%M:%SZ')}}"}
    pagination: {type: cursor, cursorField: next, pageSize: 3, pageSizeParam: limit}
  - {id: orders, url: "/by/{{mail}}"}
read:
  streams:
    - {name: customers, primaryKey: [id], fields: {remove: [token]}}
    - {name: orders, primaryKey: [customer, number],
       forEach: [{parent: {stream: customers, field: email, as: mail}}]}
""")


class Crm:
    """An API behind OAuth: each token is new, and the first one is refused after two answers."""

    def __init__(self):
        self.tokens, self.given, self.answers, self.failed = [], [], 0, False

    def __call__(self, asked):
        if asked.path == "/token":
            assert parse_qs(asked.body.decode())["client_secret"] == [CLIENT]
            self.given.append(f"tok/{random.token_urlsafe(18)}")
            self.tokens = [self.given[-1]]
            return {"access_token": self.given[-1], "expires_in": 3600, "refresh_token": "r-" * 9}
        self.answers += 1
        if self.answers == 3:
            self.tokens = []
        if asked.headers.get("authorization", "")[7:] not in self.tokens:
            return 401, {"error": "who?"}
        if asked.path == "/v1/customers" and not self.failed:
            self.failed = True
            return 503, {"error": "a moment"}
        if asked.path == "/v1/customers":
            return self.customers(int(asked.query.get("cursor", "0")), asked)
        mail = unquote(asked.path.removeprefix("/v1/by/"))
        return {"data": [{"number": n, "customer": mail} for n in range(2)]}

    def customers(self, page, asked):
        rows = [
            {
                "id": page * 3 + n,
                "email": f"anna.{page}{n}@corp.io",
                "name": "Anna Müller",
                "amount": 12.5,
                "blob": "." * 400,
                "token": self.tokens[0],
                "self": f"http://{asked.headers['host']}/v1/customers/{n}?api_key=K{n}abcdefgh",
            }
            for n in range(3)
        ]
        told = {"data": rows, "next": str(page + 1) if page < 4 else None}
        return 200, told, {"set-cookie": "sid=cookie-value-1; Path=/", "x-trace": "trace-value-1"}


@pytest.fixture
def crm():
    answer = Crm()
    with serving(answer) as server:
        server.crm = answer
        yield server


@pytest.fixture
def given(project, crm, monkeypatch):
    (project / "specs").mkdir()
    (project / "specs" / "shop.yaml").write_text(CRM)
    monkeypatch.setenv("SHOP__BASE", crm.origin)
    monkeypatch.setenv("SHOP__ID", "client-id-1")
    monkeypatch.setenv("SHOP__SECRET", CLIENT)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", crm.host)
    return project


@pytest.fixture
def recorded(given, cli):
    done = cli("record", "specs/shop.yaml")
    assert done.code == 0, done.err
    return given / "specs" / "shop.recording"


def test_no_secret_no_token_and_no_person_is_in_any_file(recorded, crm):
    told = "".join(path.read_text() for path in recorded.rglob("*") if path.is_file())
    assert len(crm.crm.given) >= 2, "the token was to be renewed while it was recorded"
    hidden = [CLIENT, "client-id-1", *crm.crm.given, "anna", "Anna", "Müller", "corp.io"]
    hidden += ["cookie-value", "trace-value", "K0abcdefgh", "r-r-"]
    assert [one for one in hidden if one in told] == []
    assert "/token" not in told, "requests for tokens are no answers of the API"
    assert "a moment" not in told, "a failure that passed is not kept"
    assert "401" not in told


def test_a_spec_that_did_not_change_holds_without_any_request_to_the_api(recorded, crm, cli):
    before = len(crm.seen)
    done = cli("test", "specs/shop.yaml", "--replay")
    assert (done.code, len(crm.seen)) == (0, before), done.out
    assert done.out.splitlines() == [
        "held        recorded requests: 2 streams",
        "held        recorded rows: 2 streams",
    ]


def test_files_are_few_and_say_where_they_end(recorded, cli):
    names = sorted(str(path.relative_to(recorded)) for path in recorded.rglob("*.json*"))
    customers = [f"customers/000{n}.json" for n in (1, 2, 3)]
    assert names[:3] == customers
    index = json.loads((recorded / "recording.json").read_text())
    assert index["streams"]["customers"] == {
        "pages": 3,
        "most": 3,
        "complete": False,
        "stopped": True,
    }
    first = json.loads((recorded / customers[0]).read_text())
    assert first["request"]["query"]["limit"] == "3"
    assert first["answer"]["json"]["data"][0]["email"] == "user1@example.com"
    assert first["answer"]["headers"] == {"content-type": "application/json"}
    rows = (recorded / "orders" / "rows.jsonl").read_text().splitlines()
    assert json.loads(rows[0]) == {"number": 0, "customer": "user1@example.com"}


CHANGED = [
    ("pageSize: 3", "pageSize: 4", 'the parameter "limit" is "4" instead of "3"'),
    ("limit}", "size}", 'no parameter "limit", the parameter "size" beside'),
    ("remove: [token]", "rename: {amount: total}", "row 0 changed: no amount, also total, also token"),
    ("cursorField: next", "cursorField: after", "cursor=1 was not asked"),
    ("/by/{{mail}}", "/of/{{mail}}", "/v1/of/user1@example.com instead of "),
    ("responseRowsPath: data", "responseRowsPath: rows", "rows"),
    ("params: {since", "headers: {X-Version: '2'}\n    params: {since", 'the header "X-Version" beside'),
    ("primaryKey: [id]", "where: '{{record.id > 0}}', primaryKey: [id]", "row 0 is missing"),
    ("primaryKey: [customer, number]", "primaryKey: [no]", "primary key: orders: 6 of 6 rows have no no"),
    ("- {name: customers", "- {name: people", "the spec has no such stream"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), CHANGED, ids=[one[1] for one in CHANGED])
def test_what_a_change_of_the_spec_does_is_said(recorded, cli, before, after, said):
    spec = recorded.with_name("shop.yaml")
    assert before in CRM
    text = CRM.replace(before, after)
    if "people" in after:
        text = text.replace("stream: customers", "stream: people").replace(
            "{name: people", "{name: people, endpoint: customers"
        )
    spec.write_text(text)
    done = cli("test", "specs/shop.yaml", "--replay")
    assert done.code == 1, done.out
    assert said in done.out


def test_a_key_that_rows_share_is_said_and_fails_nothing(recorded, cli):
    spec = recorded.with_name("shop.yaml")
    spec.write_text(CRM.replace("primaryKey: [customer, number]", "primaryKey: [number]"))
    done = cli("test", "specs/shop.yaml", "--replay")
    assert done.code == 0, done.out
    assert "rows have a number that came before: is it the key?" in done.out


def test_it_is_served_on_loopback_and_names_the_nearest_request(recorded, given, process, crm):
    child = process("replay", "specs/shop.yaml")
    base = re.search(r"http://127\.0\.0\.1:\d+", child.stdout.readline())[0]
    command = child.stdout.readline().split()[1:]
    loaded = subprocess.run(
        [*installed(*command), "customers", "--to", "duckdb:///out.duckdb", "--config", f"base={base}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # Its window ends now and not when it was recorded, so that nothing fits.
    assert loaded.returncode == 1
    token = httpx.post(f"{base}/token", data=_client(command)).json()["access_token"]
    signed = {"Authorization": f"Bearer {token}"}
    refused = httpx.get(f"{base}/v1/by/user9@example.com", headers=signed)
    said = refused.json()["error"]
    assert refused.status_code == 404
    assert said.startswith(
        f"not recorded: GET {crm.origin}/v1/by/user9@example.com; the nearest is"
    )
    assert httpx.get(f"{base}/v1/by/user1@example.com").status_code == 401
    rows = httpx.get(f"{base}/v1/by/user1@example.com", headers=signed).json()["data"]
    assert rows[1] == {"number": 1, "customer": "user1@example.com"}
    folder = Path(command[command.index("--secrets-file") + 1]).parent
    assert folder.is_dir()
    child.terminate()
    assert (child.wait(30), folder.exists()) == (130, False)


def _client(command):
    secrets = json.loads(Path(command[command.index("--secrets-file") + 1]).read_text())
    client = {"client_id": secrets["id"], "client_secret": secrets["secret"]}
    return {"grant_type": "client_credentials", **client}


def test_a_recording_stays_unless_it_is_to_be_replaced(recorded, given, cli, crm):
    before = (recorded / "recording.json").read_bytes()
    asked = len(crm.seen)
    done = cli("record", "specs/shop.yaml", "customers", "--pages", "1")
    assert (done.code, len(crm.seen)) == (1, asked), "it is refused before anything is asked"
    assert "--replace" in done.err
    assert (recorded / "recording.json").read_bytes() == before
    done = cli("record", "specs/shop.yaml", "customers", "--pages", "1", "--replace")
    assert done.code == 0, done.err
    assert not (recorded / "orders").exists()
    assert sorted(one.name for one in recorded.parent.iterdir()) == ["shop.recording", "shop.yaml"]
    (given / "other").mkdir()
    done = cli("record", "specs/shop.yaml", "--out", "other", "--replace")
    assert (done.code, list((given / "other").iterdir())) == (1, [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-bytes", "1000"), "one answer has more than 1,000 bytes"),
        (("--requests", "2"), "takes more than 2 requests"),
        (("--config", "base=http://127.0.0.1:9"), ""),
    ],
)
def test_what_cannot_be_recorded_leaves_nothing(given, cli, options, said):
    done = cli("record", "specs/shop.yaml", *options)
    assert done.code == 1
    assert said in done.err
    assert [one.name for one in (given / "specs").iterdir()] == ["shop.yaml"]


def test_a_value_that_requests_are_made_of_otherwise_is_said_and_can_be_kept(given, cli):
    spec = given / "specs" / "shop.yaml"
    spec.write_text(
        CRM.replace("field: email, as: mail", "field: name, as: mail").replace(
            "{{mail}}", "{{mail | upper}}"
        )
    )
    done = cli("record", "specs/shop.yaml", "orders")
    assert done.code == 1
    assert "cannot be replayed" in done.err
    assert "--keep FIELD" in done.err
    assert not (given / "specs" / "shop.recording").exists()
    done = cli("record", "specs/shop.yaml", "orders", "--keep", "name")
    assert done.code == 0, done.err
    assert cli("test", "specs/shop.yaml", "--replay").code == 0


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("recording.json", "{"),
        ("recording.json", '{"recording": 2}'),
        ("recording.json", '{"recording": 1, "streams": {"../x": {}}}'),
        ("customers/0001.json", "[]"),
        ("customers/0001.json", '{"request": {}, "answer": 1}'),
    ],
)
def test_a_damaged_recording_is_said_with_its_file(recorded, cli, file, text):
    (recorded / file).write_text(text)
    done = cli("test", "specs/shop.yaml", "--replay")
    assert done.code == 1
    assert file in done.err


def test_a_fake_has_rows_like_those_that_were_recorded(recorded, given, cli):
    from connector_assets.authoring.recording.recording_folder import read_recording
    from connector_assets.authoring.recording.sampled_rows import samples_of
    from connector_assets.authoring.simulator.simulated import simulated
    from connector_assets.spec.document import read_connector

    found = read_connector(CRM)
    samples = samples_of(read_recording(recorded), found.spec)
    assert len(samples["customers"]) == 9
    with simulated(found.yaml.data, samples=samples) as fake:
        first, *rest = fake.api.truth("customers")
    assert (first.data["id"], first.data["amount"]) == (1, 12.5)
    assert first.data["name"].startswith("Xxxx ")
    assert len({row.data["id"] for row in (first, *rest)}) == len(rest) + 1
    done = cli("test", "specs/shop.yaml", "customers", "--rows-from", recorded)
    assert done.code == 0, done.out


ODD_KEY = "987654321"
ODD = {
    "a key in the link to the next page": (
        """
auth: [{type: api_key, in: query, name: api_key, valueRef: "{{secrets.k}}"}]
endpoints: [{id: a, url: "{{base}}/a", pagination: {type: link_header}}]""",
        lambda asked, page: (
            200,
            [{"id": page, "name": "Bob"}],
            {
                "Link": f'<http://{asked.headers["host"]}/a?p={page + 1}&api_key={ODD_KEY}>; rel="next"'
            }
            if page < 3
            else {},
        ),
    ),
    "a secret that comes back as a number and as a text": (
        """
auth: [{type: bearer, tokenRef: "{{secrets.k}}"}]
endpoints: [{id: a, url: "{{base}}/a"}]""",
        lambda _, page: [
            {"id": 1, "echo": int(ODD_KEY), "again": f"you are {ODD_KEY}", "ref": "Bobby"},
            {"id": 2, "login": "Bobby"},
        ],
    ),
    "a packed file": (
        """
endpoints: [{id: a, url: "{{base}}/a", responseFormat: jsonl}]""",
        lambda _, page: gzip.compress(b'{"id":1,"login":"Bob"}\n{"id":2,"login":"al"}\n'),
    ),
    "values in columns": (
        """
endpoints: [{id: a, url: "{{base}}/a", responseFormat: csv, csv: {delimiter: ";"}}]""",
        lambda _, page: b"id;email;name\r\n1;bob@a.io;Bob\r\n2;al@a.io;Al\r\n",
    ),
    "elements": (
        """
endpoints: [{id: a, url: "{{base}}/a", responseFormat: xml, responseRowsPath: l.i}]""",
        lambda _, page: b"<l><i><id>1</id><name>Bob</name></i><i><id>2</id><name>Al</name></i></l>",
    ),
    "a signature": (
        """
auth: [{type: aws_sigv4, accessKeyIdRef: "{{secrets.k}}", secretAccessKeyRef: "{{secrets.k}}",
  region: eu-west-1, service: execute-api}]
endpoints: [{id: a, url: "{{base}}/a", params: {q: "a b"}}]""",
        lambda _, page: [{"id": 1, "name": "Bob"}],
    ),
    "windows in a form": (
        """
endpoints:
  - id: a
    url: "{{base}}/a"
    method: POST
    body: {form: {from: "{{window.start}}", to: "{{window.end}}"}}""",
        lambda asked, page: [{"id": asked.body.decode()[:40], "name": "Bob"}],
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_apis_are_replayed_as_they_were_recorded(project, cli, name):
    text, answer = ODD[name]
    more = ""
    if "window" in name:
        more = ", incremental: {cursorField: at, format: iso, window: P3650D, start: '2010-01-01'}"
    stream = f"\nread: {{streams: [{{name: a, primaryKey: [id]{more}}}]}}\n"
    (project / "shop.yaml").write_text(shop_spec(f"\nconfig: {{base: {{}}}}{text}{stream}"))
    with serving(lambda asked: answer(asked, int(asked.query.get("p", 1)))) as api:
        given = ("--allow-private", api.host, "--config", f"base={api.origin}")
        done = cli("record", "shop.yaml", *given, "--secret", f"k={ODD_KEY}")
        assert done.code == 0, done.err
    told = "".join(one.read_text() for one in (project / "shop.recording").rglob("*.json*"))
    assert [one for one in (ODD_KEY, "Bob", "bob@") if one in told] == []
    done = cli("test", "shop.yaml", "--replay")
    assert done.code == 0, done.out


def test_what_is_no_text_is_not_recorded(project, cli):
    text = '\nconfig: {base: {}}\nendpoints: [{id: a, url: "{{base}}/a"}]\nread: {primary: a}\n'
    (project / "shop.yaml").write_text(shop_spec(text))
    with serving(lambda _: b"\x89PNG\xff") as api:
        given = ("--allow-private", api.host, "--config", f"base={api.origin}")
        done = cli("record", "shop.yaml", *given)
    assert done.code == 1
    assert "no text in UTF-8" in done.err
    assert not (project / "shop.recording").exists()


HIDDEN = {
    "nested": json.dumps({"first_name": "Sekrit1", "deep": [{"token": "Sekrit2"}]}),
    "url": "https://x.io/u?e=sekrit3%40corp.io&again=sekrit4%2540corp.io",
    "markup": "<a href='mailto:sekrit5&#64;corp.io'>x</a>",
    "mail": base64.b64encode("Xoü\r\nFrom: sekrit6@corp.io\r\n".encode()).decode(),
    "custom": [{"name": "phone", "value": "Sekrit7"}, {"key": "api_key", "value": "Sekrit8"}],
    "first_name": {"value": "Sekrit9"},
    "sent": "Bearer Sekrit10abcdef",
    "said": "then send Bearer Sekrit11abcdef to it",
    "form": "password=Sekrit12&a=1",
    "note_html": "<p>Sekrit13</p>",
    "phones": ["Sekrit14"],
    "surName": "Sekrit15",
    "address_lines": ["Sekrit16"],
    "otp": "Sekrit17",
    "sk_live_Sekrit18abcdefgh": 1,
}
HIDDEN_XML = b"""<rows><!-- password: Sekrit1 --><row><id>1</id>
<first_name><![CDATA[Sekrit2 <b>]]></first_name><note>call <b>Sekrit3</b> now</note>
<x password = "Sekrit4's"/></row></rows>"""
HIDDEN_CSV = b'id;First Name;pw;memo\n1;Sekrit1;Sekrit2;"{""token"": ""Sekrit3""}"\n'
ODD_PLACES = shop_spec("""
config: {base: {}}
defaults: {baseUrl: "{{base}}"}
endpoints:
  - {id: json, url: /json, responseRowsPath: data}
  - {id: xml, url: /xml, responseFormat: xml, responseRowsPath: rows.row}
  - {id: csv, url: /csv, responseFormat: csv, csv: {delimiter: ";"}}
read: {streams: [{name: json}, {name: xml}, {name: csv}]}
""")


def test_secrets_and_people_in_odd_places_are_in_no_file(project, cli):
    answers = {
        "/json": {"data": [{"id": 1, "file_names": ["a.txt"], **HIDDEN}]},
        "/xml": (200, HIDDEN_XML, {"content-type": "application/xml"}),
        "/csv": (200, HIDDEN_CSV, {"content-type": "text/csv"}),
    }
    (project / "shop.yaml").write_text(ODD_PLACES)
    with serving(lambda asked: answers[asked.path]) as server:
        values = ("--config", f"base={server.origin}", "--allow-private", server.host)
        done = cli("record", "shop.yaml", *values)
    assert done.code == 0, done.err
    files = [one for one in (project / "shop.recording").rglob("*") if one.is_file()]
    told = "".join(one.read_text() for one in files)
    assert re.findall(r"(?i)sekrit\d+", told) == []
    assert HIDDEN["mail"] not in told
    assert "a.txt" in told
    assert cli("test", "shop.yaml", "--replay").code == 0
