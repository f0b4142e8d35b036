"""Exports: a request creates one, its state is asked for, and its result is fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from connector_assets.authoring.simulator.documents import put, steps_of
from connector_assets.authoring.simulator.patterns import Pattern, filled
from connector_assets.authoring.simulator.routes import Match, Route, origin_and_path
from connector_assets.authoring.simulator.wire import ApiReply, ApiRequest
from connector_assets.spec.request.job import Job
from connector_assets.spec.templates.template import Template

_JSON = {"content-type": "application/json"}
_WAITING = "simulated-waiting"


@dataclass
class _Export:
    number: int
    route: Route
    match: Match
    asked_for: int = 0

    @property
    def job(self) -> Job:
        assert self.route.endpoint.job is not None
        return self.route.endpoint.job

    def name(self, path: str) -> str:
        """The text at a path of the answers, which says whose export it is."""
        return f"{path.replace('.', '-').lower()}-{self.number}"


@dataclass
class Jobs:
    """The exports that were created; `bases` are the addresses of the server."""

    bases: Sequence[str]
    made: list[_Export] = field(default_factory=list)

    def created(self, route: Route, match: Match, asked: ApiRequest) -> ApiReply:
        """The answer that names a new export."""
        export = _Export(len(self.made), route, match)
        self.made.append(export)
        base = self.bases[asked.origin]
        poll = export.job.poll
        document = self._named(export, _WAITING)
        address = f"{base}/simulated/poll/{export.number}"
        if poll.url_path is not None:
            document = put(document, steps_of(poll.url_path.source), address)
        headers = {poll.url_header: address} if poll.url_header else {}
        return ApiReply(202, json.dumps(document).encode(), {**_JSON, **headers})

    def _named(self, export: _Export, state: Any) -> Any:
        """A document with the state, and with every field that an address reads."""
        job = export.job
        document: Any = {}
        for template in (job.poll.url, job.download.url):
            for name in template.names if template else ():
                if name.startswith("response."):
                    path = name.removeprefix("response.")
                    document = put(document, steps_of(path), export.name(path))
        return put(document, steps_of(job.poll.status_path.source), state)

    def polled(self, asked: ApiRequest) -> ApiReply | None:
        """The state of an export; None where the request asks for none."""
        for export in self.made:
            at = export.job.poll.url
            if asked.method != export.job.poll.method or not self._is_at(export, at, asked, "poll"):
                continue
            export.asked_for += 1
            state = _WAITING if export.asked_for == 1 else export.job.poll.done[0]
            document = self._named(export, state)
            address = f"{self.bases[asked.origin]}/simulated/file/{export.number}"
            download = export.job.download
            if download.url_path is not None:
                document = put(document, steps_of(download.url_path.source), address)
            headers = {download.url_header: address} if download.url_header else {}
            return ApiReply(200, json.dumps(document).encode(), {**_JSON, **headers})
        return None

    def fetched(self, asked: ApiRequest) -> tuple[Route, Match] | None:
        """The list whose result a request asks for; None where it asks for none."""
        for export in self.made:
            if asked.method == "GET" and self._is_at(
                export, export.job.download.url, asked, "file"
            ):
                return export.route, export.match
        return None

    def _is_at(self, export: _Export, url: Template | None, asked: ApiRequest, ours: str) -> bool:
        if url is None:
            return asked.path == f"/simulated/{ours}/{export.number}"
        names = {one: export.name(one.removeprefix("response.")) for one in url.names}
        known = {
            **export.route.known,
            **{n: v for n, v in names.items() if n.startswith("response.")},
        }
        if url.source.startswith("/"):
            base = export.route.endpoint.base_url
            above = urlsplit(filled(base.source, known)).path.rstrip("/") if base else ""
            return Pattern.of(above + url.source, known).read(asked.segments) is not None
        return origin_and_path(url.source, known)[1].read(asked.segments) is not None
