"""An auth of ours as one that an httpx client takes."""

from __future__ import annotations

import httpx


class AsHttpx(httpx.Auth):
    def __init__(self, flow):
        self.flow = flow

    def auth_flow(self, request):
        yield from self.flow.sync_auth_flow(request)
