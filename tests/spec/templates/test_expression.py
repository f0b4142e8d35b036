"""The language inside `{{ }}`: what it can say, what it refuses, and that it stays small."""

from __future__ import annotations

import warnings
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import ConfigError
from connector_assets.spec.names import dates
from connector_assets.spec.templates.functions import FILTERS, FUNCTIONS, MAX_SEARCHED
from connector_assets.spec.templates.plain_data import MAX_TEXT
from connector_assets.spec.templates.scope import CLOCK
from connector_assets.spec.templates.template import NoValue, Template, TemplateError

SCOPE = {
    "n": 1,
    "big": 2**70,
    "f": 1.5,
    "s": "Ab",
    "empty": "",
    "none": None,
    "yes": True,
    "list": ["a", "b"],
    "item": {"items": [1, {"k": 2}], "__typename": "T", "keys": "mine"},
    "day": date(2024, 1, 31),
    "at": datetime(2024, 1, 31, 12, 30, 15, 250_000, tzinfo=UTC),
    "text": "2024-01-31T12:30:15.250+02:00",
    "price": Decimal("1.10"),
    "id": UUID(int=7),
    "secrets": {"token": "S3CRET", "blank": ""},
    CLOCK: lambda: datetime(2024, 3, 31, 12, tzinfo=UTC),
}


def value(expression, **more):
    return Template("{{ " + expression + " }}").value({**SCOPE, **more})


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("'a' ~ n ~ yes ~ 1.10", "a1true1.1"),
        ("n + 1 - 3", -1),
        ("-n", -1),
        ("f + n", 2.5),
        ("big + 1", 2**70 + 1),
        ("s + 'c'", "Abc"),
        ("n * 6 + 1", 7),
        ("f * 2", 3.0),
        ("price * 3", Decimal("3.30")),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 3", 1),
        ("-7 % 3", 2),
        ("price // 1", Decimal(1)),
        ("(0 - price) // 1", Decimal(-2)),
        ("price % 1", Decimal("0.10")),
        ("price / 2", Decimal("0.55")),
        ("s[:1]", "A"),
        ("s[1:]", "b"),
        ("s[-1:]", "b"),
        ("s[5:]", ""),
        ("list[:1]", ["a"]),
        ("item['items'][1:][0].k", 2),
        ("0x10", 16),
        ("'it\\'s' ~ \"\\\"\\n\\t\\\\\"", "it's\"\n\t\\"),
        ("'\\u00e9\\x41'", "éA"),
        ("'\\d\\b\\1'", "\\d\\b\\1"),
        ("'}}'", "}}"),
        ("'{{ n }}'", "{{ n }}"),
        ("[n, s, [day]]", [1, "Ab", ["2024-01-31"]]),
        ("{'a': {'b': [n]}}", {"a": {"b": [1]}}),
        ("true and none", None),
        ("n == 1 and s != 'x' and not empty", True),
        ("empty or 'x'", "x"),
        ("1 < 2 <= 2 < 3", True),
        ("3 > 2 >= 3", False),
        ("'a' in list", True),
        ("'z' not in s", True),
        ("'keys' in item", True),
        ("'x' if n == 1 else nothing", "x"),
        ("'x' if n == 2", None),
        ("'x' if none else 'y'", "y"),
        ("item.items[1].k", 2),
        ("item['items'][n].k", 2),
        ("item.items[-1]['k']", 2),
        ("item.items.0", 1),
        ("item.keys", "mine"),
        ("item.__typename", "T"),
        ("(s | split('b'))[0]", "A"),
        ("{'a': 1}.a", 1),
        ("secrets['token']", "S3CRET"),
        ("day", "2024-01-31"),
        ("at", "2024-01-31T12:30:15.250000Z"),
        ("price", Decimal("1.10")),
        ("price ~ ''", "1.10"),
        ("price == 1.1", True),
        ("price != 1.10", False),
        ("price > 1.09 and price < 2", True),
        ("price in [1, 1.1]", True),
        ("1.1 in [price]", True),
        ("price + 0.20", Decimal("1.30")),
        ("price - 1", Decimal("0.10")),
        ("{'p': price} | json", '{"p":1.10}'),
        ("price | int", 1),
        ("price | iso", "1970-01-01T00:00:01.100000Z"),
        ("id", "00000000-0000-0000-0000-000000000007"),
        ("at > day", True),
        ("at > '2024-02-01'", False),
        ("n == 1.0", True),
    ],
)
def test_an_expression_gives(expression, result):
    assert value(expression) == result
    assert type(value(expression)) is type(result)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("now()", "2024-03-31T12:00:00Z"),
        ("today()", "2024-03-31"),
        ("now() - duration('P1D')", "2024-03-30T12:00:00Z"),
        ("now() - duration('P1M')", "2024-02-29T12:00:00Z"),
        ("duration('PT1.5S') + now()", "2024-03-31T12:00:01.500000Z"),
        ("today() + duration('P1Y2M3W4DT24H')", "2025-06-26"),
        ("text - duration('PT10H')", "2024-01-31T00:30:15.250000Z"),
        ("'2024-01-31' + duration('P1D')", "2024-02-01"),
        ("nothing | default('x')", "x"),
        ("none | default('x')", "x"),
        ("secrets.blank | default('x')", "x"),
        ("item.a.b.c | default(n)", 1),
        ("(nothing | upper) | default('x')", "x"),
        ("n | default(nothing)", 1),
        ("empty | default('x')", ""),
        ("' -12 ' | int", -12),
        ("2.9 | int", 2),
        ("yes | int", 1),
        ("'1.5' | float", 1.5),
        ("n | float", 1.0),
        ("s | length", 2),
        ("list | length", 2),
        ("item | length", 3),
        ("[3, 1, 2] | min", 1),
        ("[3, f, price] | max", 3),
        ("['b', 'a'] | min", "a"),
        ("[day, at] | max | iso", "2024-01-31T12:30:15.250000Z"),
        ("'31/01/2024' | parse_date('%d/%m/%Y') | iso", "2024-01-31T00:00:00Z"),
        ("'YWI_' | base64_decode", "ab?"),
        ("'YQ==' | base64_decode", "a"),
        ("s | md5", "0e4c46df226b9c0cb391311c54f28efe"),
        ("'msg' | hmac('key')", "2d93cbc1be167bcb1637a4a23cbff01a7878f0c50ee833954ea5221bb1b8c628"),
        ("'msg' | hmac('key', 'sha1', 'base64')", "ECkAtyt78QMe7Ha0gEtmBSN2iWs="),
        ("'[1.10, {\"a\": null}]' | parse_json", [Decimal("1.10"), {"a": None}]),
        ("big | string", str(2**70)),
        ("yes | string", "true"),
        ("s | lower | upper", "AB"),
        ("' x ' | trim", "x"),
        ("s | replace('b', 'cc')", "Acc"),
        ("list | join", "a,b"),
        ("[1, true, s] | join(' ')", "1 true Ab"),
        ("'a,b' | split", ["a", "b"]),
        ("'a; b' | split('; ')", ["a", "b"]),
        ("text | date('%Y/%m/%d %H:%M:%S.%f%%')", "2024/01/31 10:30:15.250000%"),
        ("day | date('%d.%m.%y')", "31.01.24"),
        ("0 | date('%Y-%m-%d')", "1970-01-01"),
        ("at | epoch", 1706704215),
        ("at | epoch_ms", 1706704215250),
        ("'1969-12-31T23:59:59.5Z' | epoch", -1),
        ("text | iso", "2024-01-31T10:30:15.250000Z"),
        ("text | iso('seconds')", "2024-01-31T10:30:15Z"),
        ("text | iso('milliseconds')", "2024-01-31T10:30:15.250Z"),
        ("'2024-01-31T10:00:00' | iso", "2024-01-31T10:00:00Z"),
        ("day | iso", "2024-01-31"),
        ("day | iso('seconds')", "2024-01-31T00:00:00Z"),
        ("'é' | base64", "w6k="),
        ("'abc' | sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("'a/b é' | urlencode", "a%2Fb%20%C3%A9"),
        ("{'a': [none, 'é', day]} | json", '{"a":[null,"é","2024-01-31"]}'),
        ("'a?page=12&x' | regex_search('[?&]page=(\\d+)')", "12"),
        ("'word and' | regex_search('\\band\\b')", "and"),
        ("'x' | regex_search('y')", None),
        ("'x' | regex_search('(y)?x')", None),
    ],
)
def test_a_function_or_filter_gives(expression, result):
    assert value(expression) == result
    assert type(value(expression)) is type(result)


def test_every_function_and_filter_is_tried_above():
    tried = str(test_a_function_or_filter_gives.pytestmark)
    assert [name for name in [*FUNCTIONS, *FILTERS] if name not in tried] == []


@pytest.mark.parametrize(
    "expression",
    [
        "x.__class__.__mro__",
        "x['__class__']",
        "__builtins__",
        "''.__class__",
        "(s | upper).__class__",
        "secrets",
        "secrets | json",
        "[secrets]",
        "secrets[s]",
        "secrets.token.x",
        "secrets.token[0]",
        "secrets[0]",
        "{'a': secrets}.a",
        "'ab' * 9",
        "9 * 'ab'",
        "('a' ~ n) * 9",
        "'%s' % n",
        "s[::2]",
        "n ** 9",
        "+n",
        "n, s",
        "(n, s)",
        "n s",
        "n; s",
        "n is defined",
        "s.upper()",
        "list.append(1)",
        "now()()",
        "range(10)",
        "lower(s)",
        "n | now",
        "n | nope",
        "n | map('x')",
        "n | default",
        "n | default(1, 2)",
        "n | int(1)",
        "now(1)",
        "duration()",
        "n | default(value=1)",
        "n | default(*list)",
        "n | default(**item)",
        "| upper",
        "n |",
        "n if",
        "for x in y",
        "set x = 1",
        "lambda: 1",
        "`n`",
        "n = 1",
        "n := 1",
        "@n",
        "$n",
        "\\n",
        "'x",
        "1e999",
        "9" * 1001,
        "0x" + "f" * 4000,
        "duration('tomorrow')",
        "duration('P')",
        "duration('PT')",
        "duration('P1.5D')",
        "now() | date('%s')",
        "s | parse_date('%Q')",
        "now() | date('%99999999d')",
        "now() | date('%')",
        "now() | iso('hours')",
        "s | regex_search('(')",
        "s | regex_search('(?=x)')",
        "s | regex_search('(a)\\1')",
        "s | regex_search('" + "a" * 257 + "')",
        "s | regex_search('(.{1,99}){1,9}y')",
        "not " * 40 + "n",
        "not " * 1_000 + "n",
        "- " * 1_000 + "n",
        "(" * 33 + "n" + ")" * 33,
        "[" * 500 + "]" * 500,
        "n" + "|trim" * 40,
        "n" + ".a" * 3000,
        " ~ ".join("n" * 501),
        "n if " * 100 + "n",
        "n" + " " * 5000,
    ],
)
def test_what_is_not_in_the_language_is_refused_when_it_is_read(expression):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TemplateError) as caught:
            Template("{{ " + expression + " }}")
    assert str(caught.value)[0].islower() or str(caught.value)[0] == '"'


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("nothing", '"nothing" has no value'),
        ("item.nothing.x", '"item.nothing.x" has no value'),
        ("s.upper", '"s.upper" has no value'),
        ("list.append", '"list.append" has no value'),
        ("item.items[7]", '"item.items" has no value'),
        ("list[yes]", '"the item in [ ]" has no value'),
        ("s[0]", '"s" has no value'),
        ("secrets.nothing", '"secrets.nothing" has no value; set the secret "nothing"'),
        ("secrets.token.x | default(1)", "a secret is written secrets.name"),
        ("now", '"now" has no value'),
        ("n + s", "cannot add a number and text"),
        ("yes + 1", "cannot add true or false and a number"),
        ("s - n", "cannot take a number from text"),
        ("n * s", "cannot multiply a number and text"),
        ("n * yes", "cannot multiply a number and true or false"),
        ("list * 2", "cannot multiply a list and a number"),
        ("s % n", "cannot divide text by a number"),
        ("n / 0", "cannot divide by zero"),
        ("price % 0", "cannot divide by zero"),
        ("1e308 * 10", "infinite"),
        ("n[:1]", "a number has no parts"),
        ("s['a':]", "the ends of a slice are whole numbers"),
        ("n | length", "length: a number has no length"),
        ("[] | min", "min: min and max need a list"),
        ("[n, s] | max", "max: a number and text have no order"),
        ("'?' | base64_decode", "base64_decode: text that is not base64"),
        ("s | parse_json", "parse_json: text that is not JSON"),
        ("s | hmac('k', 'crc')", "hmac: an algorithm is one of"),
        ("s | parse_date('%Y')", 'parse_date: text that is no date of the form "%Y"'),
        ("s < n", "text and a number have no order"),
        ("none < n", "null and a number have no order"),
        ("n in s", "a number is never in text"),
        ("n in none", '"in" needs text, a list or an object'),
        ("list in item", "cannot be computed"),
        ("s ~ none", "null is not text"),
        ("s ~ list", "a list is not text"),
        ("duration('P1D')", "a duration cannot be sent"),
        ("today() - duration('PT1H')", "a date moves by whole days"),
        ("now() + duration('P9999Y')", "outside the years"),
        ("s + duration('P1D')", "not an ISO 8601 date"),
        ("s | int", "int: text that is not a whole number"),
        ("'٣' | int", "int: text"),
        ("'1_0' | int", "int: text"),
        ("none | int", "int: null"),
        ("'nan' | float", "float: text that is not a finite number"),
        ("list | upper", "upper: a list is not text"),
        ("s | join", "join: text where a list is needed"),
        ("s | split('')", "split: the separator is empty"),
        ("s | replace('', 'x')", "replace: the text to replace is empty"),
        ("s | epoch", "epoch: not an ISO 8601 date"),
        ("1e300 | epoch", "epoch: not an ISO 8601 date"),
        ("list | date('%Y')", "date: not an ISO 8601 date"),
        ("duration('P1D') | json", "json: a duration cannot be sent"),
        ("s | regex_search(s ~ '(')", "regex_search: not a regular expression"),
        ("day | date('%' ~ 's')", "date: a date format uses"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_it(expression, message):
    with pytest.raises((ConfigError, TemplateError)) as caught:
        value(expression)
    assert message in str(caught.value)


def test_an_error_never_shows_a_secret():
    for expression in (
        "int",
        "float",
        "epoch",
        "date('%Y')",
        "join",
        "regex_search(secrets.token ~ '(')",
    ):
        with pytest.raises(ConfigError, match=r'^"secrets\.token": ') as caught:
            value(f"secrets.token | {expression}")
        assert "S3CRET" not in repr(caught.value) + str(caught.value)
        assert caught.value.__suppress_context__


def test_a_number_cannot_grow_without_bound():
    with pytest.raises(ConfigError, match="the number grows past 1,000 digits"):
        value("big * big", big=10**900)


def test_text_cannot_grow_without_bound():
    for expression in (
        "x ~ x",
        "x + x",
        "x | replace('a', x)",
        "x | replace('a', 'bb')",
        "[x, x] | join",
        "x | base64",
        "x | json",
        "[x, x]",
        "{'a': [[x]], 'b': x}",
        "[[y, y], [y, y]]",
        "x[:9] | split('a') | join(x)",
    ):
        with pytest.raises(ConfigError, match=r"the (text|list) grows past"):
            value(expression, x="a" * MAX_TEXT, y=[1] * (MAX_TEXT // 4))


def test_a_regular_expression_takes_linear_time_and_short_text():
    assert value("x | regex_search('(x+x+)+y')", x="x" * MAX_SEARCHED) is None
    assert value("x | regex_search('^(([a-z])+.)+[A-Z]([a-z])+$')", x="a" * MAX_SEARCHED) is None
    with pytest.raises(ConfigError, match="longer than"):
        value("x | regex_search('x')", x="x" * (MAX_SEARCHED + 1))


def test_time_is_the_systems_only_where_the_scope_has_no_clock():
    before = datetime.now(UTC).timestamp() // 1
    assert Template("{{ now() | epoch }}").value({}) >= before


def test_a_missing_name_is_named_for_who_wants_to_ask_for_it():
    with pytest.raises(NoValue) as caught:
        value("config.region")
    assert caught.value.name == "config.region"


@given(
    st.dates(min_value=date(1, 2, 1), max_value=date(9000, 1, 1)),
    st.integers(0, 500),
    st.integers(0, 9000),
)
def test_a_duration_moves_forward_and_back_over_the_calendar(start, months, days):
    span = dates.duration(f"P{months}M{days}D")
    later = span.after(start)
    assert later >= start
    assert dates.duration(f"P{days}D").before(dates.duration(f"P{days}D").after(start)) == start
    moved = dates.Duration(months).after(start)
    assert (moved.year - start.year) * 12 + moved.month - start.month == months
    assert moved.day <= start.day


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_its_text(when):
    assert dates.moment(dates.iso(when)) == when


KEYWORDS = ["and", "or", "not", "in", "is", "if", "else", "true", "none", "for", "self"]
MARKS = [*"()[]{}.,:|~+-*/%<>=!'\"\\ @$#\n", "'x'", "2.5", "|default(", "__class__", "}}", "{{"]
WORDS = st.sampled_from([*FILTERS, *FUNCTIONS, *SCOPE, *KEYWORDS, *MARKS])


@settings(max_examples=300)
@example(["(", ")", "(", ")"])
@given(st.lists(WORDS, max_size=12) | st.lists(st.characters(), max_size=12))
def test_any_text_is_refused_when_read_or_gives_a_value_or_a_config_error(words):
    try:
        template = Template("{{ " + " ".join(words) + " }}")
    except TemplateError:
        return
    for render in (template.value, template.text, template.header, template.url):
        with suppress(ConfigError):
            render(SCOPE)
