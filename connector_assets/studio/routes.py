"""The studio as an ASGI application: its API and its pages, over one project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from connector_assets.authoring.workbench import Workbench
from connector_assets.studio import api, pages
from connector_assets.studio.desk import Desk


def application(bench: Workbench) -> Starlette:
    """The studio of a project; who may ask is not its business: see `gate`."""
    desk = Desk(bench)

    @asynccontextmanager
    async def ended(_: Starlette) -> AsyncIterator[None]:
        yield
        desk.previews.close()
        bench.close()

    return Starlette(routes=[*api.routes(desk), *pages.routes(desk)], lifespan=ended)
