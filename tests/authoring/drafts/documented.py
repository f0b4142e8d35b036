"""Documentation of fake APIs, written for these tests, with the truth beside each."""

from __future__ import annotations

import json
from pathlib import Path

from connector_assets.authoring.drafts.bounds import Spent
from connector_assets.authoring.drafts.drafting import Wanted, draft_from_docs
from connector_assets.errors import ConfigError
from connector_assets.spec.document import read_connector

APIS = Path(__file__).parent / "apis"
NAMES = sorted(one.name for one in APIS.iterdir())
FIELDS = ("auth", "endpoint", "rows", "key", "pagination", "parent")


def url_of(name):
    return f"https://docs.{name.replace('_', '-')}.example/index.html"


def fetching(name):
    """A fetch that has the pages of one API, and nothing else."""

    def fetch(url):
        file = APIS / name / url.rpartition("/")[2]
        if not file.is_file():
            raise ConfigError("404", where=url)
        return file.read_bytes()

    return fetch


def drafted(name, *, tries=False, model="", spent=None, wish=""):
    wanted = Wanted(url=url_of(name), tries=tries, model=model, wish=wish)
    return draft_from_docs(wanted, fetching(name), spent or Spent())


def truth_of(name):
    return json.loads((APIS / name / "truth.json").read_text())


def scored(name, answer):
    """For each field of the truth: right, asked (a question names it), missing or wrong."""
    data = read_connector(answer["yaml"]).yaml.data
    truth, asked = truth_of(name), answer["open_questions"]
    auth = [one["type"] for one in data.get("auth") or ()]
    yield "auth", _said(auth == [truth["auth"]], "auth", asked)
    base = data["defaults"]["baseUrl"]
    endpoints = {f"{base}{one['url']}": one for one in data["endpoints"]}
    streams = {one.get("endpoint", one["name"]): one for one in data["read"]["streams"]}
    for path, wanted in truth["endpoints"].items():
        found = endpoints.pop(f"{truth['base']}{path}", None)
        yield "endpoint", "right" if found else "missing"
        if found is None:
            continue
        stream = streams[found["id"]]
        name = found["id"]
        rows = found.get("responseRowsPath", "").replace("@", "")
        yield "rows", _said(rows == wanted["rows"], f"{name}.responseRowsPath", asked)
        yield "key", _key(wanted["key"], stream.get("primaryKey"), f"{name}.primaryKey", asked)
        yield "pagination", _paging(wanted["pagination"], found, f"{name}.pagination", asked)
        if "parent" in wanted:
            parent = (stream.get("forEach") or [{}])[0].get("parent", {}).get("stream")
            yield "parent", _said(parent == wanted["parent"], f"{name}.forEach", asked)
    for _ in endpoints:
        yield "endpoint", "wrong"


def _said(right, field, asked):
    told = any(one.startswith((f"{field}:", f"{field}.")) for one in asked)
    return "right" if right and not told else "asked" if told else "wrong"


def _key(wanted, found, field, asked):
    return _said(list(found or ()) == list(wanted or ()), field, asked)


def _paging(wanted, endpoint, field, asked):
    found = endpoint.get("pagination") or {"type": "none"}
    right = wanted is not None and wanted.items() <= found.items()
    return _said(right, field, asked)
