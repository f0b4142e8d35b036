"""Documents nobody would write: any text, any YAML, anything anywhere in a valid spec."""

from __future__ import annotations

import json
import random
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_assets.spec.document import parse_connection, parse_connector
from connector_assets.spec.yaml.excerpt import render_fault
from connector_assets.spec.yaml.yaml_source import MAX_FAULTS, read_yaml
from connector_assets.spec.yaml.yaml_text import MAX_BYTES
from tests.shop import shop_spec
from tests.spec.documents import SEED, faults, with_
from tests.spec.test_connection import FULL as CONNECTION


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "- " * 500_000,
        "? " * 500_000,
        "{a: " * 250_000,
        "[{" * 250_000,
        "".join(" " * depth + "a:\n" for depth in range(1, 1200)),
        "[" + "[]," * 300_000 + "]",
        "a: [" + "x," * 500_000 + "]",
        "".join(f"k{number}: 1\n" for number in range(90_000)),
        "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * 10_000 + "]",
        "a: &a " + "x" * 50_000 + "\nb: [" + "*a," * 2_000 + "]",
        "".join(
            f"a{n}: &a{n} [*a{n - 1},*a{n - 1}]\n" if n else "a0: &a0 [1]\n" for n in range(60)
        ),
        "a: b\n" * 200_000,
        "x" * (MAX_BYTES + 1),
        "&a " * 300_000,
        "!" * 1_000_000,
        "a: " + "{{" * 400_000,
        SEED + "".join(f"x{number}: 1\n" for number in range(50_000)),
        SEED.replace(
            "    params:", "    params:\n" + "".join(f"      a{n}: [[]]\n" for n in range(40_000))
        ),
        with_(
            "read:", "secrets: {" + ", ".join(f"a{n}: {{}}" for n in range(9_000)) + "}\nread:"
        ).replace(
            "    params:",
            "    params:\n"
            + "".join(f'      p{n}: "{{{{secrets.b{n}}}}}"\n' for n in range(9_000)),
        ),
        with_("read:", "config: {" + ", ".join(f"a{n}: {{}}" for n in range(30_000)) + "}\nread:"),
    ],
    ids=lambda text: text[:12].replace("\n", " ") + f"-{len(text)}",
)
def test_a_document_that_is_too_much_is_refused_in_bounded_time_and_memory(text):
    started = time.process_time()
    found = faults(text)
    assert found or text.startswith("kind")
    assert len(found) <= MAX_FAULTS + 1
    assert time.process_time() - started < 10


@settings(max_examples=120, deadline=None)
@given(st.text() | st.binary())
def test_any_text_is_a_spec_or_a_spec_error(text):
    for fault in faults(text):
        assert render_fault(fault, text)


YAML_PIECES = st.sampled_from(
    [
        "a",
        "kind",
        "- ",
        ": ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
        " ",
        "\t",
        "&a ",
        "*a",
        "!!int ",
        "!x ",
        "<<",
        "|",
        ">-",
        '"',
        "'",
        "#",
        "---",
        "...",
        "%YAML 1.2",
        "1",
        "~",
        "{{",
        "}}",
        "\\x00",
        "\r",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_any_heap_of_yaml_is_a_spec_or_a_spec_error(text):
    for fault in faults(text):
        assert fault.line >= 1
        assert render_fault(fault, text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["{{a}}", "{{secrets.x}}", "{{", "https://x", "items", "none", "type", "cursor"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "id",
                    "url",
                    "name",
                    "params",
                    "vars",
                    "streams",
                    "auth",
                    "x",
                    "default",
                    "pagination",
                    "pageSize",
                    "primaryKey",
                    "errors",
                    "when",
                    "body",
                    "json",
                    "config",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)

CONNECTOR = shop_spec("""
config: {a: {type: integer, default: 1, pattern: "1"}, regions: {type: list}}
secrets: {k: {}}
origins: ["https://files.example.com"]
rateLimit: {requestsPerSecond: 2.5, burstSize: 2}
auth:
  - {type: api_key, in: query, name: key, valueRef: "{{secrets.k}}"}
  - {type: oauth2, tokenUrl: "https://login.example.com", scopes: [a], clientIdRef: "{{config.a}}"}
  - {type: session, login: {url: "https://login.example.com", body: {form: {u: "{{a}}"}}}, tokenPath: t}
defaults:
  baseUrl: https://api.example.com
  headers: {X-A: "{{a}}"}
  errors: [{status: [404, 5xx], when: "{{response.x}}", action: ignore}]
endpoints:
  - id: items
    method: POST
    url: "/{{item.region}}"
    params: {since: 1, q: ["{{a}}", 2]}
    body: {json: {b: ["{{secrets.k}}"]}}
    pagination: {type: offset, pageSize: 5, maxPages: unlimited}
    retry: {maxAttempts: 2}
read:
  primary: items
  streams:
    - name: b
      endpoint: items
      vars: {c: 1}
      primaryKey: [id]
      writeMode: merge
      forEach: [{values: [eu], as: region}, {parent: {stream: p, field: id, include: [x]}}]
      incremental: {cursorField: u, startParam: s, start: "2024-01-01", format: iso, window: P1D}
      where: "{{record.x}}"
      fields: {add: {n: "{{record.y}}"}, cast: {n: text}, rename: {o: p}}
      columns: {id: bigint}
    - {name: p, forEach: [{values: "{{config.regions}}", as: region}]}
""")


def test_the_document_that_is_changed_is_valid_itself():
    assert faults(CONNECTOR) == []
    assert faults(CONNECTION, parse_connection) == []


def _places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        steps = value if isinstance(value, dict) else range(len(value))
        for step in steps:
            yield from _places(value[step], (*path, step))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from([(CONNECTOR, parse_connector), (CONNECTION, parse_connection)]))
def test_a_valid_document_with_anything_anywhere_is_a_spec_or_a_spec_error(data, kind):
    valid, parse = kind
    document = {"root": json.loads(json.dumps(read_yaml(valid).data))}
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(_places(document))[1:]))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        if data.draw(st.booleans()) or path == ("root",):
            parent[path[-1]] = data.draw(VALUES)
        else:
            del parent[path[-1]]
    text = json.dumps(document["root"])
    for fault in faults(text, parse):
        assert fault.line >= 1
        assert fault.message
        assert not re.search(r"pydantic|Input should|validation error", str(fault))
        assert render_fault(fault, text)


FORMATS = CONNECTOR.replace("pageSize: 5", "pageSize: 5, totalHeader: x-total").replace(
    "    retry: {maxAttempts: 2}\n",
    "    retry: {maxAttempts: 2}\n    responseFormat: csv\n    csv: {header: [a, b]}\n",
)


@pytest.mark.parametrize("wrong", [{"a": {}}, [[]], 5, ""], ids=repr)
def test_a_value_of_another_type_is_a_fault_in_every_place(wrong):
    assert faults(FORMATS) == []
    plain = json.loads(
        json.dumps(read_yaml(FORMATS.replace("cursorField: u", "tokenField: t")).data)
    )
    for path in list(_places(plain))[1:]:
        document = json.loads(json.dumps(plain))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = wrong
        text = json.dumps(document)
        for fault in faults(text):
            assert render_fault(fault, text), path


def test_a_document_with_any_line_cut_swapped_or_repeated_is_a_spec_or_a_spec_error():
    rng = random.Random(7)
    source = SEED.splitlines(keepends=True)
    for _ in range(300):
        changed = list(source)
        at, other = rng.randrange(len(changed)), rng.randrange(len(changed))
        changed[at] = rng.choice(["", changed[other], " " + changed[at], changed[at][2:], "\t"])
        for fault in faults("".join(changed)):
            assert render_fault(fault, "".join(changed))
