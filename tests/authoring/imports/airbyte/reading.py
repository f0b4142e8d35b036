"""A case read by this package or by another reader, and what its server saw meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from connector_assets.authoring.imports.airbyte.airbyte_manifest import AirbyteManifest
from connector_assets.authoring.imports.airbyte.given_values import GivenValues
from connector_assets.authoring.imports.draft import Draft, finished
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.source import Source
from connector_assets.cli.app import run
from tests.authoring.imports.airbyte.cases import BASE, Case, Fresh
from tests.loopback import Api, Seen, serving

RECORDED = Path(__file__).with_name("recorded.json")
"""What Airbyte's CDK asked and gave for each case; `make test-third-party` holds it to the CDK."""

_HEADERS = ("authorization", "cursor")


@dataclass(frozen=True)
class Served:
    """The server of one case; `config` is what the manifest's user gives."""

    api: Api
    case: Case

    @property
    def config(self) -> dict[str, Any]:
        return {**self.case.config, "base": self.api.origin}

    def asked(self) -> list[Any]:
        """What was asked since the last call, in the order it came where that is certain."""
        found = [_plain(one) for one in self.api.seen]
        self.api.seen.clear()
        return sorted(found, key=json.dumps) if self.case.unordered else found


def stream_of(case: Case) -> str:
    """The stream of a case that is read: the last."""
    last = case.manifest["streams"][-1]
    name: str = last.get("name") or last["$parameters"]["name"]
    return name


@contextmanager
def served(case: Case) -> Iterator[Served]:
    """The case's server, which writes its own address where a route says BASE."""
    route: Any = case.route
    with serving(lambda _: {}) as api:
        begin(api, route)
        yield Served(api, case)


def begin(api: Api, route: Any) -> None:
    """Let the server answer as it does to a new reader."""
    answer: Callable[[Seen], Any] = route.make() if isinstance(route, Fresh) else route
    api.answer = lambda seen: _with_base(answer(seen), api.origin)


def _with_base(answer: Any, origin: str) -> Any:
    if isinstance(answer, str):
        return answer.replace(BASE, origin)
    if isinstance(answer, dict):
        return {key: _with_base(one, origin) for key, one in answer.items()}
    if isinstance(answer, list | tuple):
        return type(answer)(_with_base(one, origin) for one in answer)
    return answer


def _plain(seen: Seen) -> list[Any]:
    query = sorted(parse_qsl(urlsplit(seen.target).query, keep_blank_values=True))
    own = {
        name: value
        for name, value in seen.headers.items()
        if name in _HEADERS or name.startswith("x-")
    }
    return [seen.method, seen.path, query, own, _body(seen)]


def _body(seen: Seen) -> Any:
    if "json" in seen.headers.get("content-type", ""):
        return json.loads(seen.body) if seen.body else None
    if "form" in seen.headers.get("content-type", ""):
        return sorted(parse_qsl(seen.body.decode()))
    return seen.body.decode()


def drafted(case: Case) -> Draft:
    """The draft of a case's manifest."""
    text = yaml.safe_dump(case.manifest, sort_keys=False)
    return finished(AirbyteManifest().draft(Source("manifest.yaml", text.encode()), WantedDraft()))


def given(case: Case, config: dict[str, Any]) -> list[str]:
    """The user's values as options of the command line."""
    spec = case.manifest["spec"]["connection_specification"]
    values = GivenValues.of(spec)
    options: list[str] = []
    for path, one in values.by_path.items():
        found: Any = config
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None and path[-1] != "kind":
            shown = found if isinstance(found, str) else json.dumps(found)
            options += ["--secret" if one.secret else "--config", f"{one.name}={shown}"]
    return options


def read_here(
    one: Served, stream: str, folder: Path, output: Callable[[], str]
) -> list[dict[str, Any]]:
    """The rows that this package reads of the draft; `output` gives what was printed."""
    spec = folder / f"{one.case.name}.yaml"
    spec.write_text(drafted(one.case).text)
    begin(one.api, one.case.route)
    host = one.api.host
    options = ["--format", "jsonl", "--allow-private", host, *given(one.case, one.config)]
    code = run(["read", str(spec), stream, *options])
    printed = output()
    assert code == 0, printed
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def told(asked: list[Any], rows: list[Any], origin: str) -> dict[str, Any]:
    """What a reader asked and gave, without the server's own address, as it is kept in a file."""
    text = json.dumps({"asked": asked, "rows": rows}).replace(origin, BASE)
    kept: dict[str, Any] = json.loads(text)
    return kept


def compared(rows: list[dict[str, Any]], case: Case) -> list[Any]:
    """Rows as they are compared: without what differs on purpose."""
    kept = [{k: v for k, v in row.items() if k not in case.ignore} for row in rows]
    return sorted(kept, key=lambda row: json.dumps(row, sort_keys=True)) if case.unordered else kept
