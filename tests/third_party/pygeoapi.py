"""pygeoapi (OGC API Features): the next page among typed links in the body, a throttled limit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import python_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"wells": 3_333, "wells_by_offset": 3_333}
STYLES = {
    "wells": "the link with `rel: next` in a list of links; `limit` capped at 500 in silence",
    "wells_by_offset": "`offset` and `limit`, total in the body",
}
LISTINGS = (Listing("pygeoapi", "pygeoapi", "none", ROWS, STYLES),)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    port, tools = free_port(), python_environment("pygeoapi")
    url = f"http://127.0.0.1:{port}"
    (folder / "wells.geojson").write_text(json.dumps(_features()))
    (folder / "config.yml").write_text(json.dumps(_settings(folder, url, port)))
    env = {"PYGEOAPI_CONFIG": str(folder / "config.yml"), "PYGEOAPI_OPENAPI": "openapi.yml"}
    made = [tools / "python", "-c", _START]
    with answering(made, url, folder, env):
        yield Server(url, lambda _: _count(url))


# The description first, then the server: its own command line does these in two processes.
_START = """
import os, pathlib
from pygeoapi.openapi import generate_openapi_document
with open("openapi.yml", "w") as file:
    file.write(generate_openapi_document(pathlib.Path(os.environ["PYGEOAPI_CONFIG"]), "yaml"))
from pygeoapi.flask_app import APP, CONFIG
APP.run("127.0.0.1", CONFIG["server"]["bind"]["port"], threaded=True)
"""


def _features() -> dict[str, object]:
    features = [
        {
            "type": "Feature",
            "id": n,
            "geometry": {"type": "Point", "coordinates": [n % 360 - 180, n % 180 - 90]},
            "properties": {"name": f"Well {n}", "depth": n / 7},
        }
        for n in range(ROWS["wells"])
    ]
    return {"type": "FeatureCollection", "features": features}


def _settings(folder: Path, url: str, port: int) -> dict[str, object]:
    text = {"title": "Tests", "description": "Tests", "keywords": ["tests"]}
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port},
            "url": url,
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "language": "en-US",
            "map": {"url": "https://tiles.example.com", "attribution": "none"},
            "limits": {"default_items": 20, "max_items": 500, "on_exceed": "throttle"},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {**text, "terms_of_service": "none", "url": url},
            "license": {"name": "none", "url": url},
            "provider": {"name": "Tests", "url": url},
            "contact": {"name": "Tests", "url": url},
        },
        "resources": {
            "wells": {
                **text,
                "type": "collection",
                "links": [],
                "extents": {"spatial": {"bbox": [-180, -90, 180, 90]}},
                "providers": [
                    {
                        "type": "feature",
                        "name": "GeoJSON",
                        "data": str(folder / "wells.geojson"),
                        "id_field": "id",
                    }
                ],
            }
        },
    }


def _count(url: str) -> int:
    asked = {"f": "json", "resulttype": "hits"}
    answer = httpx.get(f"{url}/collections/wells/items", params=asked).raise_for_status()
    return int(answer.json()["numberMatched"])
