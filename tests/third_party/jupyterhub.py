"""JupyterHub: offset and limit capped in silence, or the next page's URL for who asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import python_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"users": 1_730, "users_by_url": 1_730, "groups": 26, "members": 1_300}
STYLES = {
    "users": "`offset` and `limit`, capped at 200 in silence",
    "users_by_url": "URL in the body, at `_pagination.next.url`",
    "groups": "the same, page of 10",
    "members": "once for each group, rows that are texts",
}
LISTINGS = (Listing("jupyterhub", "jupyterhub", "token, with a prefix of its own", ROWS, STYLES),)
TOKEN = "tp-91d2-jupyterhub"
_PAGED = {"Accept": "application/jupyterhub-pagination+json"}
# The hub alone: its proxy is another program, and nobody starts a notebook here.
_SETTINGS = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {}

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = "http://127.0.0.1:PORT"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.log_level = "WARN"
c.JupyterHub.services = [{"name": "tests", "api_token": "TOKEN"}]
c.JupyterHub.load_roles = [
    {"name": "tests", "services": ["tests"], "scopes": ["admin:users", "admin:groups"]}
]
"""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    port, tools = free_port(), python_environment("jupyterhub")
    settings = folder / "jupyterhub_config.py"
    settings.write_text(_SETTINGS.replace("PORT", str(port)).replace("TOKEN", TOKEN))
    url = f"http://127.0.0.1:{port}/hub/api"
    command = [tools / "python", "-m", "jupyterhub", "--config", settings]
    with answering(command, url, folder):
        with _client(url) as api:
            _fill(api)
        yield Server(url, lambda stream: _count(url, stream), {"TOKEN": TOKEN})


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"token {TOKEN}"}, timeout=120)


def _fill(api: httpx.Client) -> None:
    names = [f"user{n:04}" for n in range(ROWS["users"])]
    api.post("/users", json={"usernames": names}).raise_for_status()
    each = ROWS["members"] // ROWS["groups"]
    for n in range(ROWS["groups"]):
        body = {"users": names[n * each : (n + 1) * each]}
        api.post(f"/groups/group{n:02}").raise_for_status()
        api.post(f"/groups/group{n:02}/users", json=body).raise_for_status()


def _count(url: str, stream: str) -> int:
    with _client(url) as api:
        if stream == "members":
            groups = api.get("/groups", params={"limit": 200}).raise_for_status().json()
            return sum(len(group["users"]) for group in groups)
        asked = api.get("/groups" if stream == "groups" else "/users", headers=_PAGED)
    return int(asked.raise_for_status().json()["_pagination"]["total"])
