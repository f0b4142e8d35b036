"""What `errors` rules and a vendor's headers make a run do, against a loopback API."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from connector_assets.errors import (
    AuthError,
    ConnectorError,
    RateLimited,
    RequestError,
    SpecError,
    StartOver,
)
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.loopback import serving
from tests.shop import shop_spec
from tests.syncing import sync
from tests.timeline import Now

SPEC = shop_spec("""
secrets: {user: {}, token: {}}
auth: AUTH
RATE
endpoints:
  - id: items
    url: "{{base}}/items"
    responseRowsPath: rows
    pagination: {type: cursor, cursorField: next}
    retry: {maxAttempts: 3, maxDelaySeconds: 60}
    errors: ERRORS
read:
  streams:
    - name: items
      primaryKey: [id]
      STREAM
""")
SECRET = "tok-5f1c9a77"
SESSION = (
    '[{type: session, login: {url: "{{base}}/login", body: {json: {user: "{{secrets.user}}"}}}, '
    "tokenPath: token, name: X-Session}]"
)
ITEMS = "forEach: [{values: [1, 2], as: number}]"
BEARER = '[{type: bearer, tokenRef: "{{secrets.token}}"}]'


class Shop:
    """The runtime, a clock that waiting moves, and the table."""

    def __init__(self, folder, api, runtime, clock):
        self.folder, self.api, self.runtime, self.clock = folder, api, runtime, clock
        self.destination = DuckDBDestination(folder / "d.duckdb")

    def spec(self, errors="[]", *, auth="[{type: none}]", rate="", stream=""):
        text = SPEC.replace("AUTH", auth).replace("RATE", rate).replace("ERRORS", errors)
        return parse_connector(text.replace("STREAM", stream))

    def load(self, errors="[]", **given):
        secrets = {"user": "ada", "token": SECRET}
        connector = YamlConnector(self.spec(errors, **given), self.runtime)
        connection = Connection("shop", connector, environ={"SHOP__BASE": self.api.origin})
        staging = self.folder / "staging"
        return sync(connection, "items", self.destination, staging=staging, secrets=secrets)

    def ids(self):
        return [
            row[0] for row in self.destination.query("select id from shop.items order by id")[1]
        ]

    def asked(self):
        return [r.query.get("cursor", "") for r in self.api.seen if r.path == "/items"]


@contextmanager
def shop_with(folder, answer):
    clock = Now()
    with serving(answer) as api, HttpRuntime([api.host], clock=clock) as runtime:
        clock.plain_http = api.host
        yield Shop(folder, api, runtime, clock)


@pytest.fixture
def shop(tmp_path):
    with shop_with(tmp_path, lambda _: {"rows": []}) as made:
        yield made


def rows(request, pages=3):
    page = int(request.query.get("cursor") or 0)
    return {"rows": [{"id": page}], "next": str(page + 1) if page + 1 < pages else None}


@pytest.mark.parametrize(
    ("status", "body", "rule", "said"),
    [
        (404, {}, "{status: [404], action: fail}", "404; check the URL"),
        (418, {}, "{status: 4xx, action: fail, message: gone fishing}", "418: gone fishing"),
        (200, {"ok": False, "error": "no"}, '{when: "{{not response.ok}}", action: fail, message: "{{response.error}}"}', "200: no"),
        (200, {"code": 7}, '{when: "{{response.code != 0}}", action: fail}', "200: fail by errors.0 of the endpoint"),
        (200, {"a": "Quota d\u00e9pass\u00e9"}, "{contains: dépassé, action: fail, message: quota}", "200: quota"),
        (400, {"e": {"m": "x" * 500}}, '{status: 400, action: fail, message: "{{response.e.m}}"}', "400: " + "x" * 199 + "…"),
        (400, {"e": "a\r\nb\u2028c"}, '{status: 400, action: fail, message: "{{response.e}}"}', "400: a b c"),
        (400, {"e": 1}, '{status: 400, action: fail, message: "{{response.nope}}"}', "400; check the parameters"),
        (400, {"e": "x" * 190 + SECRET}, '{status: 400, action: fail, message: "{{response.e}}"}', "400: " + "x" * 190 + "[secret:t…"),
        (403, {"e": "no"}, '{status: 403, action: fail, message: "{{response.e}} ({{status}}, {{headers.server}})"}', "403: no (403, "),
    ],
)  # fmt: skip
def test_a_rule_that_fails_says_why(shop, status, body, rule, said):
    shop.api.answer = lambda _: (status, body)
    with pytest.raises(RequestError) as raised:
        shop.load(f"[{rule}]", auth=BEARER)
    assert said in str(raised.value)
    assert SECRET[:6] not in str(raised.value)
    assert len(shop.api.seen) == 1


def test_the_first_rule_that_matches_decides(shop):
    shop.api.answer = lambda r: rows(r) if r.query.get("cursor") != "2" else (404, {"code": "past"})
    rules = "[{status: 404, contains: past, action: end}, {status: 4xx, action: fail}]"
    shop.load(rules)
    assert shop.ids() == [0, 1]


def test_a_rule_that_ignores_gives_no_rows(shop):
    shop.api.answer = lambda _: (403, {"error": "no access to this item"})
    result = shop.load("[{status: 403, contains: no access, action: ignore}]")
    assert result.loaded.rows == 0


@pytest.mark.parametrize("action", ["retry", "rate_limited"])
def test_an_error_within_a_200_is_tried_again(shop, action):
    answers = iter([{"error": "busy"}, {"error": "busy"}])
    shop.api.answer = lambda r: next(answers, None) or rows(r, 1)
    result = shop.load(f'[{{when: "{{{{response.error}}}}", action: {action}}}]')
    assert (result.stats.retries, result.stats.calls, shop.ids()) == (2, 3, [0])
    shop.api.answer = lambda _: {"error": "busy"}
    with pytest.raises(RequestError, match=f"200: {action} by errors.0"):
        shop.load(f'[{{when: "{{{{response.error}}}}", action: {action}}}]')


class Sessions:
    """Gives tokens t1, t2, …; each is refused after `good` requests, in the way `refuse` says."""

    def __init__(self, refuse, good=2, pages=6):
        self.refuse, self.good, self.pages = refuse, good, pages
        self.tokens, self.used, self.lock = 0, {}, threading.Lock()

    def __call__(self, request):
        with self.lock:
            if request.path == "/login":
                self.tokens += 1
                return {"token": f"t{self.tokens}"}
            token = request.headers.get("x-session")
            self.used[token] = self.used.get(token, 0) + 1
            if self.used[token] > self.good:
                return self.refuse
        return rows(request, self.pages)


@pytest.mark.parametrize(
    ("refusal", "rule"),
    [
        ((403, {"error": "expired"}), "{status: 403, contains: expired, action: refresh_auth}"),
        ({"error": "expired"}, "{when: \"{{response.error == 'expired'}}\", action: refresh_auth}"),
        ((401, {}), "{status: 401, action: refresh_auth}"),
    ],
)
def test_a_refused_token_is_renewed_by_rule(shop, refusal, rule):
    shop.api.answer = Sessions(refusal)
    shop.load(f"[{rule}]", auth=SESSION)
    assert shop.ids() == list(range(6))
    assert shop.api.answer.tokens == 3


def test_a_token_is_renewed_once_for_a_request_then_the_request_fails(shop):
    shop.api.answer = Sessions((403, {"error": "expired"}), good=0)
    with pytest.raises(AuthError, match=r'403; .*check secret "user"'):
        shop.load("[{status: 403, action: refresh_auth}]", auth=SESSION)
    assert shop.api.answer.tokens == 2


def test_what_cannot_be_renewed_fails_at_once(shop):
    shop.api.answer = lambda _: {"error": "expired"}
    with pytest.raises(AuthError, match=r'200: refresh_auth by errors.0 .*; check secret "token"'):
        shop.load('[{when: "{{response.error}}", action: refresh_auth}]', auth=BEARER)
    assert len(shop.api.seen) == 1


def test_requests_under_way_renew_a_refused_token_once(shop):
    """Four pages at a time, all refused for one token: one login, not four."""
    sessions = Sessions((403, {"error": "expired"}), good=1, pages=9)
    gate = threading.Barrier(4, timeout=10)

    def answer(request):
        if request.path == "/login":
            return sessions(request)
        token, page = request.headers["x-session"], int(request.query.get("page", 1))
        if token == "t1" and page > 1:
            gate.wait()
            return 403, {"error": "expired"}
        return {"rows": [{"id": page}], "pages": 5}

    shop.api.answer = answer
    text = "pagination: {type: page, totalPagesField: pages}"
    spec = SPEC.replace("pagination: {type: cursor, cursorField: next}", text)
    spec = spec.replace("AUTH", SESSION).replace("RATE", "").replace("STREAM", "")
    spec = spec.replace("ERRORS", "[{status: 403, action: refresh_auth}]")
    params = {"base": shop.api.origin}
    given = {"params": params, "secrets": {"user": "ada"}}
    found = [row["id"] for row in shop.runtime.rows(parse_connector(spec), "items", **given)]
    assert found == [1, 2, 3, 4, 5]
    assert sessions.tokens == 2


def test_lists_read_side_by_side_renew_a_refused_token_once(shop):
    """Two items at a time: the second is refused for the old token when there is a new one."""
    sessions, renewed = Sessions(None), threading.Event()
    both = threading.Barrier(2, timeout=10)

    def answer(request):
        if request.path == "/login":
            return sessions(request)
        item, token = int(request.query["number"]), request.headers["x-session"]
        if token != "t1":
            renewed.set()
            return {"rows": [{"id": item}]}
        both.wait()
        if item == 2:
            assert renewed.wait(10)
        return 403, {"error": "expired"}

    shop.api.answer = answer
    rule = '[{status: 403, action: refresh_auth}]\n    params: {number: "{{item.number}}"}'
    shop.load(rule, auth=SESSION, rate="rateLimit: {concurrency: 2}", stream=ITEMS)
    assert (shop.ids(), sessions.tokens) == ([1, 2], 2)


class Expiring:
    """Cursors that stop working, `times` times, when the page after `at` is asked for."""

    def __init__(self, at, times=1):
        self.at, self.times = at, times
        self.version = 0

    def __call__(self, request):
        if request.query.get("cursor") == str(self.at) and self.times:
            self.times -= 1
            self.version += 1
            return 410, {"error": "cursor expired"}
        answer = rows(request, 4)
        answer["rows"][0]["version"] = self.version
        return answer


RESET = '[{status: 410, action: reset_pagination, message: "{{response.error}}"}]'


def test_a_list_that_begins_anew_replaces_what_was_staged(shop):
    shop.api.answer = Expiring(at=2)
    result = shop.load(RESET)
    assert shop.asked() == ["", "1", "2", "", "1", "2", "3"]
    found = shop.destination.query("select id, version from shop.items order by id")[1]
    assert [tuple(row) for row in found] == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert result.loaded.received == 4
    assert "the server had the list begun anew" in result.stats.notes


def test_a_list_begins_anew_once_and_then_fails(shop):
    shop.api.answer = Expiring(at=2, times=2)
    with pytest.raises(StartOver, match="410: cursor expired; run it again"):
        shop.load(RESET)


def test_a_run_that_resumes_at_a_cursor_gone_stale_begins_anew(shop):
    good = Expiring(at=2, times=0)
    shop.api.answer = lambda r: good(r) if r.query.get("cursor") != "2" else (400, {})
    with pytest.raises(RequestError):
        shop.load(RESET)
    shop.api.answer, shop.api.seen[:] = Expiring(at=2), []
    result = shop.load(RESET)
    assert shop.asked() == ["2", "", "1", "2", "3"]
    assert (result.resumed_rows, result.loaded.received, shop.ids()) == (2, 4, [0, 1, 2, 3])


def test_of_several_items_only_the_one_that_begins_anew_is_read_again(shop):
    expiring = Expiring(at=1)

    def answer(request):
        item = int(request.query["item"])
        found = expiring(request) if item == 2 else rows(request, 4)
        if isinstance(found, tuple):
            return found
        return {**found, "rows": [{"id": 10 * item + row["id"]} for row in found["rows"]]}

    shop.api.answer = answer
    items = "forEach: [{values: [1, 2, 3], as: number}]"
    text = SPEC.replace(
        'url: "{{base}}/items"', 'url: "{{base}}/items"\n    params: {item: "{{item.number}}"}'
    )
    text = text.replace("AUTH", "[{type: none}]").replace("RATE", "").replace("ERRORS", RESET)
    spec = parse_connector(text.replace("STREAM", items))
    connection = Connection(
        "shop", YamlConnector(spec, shop.runtime), environ={"SHOP__BASE": shop.api.origin}
    )
    loaded = sync(connection, "items", shop.destination, staging=shop.folder / "staging").loaded
    assert shop.ids() == [10 * item + n for item in (1, 2, 3) for n in range(4)]
    assert loaded.received == 12
    assert len(shop.api.seen) == 14


def test_incremental_positions_of_void_pages_are_forgotten(shop):
    """The feed was rebuilt: what it held before is not what it holds now."""
    state = {"broken": True}

    def answer(request):
        cursor = request.query.get("cursor")
        if cursor == "1" and state.pop("broken", None):
            state["rebuilt"] = True
            return 410, {"error": "cursor expired"}
        high = 5 if "rebuilt" in state else 9
        row = {"id": int(cursor or 0), "updated": f"2023-01-0{high}"}
        return {"rows": [row], "next": None if cursor else "1"}

    shop.api.answer = answer
    stream = "incremental: {cursorField: updated, startParam: since}"
    result = shop.load(RESET, stream=stream)
    assert result.cursor_after == "2023-01-05"


def test_rows_given_away_cannot_be_taken_back(shop):
    shop.api.answer = Expiring(at=1)
    found = shop.runtime.rows(shop.spec(RESET), "items", params={"base": shop.api.origin})
    assert next(found)["id"] == 0
    with pytest.raises(StartOver, match="cursor expired"):
        next(found)


RATE = "rateLimit: {remainingHeader: X-Left, resetHeader: X-Reset}"


def quota(reset, *, left="0", status=200):
    """Answers with two pages; the first says that nothing is left."""

    def answer(request):
        last = "cursor" in request.query
        body = rows(request, 2) if status == 200 or last else {}
        return (200 if last else status), body, {"X-Left": "9" if last else left, "X-Reset": reset}

    return answer


@pytest.mark.parametrize(
    ("left", "reset", "waited"),
    [
        ("0", "30", 30),
        ("0", "1704067230", 30),
        ("0", "1704067230000", 30),
        ("1", "30", 0),
        ("0", "soon", 0),
        ("0", "1600000000", 0),
    ],
)
def test_the_next_request_waits_for_the_vendors_window(shop, left, reset, waited):
    began = shop.clock.time()
    shop.api.answer = quota(reset, left=left)
    shop.load(rate=RATE)
    assert shop.clock.time() - began == pytest.approx(waited)
    assert shop.ids() == [0, 1]


def test_a_window_that_ends_too_late_fails_before_the_next_request(shop):
    shop.api.answer = quota("7200")
    with pytest.raises(RateLimited, match=r"no request is left .* in 2.0 h, longer than") as raised:
        shop.load(rate=RATE)
    assert raised.value.retry_after_s == pytest.approx(7200)
    assert shop.asked() == [""]


def test_the_last_answer_of_a_window_is_no_error_where_nothing_follows(shop):
    shop.api.answer = lambda r: (200, rows(r, 1), {"X-Left": "0", "X-Reset": "7200"})
    shop.load(rate=RATE)
    assert shop.ids() == [0]


def test_a_429_without_retry_after_waits_for_the_reset(shop):
    answers = iter([(429, {}, {"X-Reset": "42"})])
    shop.api.answer = lambda r: next(answers, None) or rows(r, 1)
    began = shop.clock.time()
    shop.load(rate=RATE)
    assert shop.clock.time() - began == pytest.approx(42)
    shop.api.answer = lambda _: (429, {}, {"X-Reset": "7200"})
    with pytest.raises(RateLimited, match=r"429: the server asks to come back in 2\.0 h"):
        shop.load(rate=RATE)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("{action: fail}", "status: is required; give at least one of status, contains, when"),
        ("{status: 4xx, action: stop}", 'action: "stop" is not known'),
        ("{status: 99, action: fail}", "status: must be "),
        ("{status: [], action: fail}", "status: is required"),
        ('{when: "{{response.a}} == 1", action: fail}', "when: must be one expression"),
        ('{when: "{{secrets.token}}", action: fail}', 'when: "secrets.token" must not stand here'),
        (
            '{status: 400, message: "{{record.x}}", action: fail}',
            'message: nothing gives "record.x"',
        ),
    ],
)
def test_a_rule_that_cannot_work_is_a_fault_of_the_document(shop, rule, fault):
    with pytest.raises(SpecError) as raised:
        shop.spec(f"[{rule}]")
    (only,) = raised.value.faults
    assert str(only).startswith(f"endpoints.0.errors.0.{fault}")


def test_an_error_is_a_connector_error():
    assert issubclass(StartOver, ConnectorError)
