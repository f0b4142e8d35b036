"""The studio's pages: HTML made here, with no script but the builder's and the filter of cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from connector_assets.authoring.answers import refused
from connector_assets.authoring.imports.kinds import KINDS
from connector_assets.authoring.simulator.faults import NAMES
from connector_assets.catalogue.shelf import file_of
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.legible import legible
from connector_assets.spec.yaml.yaml_text import read_file
from connector_assets.studio import described
from connector_assets.studio.desk import Desk

_HERE = Path(__file__).parent
_MOST_FIELDS = 5_000
_NEW = """\
kind: connector
version: "1.0"
id: my_api
displayName: My API
endpoints:
  - id: items
    url: https://api.example.com/v1/items
read:
  primary: items
"""
Context = dict[str, Any]


@dataclass(frozen=True)
class _Form:
    """What was filled in, by the names of its fields; `button` is the one that was pressed."""

    fields: Mapping[str, list[str]]

    def one(self, name: str) -> str:
        return self.fields.get(name, [""])[-1]

    @property
    def button(self) -> str:
        return self.one("action")


def _shown(value: Any) -> Any:
    """Texts of others with what turns or hides text written out; Jinja escapes them afterwards."""
    return legible(value) if type(value) is str else value


_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)


def routes(desk: Desk) -> list[Route | Mount]:
    """The addresses of the pages, over one project."""
    pages = _Pages(desk)
    static = StaticFiles(directory=_HERE / "static")
    return [
        Route("/", _page("catalogue.html", pages.catalogue)),
        Route("/catalogue/{name}", _page("shipped.html", pages.shipped), methods=["GET", "POST"]),
        Route("/project/{name}", _page("connection.html", pages.project), methods=["GET", "POST"]),
        Route("/builder", _page("builder.html", pages.builder)),
        Mount("/static", static, name="static"),
        Route("/{path:path}", _nowhere),
    ]


class _Pages:
    """What each page is given; a form is the second argument, empty where none was sent."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def catalogue(self, request: Request, _: _Form | None) -> Context:
        words = request.query_params.get("q", "")[:300]
        category = request.query_params.get("category", "")[:300]
        every = self.desk.shelves.cards()
        shown = self.desk.shelves.cards(words, category)
        return {
            "words": words,
            "category": category,
            "categories": sorted({one.category for one in every}),
            "own": [one for one in shown if one.place == "project"],
            "shipped": [one for one in shown if one.place == "catalogue"],
            "plugins": [one for one in shown if one.place == "plugin"],
        }

    def shipped(self, request: Request, form: _Form | None) -> Context:
        name = request.path_params["name"]
        told = described.of_catalogue(name)
        chosen = form.fields.get("stream", []) if form else []
        own_id = form.one("id") if form else ""
        known = [one["name"] for one in told["streams"]]
        some = [] if len(chosen) == len(known) else chosen
        return {
            "it": told,
            "chosen": set(chosen or known),
            "own_id": own_id or told["id"],
            "used": self._used(name, own_id, some, form.button) if form else {},
        }

    def _used(self, name: str, own_id: str, streams: Sequence[str], action: str) -> Context:
        """What came of the button that was pressed: show, check or write."""
        usage = self.desk.usage
        told: Context = {"action": action, "errors": [], "draft": None, "check": None, "at": ""}
        try:
            told["draft"] = usage.drafted(name, own_id, streams)
            if action == "check":
                told["check"] = usage.checked(name, own_id, streams)
            if action == "write":
                written = usage.written(name, own_id, streams)
                told["at"], told["own_id"] = written["path"], written["id"]
        except ConnectorError as error:
            told["errors"] = refused(error)["errors"]
        return told

    def project(self, request: Request, form: _Form | None) -> Context:
        name = request.path_params["name"]
        told = described.of_project(self.desk.bench, name)
        check: Context | None = None
        if form and form.button == "check":
            check = self.desk.bench.check(self.desk.bench.chosen(name), form.one("stream"))
        return {"it": told, "check": check}

    def builder(self, request: Request, _: _Form | None) -> Context:
        spec, copy = (request.query_params.get(key, "")[:300] for key in ("spec", "copy"))
        text, seen = _NEW, ""
        if spec:
            saved = self.desk.documents.saved(spec)
            text, seen = saved["yaml"], saved["seen"]
        elif copy:
            text = _copied(copy)
        # The document itself, to be edited: escaped for HTML, and otherwise as it is.
        return {"text": escape(text), "seen": seen, "kinds": KINDS, "faults": NAMES, "opened": spec}


def _form(raw: bytes) -> _Form:
    text = raw.decode("utf-8", "replace")
    return _Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))


def _copied(name: str) -> str:
    file = file_of(name)
    if file is None:
        raise ConfigError(f'"{name[:80]}" is no connector of the catalogue')
    return read_file(file).decode("utf-8", "replace")


def _page(template: str, told: Callable[[Request, _Form | None], Context]) -> Any:
    """A page of `template`, made in a thread; of errors a page that says them."""

    async def answer(request: Request) -> Response:
        form = _form(await request.body()) if request.method == "POST" else None
        try:
            context = await run_in_threadpool(told, request, form)
        except ConnectorError as error:
            return _html(request, "refused.html", {"errors": refused(error)["errors"]}, 404)
        except Exception as error:  # noqa: BLE001 - its text may quote anything
            what = f"studio: {type(error).__name__}; this is a bug of connector-assets"
            return _html(request, "refused.html", {"errors": [what]}, 500)
        return _html(request, template, context)

    return answer


async def _nowhere(request: Request) -> Response:
    if request.url.path == "/favicon.ico":
        return RedirectResponse("/static/icon.svg")
    return _html(request, "refused.html", {"errors": ["there is no such page"]}, 404)


def _html(request: Request, template: str, context: Context, status: int = 200) -> Response:
    made = _TEMPLATES.get_template(template).render(
        **context, nonce=request.scope["nonce"], path=request.url.path
    )
    return HTMLResponse(made, status)
