"""A trial holds for what is right, and finds what is wrong: in a spec, and in what reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.authoring.simulator.api import Served
from connector_assets.authoring.simulator.trial import parents_first, requests_within, tried
from connector_assets.authoring.simulator.wire import ApiRequest, CannotSimulate
from connector_assets.spec.document import parse_connector, read_connector
from connector_assets.spec.endpoint import RateLimit
from tests.shop import shop_spec

ROOT = Path(__file__).parents[3]
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
CATALOGUE = sorted((ROOT / "specs" / "catalogue").glob("*.yaml"))

SHOP = """
auth:
  - type: oauth2
    grant: client_credentials
    tokenUrl: https://login.example.com/token
    clientIdRef: "{{secrets.id}}"
    clientSecretRef: "{{secrets.secret}}"
rateLimit: {requestsPerSecond: 50, burstSize: 5}
defaults: {baseUrl: "https://api.example.com/v1", responseRowsPath: data}
endpoints:
  - id: customers
    url: /customers
    pagination: {type: cursor, cursorField: next, pageSize: 4, pageSizeParam: limit}
  - id: orders
    url: "/customers/{{customer}}/orders"
    pagination: {type: page, pageSize: 3, pageSizeParam: size}
  - id: events
    url: /events
    pagination: {type: offset, pageSize: 5, totalField: total}
  - id: changes
    url: /changes
    pagination: {type: next_url, urlField: links.next}
read:
  streams:
    - name: customers
      primaryKey: [id]
      incremental: {cursorField: updated_at, startParam: since, format: iso, start: "2024-01-01"}
    - name: orders
      primaryKey: [number]
      forEach: [{parent: {stream: customers, field: id, as: customer}}]
      expand: lines
      fields: {rename: {lines.number: number}}
    - name: events
      primaryKey: [id]
      columns: {id: bigint, kind: varchar, at: timestamp}
      incremental: {cursorField: at, startParam: from, endParam: to, format: epoch, window: P30D,
        start: "2026-01-01"}
    - name: changes
      primaryKey: [id]
      incremental: {tokenField: sync, startParam: token}
"""


def points(text, *streams, **given):
    report = tried(read_connector(text, source="shop.yaml").yaml.data, streams, **given)
    return report, {(one.name.partition(" (")[0], one.stream): one for one in report.points}


@pytest.mark.parametrize("path", SPECS, ids=[one.stem for one in SPECS])
def test_every_spec_of_ours_holds(path):
    report = tried(data_of(path), looks=["twice"])
    assert report.ok, report.lines()
    assert [one.stream for one in report.points if one.name == "complete"]


@pytest.mark.slow  # what is proven of each stands in proofs.json, bound to the spec as it is
@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", CATALOGUE, ids=[one.stem for one in CATALOGUE])
def test_every_spec_of_the_catalogue_holds(path):
    report = tried(data_of(path), looks=["twice"])
    assert report.ok, report.lines()
    assert [one.stream for one in report.points if one.name == "complete"]


@pytest.mark.slow
@pytest.mark.parametrize("path", SPECS, ids=[one.stem for one in SPECS])
def test_every_spec_of_ours_holds_where_things_go_wrong(path):
    report = tried(data_of(path), looks=["killed", "disturbed", "repeated"])
    assert report.ok, report.lines()
    assert report.points


def data_of(path):
    return read_connector(path.read_text(), source=str(path)).yaml.data


def test_parents_windows_tokens_and_expanded_lists_hold():
    report, found = points(shop_spec(SHOP))
    assert report.ok, report.lines()
    assert not [one for one in report.points if one.verdict == "not judged"], report.lines()
    for stream in ("customers", "orders", "events", "changes"):
        for name in ("complete", "second load", "killed and resumed", "faults survived"):
            assert found[name, stream].verdict == "held"
    assert found["parents first", "orders"].verdict == "held"
    assert found["token renewed", ""].verdict == "held"
    assert found["circles are errors", "customers"].verdict == "held"
    assert found["limit kept", ""].verdict == "held"


FLEET = """
config:
  site: {pattern: 'https://[a-z]+\\.fleet\\.example', example: "https://acme.fleet.example"}
  area: {pattern: '[A-Z]{3}-[0-9]', example: ABC-1}
  start: {type: date, default: "2024-01-01"}
defaults: {baseUrl: "{{config.site}}", pagination: {type: link_header}}
endpoints:
  - {id: cars, url: "/{{config.area}}/cars", params: {limit: 4}}
  - {id: trips, url: "/cars/{{car}}/trips", params: {limit: 2}}
  - {id: checks, url: /checks, params: {limit: 4}}
  - {id: drivers, url: "/fleet/{{parent.slug}}/drivers"}
  - {id: repairs, url: /repairs, params: {limit: 4}}
  - {id: faults, url: /faults, params: {kind: "{{kind}}", limit: 2}}
read:
  streams:
    - name: cars
      primaryKey: [id]
      incremental: {cursorField: seen, startParam: since, format: iso, start: "2024-01-01"}
      fields: {add: {built: "{{record.about.built}}", doors: "{{ record.about.doors }}"}}
      columns: {built: timestamptz, doors: bigint}
    - name: trips
      primaryKey: [car, id]
      writeMode: merge
      forEach: [{parent: {stream: cars, field: id, as: car, changed: true}}]
      fields: {add: {car: "{{item.car}}"}}
    - name: checks
      primaryKey: [id]
      incremental:
        {startParam: from, endParam: to, start: "{{config.start}}", format: date, window: P30D,
          lookback: P30D, granularity: P1D}
    - name: drivers
      primaryKey: [car, id]
      forEach: [{parent: {stream: cars, field: id, as: car, include: [slug]}}]
      fields: {add: {car: "{{item.car}}"}}
      incremental: {cursorField: since, startParam: from, format: iso, lookback: P30D, start: "2024-01-01"}
    - name: repairs
      primaryKey: [id]
      incremental: {cursorField: done, clientFilter: true, order: descending, format: iso, start: "2024-01-01"}
    - name: faults
      primaryKey: [id]
      forEach: [{values: [brake, light], as: kind}]
"""


def test_values_with_a_pattern_have_an_example_and_links_keep_the_parameters_of_items():
    report, found = points(shop_spec(FLEET), looks=["twice", "killed"])
    assert report.ok, report.lines()
    for stream in ("cars", "trips", "checks", "drivers", "repairs", "faults"):
        for name in ("complete", "second load", "killed and resumed"):
            assert found[name, stream].verdict == "held"


NEWS = """
config:
  areas: {type: list, default: [north, south]}
  start: {type: datetime, example: "2001-01-01T00:00:00Z", required: false}
endpoints:
  - id: works
    url: https://news.example.com/works
    params: {cursor: "{{ page.cursor | default('*') }}", rows: 4}
    responseRowsPath: "@.items"
    pagination: {type: cursor, cursorField: next, cursorIn: template}
  - id: disputes
    url: https://news.example.com/disputes
    params: {size: 4}
    responseRowsPath: items
    pagination: {type: next_url, urlField: "links[?rel=='next'].href | [0]"}
  - {id: days, url: "https://news.example.com/{{path}}/{{area}}", responseRowsPath: "@"}
  - {id: top, url: https://news.example.com/top, responseRowsPath: "[].{id: @}"}
  - id: found
    url: https://news.example.com/found
    params: {from: "{{window.start}}", to: "{{window.end}}"}
    responseRowsPath: "hits[].{number: id, at: about.at}"
    pagination: {type: page, pageSize: 4, pageSizeParam: size}
  - {id: story, url: "https://news.example.com/stories/{{id}}"}
read:
  streams:
    - {name: top, primaryKey: [id]}
    - {name: works, primaryKey: ['"a-b".c'], columns: {}}
    - {name: disputes, primaryKey: [id]}
    - name: days
      vars: {path: all/days}
      primaryKey: [area, day]
      columns: {day: date}
      forEach: [{values: "{{config.areas}}", as: area}]
      fields: {add: {area: "{{item.area}}"}}
    - name: found
      primaryKey: [number]
      columns: {number: bigint, at: bigint}
      incremental: {cursorField: at, start: "{{config.start | default('2020-01-01')}}", format: epoch, window: PT30M}
    - name: story
      primaryKey: [id]
      columns: {id: bigint}
      forEach: [{parent: {stream: top, field: id}}]
"""


def test_rows_that_a_path_makes_and_small_windows_over_years_are_soon_read():
    report, found = points(shop_spec(NEWS), looks=["twice"])
    assert report.ok, report.lines()
    for stream in ("top", "works", "disputes", "days", "found", "story"):
        assert found["complete", stream].verdict == "held"


def test_a_value_that_cannot_be_made_up_is_asked_for():
    with pytest.raises(CannotSimulate, match=r"config.area has a pattern; give it an example"):
        points(shop_spec(FLEET.replace(", example: ABC-1", "")), looks=["twice"])


ITEMS = """
auth: [{type: session, login: {url: "https://api.example.com/login", body: {json: {u: "{{secrets.u}}"}}},
  tokenPath: token, in: header, name: X-Session}]
endpoints:
  - id: items
    url: https://api.example.com/items
    responseRowsPath: data
    pagination: {type: cursor, cursorField: next, pageSize: 4, pageSizeParam: limit}
read:
  streams:
    - {name: items, primaryKey: [id], incremental: {cursorField: at, startParam: since, format: iso}}
"""
PAGES = "pagination: {type: cursor"
STREAM = "primaryKey: [id], incremental: {cursorField: at, startParam: since, format: iso}"
BROKEN = [
    ("a cap that the list outgrows", "limit}", "limit, maxPages: 2}", "twice", "complete"),
    (
        "a cap that truncates",
        "limit}",
        "limit, maxPages: 2, onMaxPages: truncate}",
        "twice",
        "complete",
    ),
    (
        "an end that is none",
        "    responseRowsPath",
        "    errors: [{when: '{{ response.next }}', action: end}]\n    responseRowsPath",
        "twice",
        "complete",
    ),
    (
        "a 429 taken for no rows",
        "    responseRowsPath",
        "    errors: [{status: 429, action: ignore}]\n    responseRowsPath",
        "disturbed",
        "faults survived",
    ),
    (
        "a failure taken for the end",
        "    responseRowsPath",
        "    errors: [{status: 5xx, action: end}]\n    responseRowsPath",
        "disturbed",
        "faults survived",
    ),
    (
        "a single try",
        "    responseRowsPath",
        "    retry: {maxAttempts: 1}\n    responseRowsPath",
        "disturbed",
        "faults survived",
    ),
    ("a position that is not sent", "startParam: since, ", "", "twice", "second load"),
    (
        "a key that is masked away",
        STREAM,
        "primaryKey: [id], fields: {mask: {id: nullify}}",
        "twice",
        "complete",
    ),
]  # fmt: skip - a row each


SLOW = [pytest.param(*row[1:], id=row[0], marks=pytest.mark.slow) for row in BROKEN[3:]]


@pytest.mark.parametrize(
    ("old", "new", "look", "point"), [*(pytest.param(*r[1:], id=r[0]) for r in BROKEN[:3]), *SLOW]
)
def test_it_finds_what_is_wrong(old, new, look, point):
    wrong = shop_spec(ITEMS.replace(old, new))
    assert wrong != shop_spec(ITEMS)
    report, found = points(wrong, looks=[look])
    assert not report.ok
    assert found[point, "items"].verdict == "failed"
    assert found[point, "items"].message


@pytest.mark.slow
def test_it_finds_nothing_where_nothing_is_wrong():
    assert points(shop_spec(ITEMS))[0].ok


def test_the_limit_of_an_endpoint_is_judged_beside_that_of_the_api():
    limited = ITEMS.replace("endpoints:", "rateLimit: {requestsPerSecond: 90}\nendpoints:").replace(
        "    responseRowsPath",
        "    rateLimit: {requestsPerSecond: 40, burstSize: 3}\n    responseRowsPath",
    )
    _, found = points(shop_spec(limited), looks=["twice"])
    assert {name for name in found if name[0] == "limit kept"} == {
        ("limit kept", ""),
        ("limit kept", "items"),
    }


@pytest.mark.parametrize(
    ("apart_s", "count", "verdict"),
    [(0.1, 200, "held"), (0.05, 12, "held"), (0.05, 40, "failed"), (0.0, 9, "failed")],
)
def test_more_requests_than_a_limit_allows_are_counted(apart_s, count, verdict):
    limit = RateLimit.model_validate({"requestsPerSecond": 10, "burstSize": 5})
    log = [Served(ApiRequest("GET", "/items", at_s=apart_s * n), 200) for n in range(count)]
    (point,) = requests_within("items", limit, log)
    assert point.verdict == verdict


def test_a_list_that_ends_before_it_goes_round_is_not_judged():
    ends = "    errors: [{when: '{{ response.next }}', action: end}]\n    responseRowsPath"
    _, found = points(shop_spec(ITEMS.replace("    responseRowsPath", ends)), looks=["repeated"])
    assert found["circles are errors", "items"].verdict == "not judged"


def test_a_child_that_is_read_before_its_parent_is_found():
    spec = parse_connector(shop_spec(SHOP))
    asked = ["customers", "customers", "orders"]
    for log, verdict in ((asked, "held"), ([*asked, "customers"], "failed")):
        served = [Served(ApiRequest("GET", "/"), 200, stream=name) for name in log]
        (point,) = parents_first(spec.stream("orders"), served)
        assert point.verdict == verdict
