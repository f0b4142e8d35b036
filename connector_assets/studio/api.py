"""The studio's JSON API: every answer has `ok`, and where that is false `errors`, a line each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector_assets.authoring.answers import refused, unfit
from connector_assets.authoring.simulator.faults import NAMES
from connector_assets.errors import BlockedError, ConnectorError
from connector_assets.spec.checks.jsonschema import schema_of
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.studio.asks import (
    Ask,
    ConnectionAsk,
    DocumentAsk,
    ImportAsk,
    Nothing,
    PlanAsk,
    PreviewAsk,
    SaveAsk,
    TestAsk,
)
from connector_assets.studio.desk import Desk
from connector_assets.studio.imported import imported

V1 = "/api/v1"
Asked = TypeVar("Asked", bound=Ask)
Told = dict[str, Any]


def routes(desk: Desk) -> list[Route]:
    """The addresses of the API, over one project."""
    api = _Api(desk)
    asked: list[tuple[str, type[Any], Callable[[Any], Told]]] = [
        ("documents/validate", DocumentAsk, lambda a: desk.documents.looked_at(a.yaml)),
        ("documents/format", DocumentAsk, lambda a: desk.documents.formatted(a.yaml)),
        ("documents/diff", DocumentAsk, lambda a: desk.documents.difference(a.yaml)),
        ("documents/save", SaveAsk, lambda a: desk.documents.save(a.yaml, a.seen)),
        ("documents/plan", PlanAsk, api.plan),
        ("documents/test", TestAsk, lambda a: desk.documents.test(a.yaml, a.streams)),
        ("documents/import", ImportAsk, api.imported),
        ("previews", PreviewAsk, api.preview),
        ("connections/draft", ConnectionAsk, api.drafted),
        ("connections/check", ConnectionAsk, api.checked),
        ("connections", ConnectionAsk, api.written),
    ]
    return [
        *(Route(f"{V1}/{path}", _post(kind, act), methods=["POST"]) for path, kind, act in asked),
        Route(f"{V1}/previews/{{name}}/next", _post(Nothing, desk.previews.next), methods=["POST"]),
        Route(f"{V1}/previews/{{name}}", _delete(desk.previews.end), methods=["DELETE"]),
        Route(f"{V1}/catalogue", _get(api.catalogue), methods=["GET"]),
        Route(f"{V1}/specs/{{name}}", _get(api.spec), methods=["GET"]),
        Route(f"{V1}/schema", _get(api.schema), methods=["GET"]),
        Route(f"{V1}/{{path:path}}", _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]


@dataclass(frozen=True)
class _Api:
    desk: Desk

    def catalogue(self, request: Request) -> Told:
        words = request.query_params.get("q", "")[:300]
        category = request.query_params.get("category", "")[:300]
        cards = self.desk.shelves.cards(words, category)
        return {"ok": True, "connectors": [one.plain() for one in cards]}

    def spec(self, request: Request) -> Told:
        return self.desk.documents.saved(request.path_params["name"])

    def schema(self, _: Request) -> Told:
        return {"ok": True, "schema": schema_of(ConnectorSpec), "faults": NAMES}

    def plan(self, asked: PlanAsk) -> Told:
        return self.desk.documents.plan(asked.yaml, asked.streams, probe=asked.probe)

    def imported(self, asked: ImportAsk) -> Told:
        return imported(
            self.desk.bench,
            text=asked.text,
            url=asked.url,
            kind=asked.kind,
            name=asked.name,
            select=asked.select,
            connector=asked.id,
        )

    def preview(self, asked: PreviewAsk) -> Told:
        previews = self.desk.previews
        if asked.source == "api":
            return previews.begin(asked.connector, asked.yaml, asked.stream)
        yaml = asked.yaml or self.desk.bench.folder.text_of(asked.connector)
        return previews.simulate(yaml, asked.stream, faults=asked.faults, config=asked.config)

    def drafted(self, asked: ConnectionAsk) -> Told:
        return self.desk.usage.drafted(asked.connector, asked.id, asked.streams)

    def checked(self, asked: ConnectionAsk) -> Told:
        return self.desk.usage.checked(asked.connector, asked.id, asked.streams, asked.stream)

    def written(self, asked: ConnectionAsk) -> Told:
        return self.desk.usage.written(asked.connector, asked.id, asked.streams)


def _post(kind: type[Asked], act: Callable[[Any], Told]) -> Any:
    """An address that takes a JSON body; one with a name in its path is given that name."""

    async def answer(request: Request) -> Response:
        try:
            asked = _body(kind, request, await request.body())
        except _Unfit as error:
            return JSONResponse({"ok": False, "errors": error.args[0]}, 400)
        return await _done(lambda: act(request.path_params.get("name", asked)))

    return answer


def _get(act: Callable[[Request], Told]) -> Any:
    async def answer(request: Request) -> Response:
        return await _done(lambda: act(request))

    return answer


def _delete(act: Callable[[str], Told]) -> Any:
    async def answer(request: Request) -> Response:
        return await _done(lambda: act(request.path_params["name"]))

    return answer


async def _done(act: Callable[[], Told]) -> Response:
    """What `act` tells, or the errors in the project's own form; it runs in a thread."""
    try:
        told = await run_in_threadpool(act)
    except ConnectorError as error:
        status = 403 if isinstance(error, BlockedError) else 422
        return JSONResponse(refused(error), status)
    except Exception as error:  # noqa: BLE001 - its text may quote anything, so it is not told
        what = f"studio: {type(error).__name__}; this is a bug of connector-assets"
        return JSONResponse({"ok": False, "errors": [what]}, 500)
    return JSONResponse(told)


class _Unfit(Exception):
    """The body is not what the address takes; its argument is why, line by line."""


def _body(kind: type[Asked], request: Request, raw: bytes) -> Asked:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Unfit(["content-type: must be application/json; send JSON"])
    try:
        return kind.model_validate(json.loads(raw))
    except ValidationError as error:
        raise _Unfit(unfit(error)) from None
    except (ValueError, RecursionError):
        raise _Unfit(["body: is no JSON; send an object"]) from None


async def _unknown(request: Request) -> Response:
    del request
    what = "path: is no address of the studio's API; see docs/how-to/studio.md"
    return JSONResponse({"ok": False, "errors": [what]}, 404)
