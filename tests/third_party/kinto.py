"""Kinto: the next page's URL in a header of its own, pages capped in silence, basic auth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import python_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"records": 2_350, "changes": 2_350}
STYLES = {
    "records": "URL in the header `Next-Page`; `_limit` capped at 200 in silence",
    "changes": "the same, incremental by `_since`, a time in milliseconds",
}
LISTINGS = (Listing("kinto", "kinto", "basic", ROWS, STYLES),)
PASSWORD = "tp-6e1b/kinto"
_BATCH = 100
_SETTINGS = """
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.userid_hmac_secret = third-party
kinto.bucket_create_principals = system.Authenticated
kinto.batch_max_requests = 100
kinto.paginate_by = 200
multiauth.policies = basicauth

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
threads = 8

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = plain
[formatter_plain]
format = %(message)s
"""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    port = free_port()
    (folder / "kinto.ini").write_text(_SETTINGS.replace("{port}", str(port)))
    url = f"http://127.0.0.1:{port}/v1"
    tool = python_environment("kinto") / "kinto"
    with answering(
        [tool, "start", "--ini", folder / "kinto.ini", "--port", str(port)], url, folder
    ):
        with client(url) as api:
            _fill(api)
        yield Server(url, lambda _: _count(url), {"USER": "reader", "PASSWORD": PASSWORD})


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, auth=("reader", PASSWORD), timeout=60)


def put(api: httpx.Client, numbers: range, colour: str) -> None:
    """Write these records, new or not, each with a time of change of its own."""
    at = "/v1/buckets/tests/collections/things/records"
    for start in range(numbers.start, numbers.stop, _BATCH):
        part = range(start, min(start + _BATCH, numbers.stop))
        records = [{"path": f"{at}/r{n}", "body": {"data": {"n": n, "c": colour}}} for n in part]
        batch = {"defaults": {"method": "PUT"}, "requests": records}
        done = api.post("/batch", json=batch).raise_for_status().json()["responses"]
        assert all(one["status"] in (200, 201) for one in done)


def _fill(api: httpx.Client) -> None:
    api.put("/buckets/tests").raise_for_status()
    api.put("/buckets/tests/collections/things").raise_for_status()
    put(api, range(ROWS["records"]), "red")


def _count(url: str) -> int:
    with client(url) as api:
        answer = api.head("/buckets/tests/collections/things/records").raise_for_status()
    return int(
        answer.headers["Total-Records" if "Total-Records" in answer.headers else "Total-Objects"]
    )
