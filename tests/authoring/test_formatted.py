"""`fmt`: a document's text in one form."""

import random
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.authoring.formatted import formatted
from connector_assets.errors import SpecError
from connector_assets.spec.document import parse_connector
from connector_assets.spec.yaml.yaml_source import read_yaml

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "specs").rglob("*.yaml"), *(ROOT / "connections").glob("*.yaml")])

HEAD = 'kind: connector\nversion: "1.0"\nid: shop\ndisplayName: Shop\n'
TAIL = "read:\n  primary: list\n"

CASES = {
    "order, and the comment above a key": (
        HEAD + "endpoints:\n  # the only list\n  - url: https://a.example/list # all of it\n"
        "    # its name\n    id: list\n" + TAIL,
        HEAD + "endpoints:\n  # the only list\n    # its name\n  - id: list\n"
        "    url: https://a.example/list # all of it\n" + TAIL,
    ),
    "order in braces": (
        HEAD + "endpoints: [{url: https://a.example/list, params: {b: 1, a: 2}, id: list}]\n"
        "read: {primary: list}\n",
        HEAD + "endpoints: [{id: list, url: https://a.example/list, params: {b: 1, a: 2}}]\n"
        "read: {primary: list}\n",
    ),
    "quotes": (
        HEAD.replace("Shop", "'Shop'")
        + "category: 'NO'\ndescription: 'a: b, \"c\"'\n"
        + "endpoints:\n  - id: 'list'\n    url: 'https://a.example/{{stream}}'\n"
        "    params: {'a,b': '1', \"c\": 'd', e: \"2024-01-01\", f: 'on', g: 'x y', h: no}\n"
        + TAIL,
        HEAD + 'category: "NO"\ndescription: \'a: b, "c"\'\n'
        'endpoints:\n  - id: list\n    url: "https://a.example/{{stream}}"\n'
        '    params: {"a,b": "1", c: d, e: "2024-01-01", f: "on", g: x y, h: "no"}\n' + TAIL,
    ),
    "spaces and empty lines": (
        HEAD.replace("\n", "  \r\n")
        + "\r\n\r\n\r\nendpoints:\r\n  - {id: list, url: https://a.example/list}\r\n"
        + TAIL
        + "\n\n",
        HEAD + "\nendpoints:\n  - {id: list, url: https://a.example/list}\n" + TAIL,
    ),
    "text in several lines that looks like comments and keys": (
        HEAD + "endpoints:\n  - description: |\n      # A title\n      id: none\n\n      end\n"
        "    id: list\n    url: https://a.example/list\n" + TAIL,
        HEAD + "endpoints:\n  - id: list\n    url: https://a.example/list\n"
        "    description: |\n      # A title\n      id: none\n\n      end\n" + TAIL,
    ),
    "comments at the top and at the end": (
        "# the shop\n"
        + TAIL
        + HEAD
        + "endpoints: [{id: list, url: https://a.example/list}]\n# the end\n",
        None,
    ),
    "an anchor is not moved below its alias": (
        HEAD + "endpoints:\n  - url: &url https://a.example/list\n    id: list\n"
        "  - {id: other, url: *url}\n" + TAIL,
        HEAD + "endpoints:\n  - url: &url https://a.example/list\n    id: list\n"
        "  - {id: other, url: *url}\n" + TAIL,
    ),
    "names of the user's own are in the order they have": (
        HEAD + "config:\n  b: {}\n  a: {}\nendpoints:\n  - id: list\n"
        "    url: https://a.example/list\n    headers:\n      X-B: b\n      X-A: a\n" + TAIL,
        None,
    ),
}


def says(text):
    return read_yaml(text).data


def comments(text):
    # A "#" within a text counts too; its quotes may be others afterwards.
    return sorted(one.rstrip(" '\"") for one in re.findall(r"(?:^|\s)(#[^\n]*)", text))


@pytest.mark.parametrize("name", CASES)
def test_a_document_in_its_form(name):
    before, after = CASES[name]
    done = formatted(before)
    if after is not None:
        assert done == after
    assert says(done) == says(before)
    assert formatted(done) == done


def test_what_stands_at_the_ends_of_a_document_stays_there():
    before, _ = CASES["comments at the top and at the end"]
    done = formatted(before)
    assert done.startswith("# the shop\nkind: connector\n")
    assert done.endswith("read:\n  primary: list\n# the end\n")


def test_names_of_the_users_own_are_not_sorted():
    before, _ = CASES["names of the user's own are in the order they have"]
    assert formatted(before) == before


@pytest.mark.parametrize("file", FILES, ids=lambda one: one.name)
def test_every_document_says_the_same_afterwards(file):
    before = file.read_text()
    done = formatted(before)
    assert says(done) == says(before)
    assert comments(done) == comments(before)
    assert formatted(done) == done


class Commented(yaml.SafeDumper):
    """Writes each value in a style of its own; keys as they come."""


def written(data, chance):
    """A document of the same meaning: keys in any order, any quotes, a comment above each key."""

    def mixed(value, of=""):
        if isinstance(value, dict):
            keys = list(value)
            if of != "let":  # whose values read those before them
                chance.shuffle(keys)
            return {key: mixed(value[key], key) for key in keys}
        return [mixed(one) for one in value] if isinstance(value, list) else value

    style = chance.choice([None, '"', "'"])
    quoted = yaml.dump(
        mixed(data), Dumper=Commented, sort_keys=False, width=10_000, default_style=None
    )
    lines = []
    for number, bare in enumerate(quoted.splitlines()):
        line = bare
        found = re.match(r"( *)(?:- )?([A-Za-z_]+): ([a-z][a-z_]*)$", bare)
        if found and style and found[3] not in ("true", "false", "null"):
            line = bare[: -len(found[3])] + style + found[3] + style
        if re.match(r" *[A-Za-z_]+:", line):
            lines.append(" " * (len(line) - len(line.lstrip())) + f"# {number}")
        lines.append(line + "  " * chance.randint(0, 1))
    return "\n".join(lines)


SPECS = {file.stem: read_yaml(file.read_text()).data for file in FILES}


@given(st.sampled_from(sorted(SPECS)), st.integers(0, 1 << 30))
def test_documents_in_any_order_say_the_same_in_one_form(name, seed):
    data = SPECS[name]
    before = written(data, random.Random(seed))
    assert says(before) == data
    done = formatted(before)
    assert says(done) == data
    assert comments(done) == comments(before)
    assert formatted(done) == done


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_any_text_stays_the_text_it_is(text):
    key, value = quote("k" + text), quote(text)
    for params in (f"\n      {key}: {value}", f" {{{key}: {value}}}"):
        one = f"  - id: list\n    url: https://a.example/list\n    params:{params}\n"
        before = f"{HEAD}endpoints:\n{one}{TAIL}"
        try:
            parse_connector(before)
        except SpecError:
            continue
        done = formatted(before)
        assert says(done) == says(before)
        assert formatted(done) == done


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def test_what_is_not_valid_is_an_error():
    with pytest.raises(SpecError, match="endpoints"):
        formatted(HEAD + TAIL)
