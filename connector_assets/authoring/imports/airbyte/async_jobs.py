"""A manifest's asynchronous retriever → the `job` of an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.request_parts import RequestParts
from connector_assets.authoring.imports.airbyte.requesters import Requester
from connector_assets.authoring.imports.airbyte.selectors import rows_path
from connector_assets.authoring.imports.airbyte.texts import Texts

_ANSWERS = {"creation_response": "response", "polling_response": "response"}


def job_keys(retriever: Mapping[str, Any], reading: Reading) -> tuple[dict[str, Any], list[str]]:
    """The job, and what differs; Refused where a spec has no equal."""
    for key in ("download_target_requester", "download_paginator", "abort_requester"):
        one = retriever.get(key)
        if isinstance(one, Mapping) and one.get("type") not in (None, "NoPagination"):
            raise Refused(f"the {key} of an export")
    near = []
    if retriever.get("delete_requester"):
        near.append("an export is not deleted once it is read")
    answering = replace(reading, data={**reading.data, **_ANSWERS})
    made = {"poll": _poll(retriever, answering), "download": _download(retriever, answering)}
    timeout = retriever.get("polling_job_timeout")
    if isinstance(timeout, int) and timeout:
        made["timeoutSeconds"] = timeout * 60  # type: ignore[assignment]
    return made, near


def _poll(retriever: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    parts = _request(retriever, "polling_requester", reading)
    made: dict[str, Any] = {"url": parts.url}
    if parts.params:
        raise Refused("a question for an export's state with parameters")
    if parts.method not in ("GET", "POST"):
        raise Refused(f"a question for an export's state by {parts.method}")
    if parts.method != "GET":
        made["method"] = parts.method
        if parts.body():
            made["body"] = parts.body()
    made["statusPath"] = rows_path(retriever.get("status_extractor"), Texts(reading))
    states = retriever.get("status_mapping")
    if not isinstance(states, Mapping):
        raise Refused("an export without the names of its states")
    made["done"] = list(states.get("completed") or ())
    failed = [*(states.get("failed") or ()), *(states.get("timeout") or ())]
    if failed:
        made["failed"] = failed
    return made


def _download(retriever: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    component = retriever.get("download_requester")
    extractor = retriever.get("download_target_extractor")
    url = (
        component.get("url") or component.get("url_base") if isinstance(component, Mapping) else ""
    )
    path = component.get("path") or "" if isinstance(component, Mapping) else ""
    target = rows_path(extractor, Texts(reading)) if extractor else ""
    bare = str(url).replace(" ", "")
    if extractor and bare in ("{{download_target}}", "{{stream_slice['url']}}") and not path:
        return {"urlPath": target}
    if extractor and "download_target" in f"{url}{path}":
        reading = replace(reading, data={**reading.data, "download_target": f"response.{target}"})
    parts = _request(retriever, "download_requester", reading)
    if parts.params or parts.method != "GET":
        raise Refused("a download of an export with parameters")
    return {"url": parts.url}


def _request(retriever: Mapping[str, Any], key: str, reading: Reading) -> RequestParts:
    component = retriever.get(key)
    if not isinstance(component, Mapping):
        raise Refused(f"an export without a {key}")
    own = component.get("$parameters")
    if isinstance(own, Mapping):
        reading = replace(reading, parameters={**reading.parameters, **own})
    parts = RequestParts()
    Requester(replace(reading, certain=True), component, parts).fill()
    return parts
