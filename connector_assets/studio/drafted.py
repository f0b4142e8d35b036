"""Drafts from documentation, over HTTP: one answer, or lines of progress and then the answer."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from queue import Empty, SimpleQueue
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from connector_assets.authoring.answers import refused
from connector_assets.authoring.drafts.bounds import Bounds, Spent
from connector_assets.authoring.drafts.drafting import Wanted, draft_from_docs, fetch_in_bounds
from connector_assets.authoring.drafts.taken_ids import taken_ids
from connector_assets.authoring.workbench import Workbench
from connector_assets.errors import BlockedError, ConnectorError
from connector_assets.project.settings import setting
from connector_assets.studio.asks import DraftAsk

LINES = "application/x-ndjson"
_POLL_S = 0.05


class Drafting:
    """Drafts for one project; `model` is one to use in place of that of the environment."""

    def __init__(self, bench: Workbench, model: Any = None) -> None:
        self.bench, self.model = bench, model

    async def answer(self, request: Request, asked: DraftAsk) -> Response:
        """The answer; in lines where the request accepts those, and ended where it goes away."""
        spent = Spent(Bounds())
        if LINES in request.headers.get("accept", ""):
            return StreamingResponse(self._lines(asked, spent), media_type=LINES)
        told, status = await run_in_threadpool(self._drafted, asked, spent)
        return JSONResponse(told, status)

    async def _lines(self, asked: DraftAsk, spent: Spent) -> AsyncIterator[bytes]:
        queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
        spent.told = lambda text: queue.put({"progress": text})

        def work() -> None:
            queue.put(self._drafted(asked, spent)[0])

        threading.Thread(target=work, daemon=True).start()
        try:
            while True:
                try:
                    told = queue.get_nowait()
                except Empty:
                    await asyncio.sleep(_POLL_S)
                    continue
                yield json.dumps(told).encode() + b"\n"
                if "ok" in told:
                    return
        finally:
            spent.cancel.set()

    def _drafted(self, asked: DraftAsk, spent: Spent) -> tuple[dict[str, Any], int]:
        environ = self.bench.environ
        model = self.model or setting("AI_MODEL", environ)
        wanted = Wanted(asked.url, asked.text, asked.wish, model, taken_ids(environ))
        try:
            return draft_from_docs(wanted, fetch_in_bounds(self.bench.runtime, spent), spent), 200
        except ConnectorError as error:
            return refused(error), 403 if isinstance(error, BlockedError) else 422
        except Exception as error:  # noqa: BLE001 - its text may quote anything, so it is not told
            what = f"studio: {type(error).__name__}; this is a bug of connector-assets"
            return {"ok": False, "errors": [what]}, 500
