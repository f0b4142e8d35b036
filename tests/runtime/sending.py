"""One guarded request, with what most tests want."""

from __future__ import annotations

import threading

import httpx
import pytest

from connector_assets.errors import (
    ConnectorError,
)
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.client import Client, Limits
from connector_assets.runtime.http.request import Request

QUICK = Limits(connect_s=2, read_s=0.5, total_s=1.5)


def send(client, url, *, origins=None, method="GET", limits=QUICK, **given):
    request = given.pop("request", None) or httpx.Request(
        method, url, headers=given.pop("headers", None), content=given.pop("content", None)
    )
    options = {
        "auth": None,
        "origins": [origin_of(url)] if origins is None else origins,
        "limits": limits,
        "cancel": threading.Event(),
        "mask": str,
    }
    if isinstance(request, httpx.Request):
        request = Request.of(request)
    return client.exchange(**{**options, **given}).answer(request)


def refused(client, url, kind=ConnectorError, match=None, **given):
    """The error that sending raises."""
    with pytest.raises(kind, match=match) as caught:
        send(client, url, **given)
    return caught.value


def origin_of(url):
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}"


def opening(*wires, resolver=None):
    return Client(guard=Guard([f"{wire.host}:{wire.port}" for wire in wires], resolver))


def base(wire):
    return f"http://{wire.host}:{wire.port}"
