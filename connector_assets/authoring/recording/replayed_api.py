"""Recorded answers served on loopback, behind the doors that the spec has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from threading import RLock
from typing import Any
from urllib.parse import urlsplit

from connector_assets.authoring.recording.kept_bodies import NoText
from connector_assets.authoring.recording.kept_requests import KeptAnswer, KeptExchange, KeptRequest
from connector_assets.authoring.recording.recording_folder import Recording
from connector_assets.authoring.simulator.doors import Door, challenge
from connector_assets.authoring.simulator.patterns import Known, as_text, filled
from connector_assets.authoring.simulator.pointed import Pointed, pointed
from connector_assets.authoring.simulator.server import address_of, ports, serving
from connector_assets.authoring.simulator.simulated import ServedSpec, served_spec
from connector_assets.authoring.simulator.wire import ApiReply, ApiRequest, refused
from connector_assets.redact import Secrets
from connector_assets.spec.document import parse_connector
from connector_assets.spec.names.url import origin_of


@dataclass(frozen=True, kw_only=True)
class Replayed(ServedSpec):
    """A recording that is served; `origins` are the addresses in it, in the order of `bases`."""

    api: ReplayedApi
    origins: Sequence[str]

    def as_recorded(self, text: str) -> str:
        """A text with the recorded addresses instead of those on loopback, and no secret."""
        text = self.api.secrets.mask(text)
        for origin, base in zip(self.origins, self.bases, strict=True):
            text = _moved(text, base, origin)
        return text


@dataclass
class ReplayedApi:
    """Answers as they were recorded; what was asked twice is answered in turn, then as last.

    `origins` are the recorded addresses by port, and `bases` those they are served at.
    """

    exchanges: Sequence[KeptExchange]
    origins: Sequence[str]
    bases: Sequence[str]
    doors: Sequence[Door]
    secrets: Secrets
    _turns: dict[int, int] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock, repr=False)

    def __post_init__(self) -> None:
        self.kept: list[tuple[KeptRequest, list[KeptAnswer]]] = []
        by_request: dict[str, list[KeptAnswer]] = {}
        for one in self.exchanges:
            key = json.dumps(one.request.plain(), sort_keys=True)
            if key not in by_request:
                by_request[key] = []
                self.kept.append((one.request, by_request[key]))
            if one.answer not in by_request[key][-1:]:
                by_request[key].append(one.answer)

    def answer(self, asked: ApiRequest) -> ApiReply:
        """The recorded answer; 404 naming the nearest request where there is none."""
        with self._lock:
            for door in self.doors:
                token = door.token(asked)
                if token is not None:
                    return token
            closed = [door for door in self.doors if not door.opens(asked)]
            if self.doors and len(closed) == len(self.doors):
                words = "the credential is not right"
                return replace(refused(401, words), headers=challenge(closed[0]))
            return self._kept(asked)

    def _kept(self, asked: ApiRequest) -> ApiReply:
        try:
            request = KeptRequest.of(asked, self.origins[asked.origin], (), self.secrets.mask)
        except NoText:
            return refused(400, "the body is no text, and no such request is recorded")
        for number, (kept, answers) in enumerate(self.kept):
            if not replace(kept, headers=()).differences(request):
                turn = self._turns.get(number, 0)
                self._turns[number] = turn + 1
                return self._reply(answers[min(turn, len(answers) - 1)])
        return refused(404, f"not recorded: {request.shown}{nearest(request, self.requests)}")

    @property
    def requests(self) -> list[KeptRequest]:
        """All that is answered."""
        return [request for request, _ in self.kept]

    def _reply(self, answer: KeptAnswer) -> ApiReply:
        # A link to the next page may hold the key: the client is given the one that it has.
        body = self._with_secrets(answer.body.raw().decode("utf-8"))
        headers = {name: self._with_secrets(value) for name, value in answer.headers}
        for origin, base in zip(self.origins, self.bases, strict=True):
            body = _moved(body, origin, base)
            headers = {name: _moved(value, origin, base) for name, value in headers.items()}
        return ApiReply(answer.status, body.encode(), headers)

    def _with_secrets(self, text: str) -> str:
        def one(found: re.Match[str]) -> str:
            return self.secrets.get(found[1], found[0])

        return re.sub(r"\[secret:(\w+)\]", one, text) if "[secret:" in text else text


def nearest(request: KeptRequest, kept: Sequence[KeptRequest]) -> str:
    """What of the nearest recorded request is another, as the end of a sentence."""
    if not kept:
        return "; nothing is recorded"
    best = min(kept, key=lambda one: (len(one.differences(request)), one.url != request.url))
    return f"; the nearest is {best.shown}: {', '.join(best.differences(request)[:4])}"[:600]


def _moved(text: str, start: str, end: str) -> str:
    """`text` with the address `start` replaced, where it does not only begin another."""
    return re.sub(rf"{re.escape(start)}(?![\w.:-])", lambda _: end, text)


@contextmanager
def replaying(
    data: Mapping[str, Any],
    recording: Recording,
    streams: Sequence[str] = (),
    *,
    port: int = 0,
) -> Iterator[Replayed]:
    """Serve what was recorded of a connector, given as plain data, as long as the block lasts.

    `streams` are those whose answers are served, all by default. CannotSimulate says what of the
    spec has no meaning here.
    """
    moved = pointed(data)
    names = streams or list(recording.streams)
    exchanges = [one for name in names for one in recording.streams[name].exchanges]
    origins = all_origins(moved, recording.config, exchanges)
    _open_further(moved, origins)
    spec = parse_connector(json.dumps(moved.data, ensure_ascii=False))
    with ports(max(len(origins), 1), port) as servers:
        bases = tuple(address_of(one) for one in servers)
        served = served_spec(moved, spec, bases, recording.config, recording.auth)
        api = ReplayedApi(
            exchanges, origins, bases[: len(origins)], doors_of(served), Secrets(served.secrets)
        )
        with serving(servers, api):
            own = {one.name: getattr(served, one.name) for one in fields(served)}
            yield Replayed(**{**own, "bases": bases[: len(origins)]}, api=api, origins=origins)


def doors_of(served: ServedSpec) -> list[Door]:
    """One door for each auth that a request of the spec may have."""
    own = [auth for one in served.spec.endpoints for auth in one.auth or ()]
    auths = [*([served.chosen] if served.chosen else []), *own]
    return [Door(auth, served.known) for auth in auths]


def all_origins(
    moved: Pointed, config: Mapping[str, Any], exchanges: Sequence[KeptExchange]
) -> list[str]:
    """The origins that the spec names, in its order, and then others that were asked."""
    known: Known = {
        name: as_text(value) for one, value in config.items() for name in (one, f"config.{one}")
    }
    named = [origin_of(f"{filled(source, known)}/") for source in moved.sources]
    asked = [_origin_in(one.request.url) for one in exchanges]
    return [*named, *dict.fromkeys(one for one in asked if one not in named)]


def _origin_in(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _open_further(moved: Pointed, origins: Sequence[str]) -> None:
    """Let the spec send to the addresses that answers of others led to."""
    further = range(len(moved.origins), len(origins))
    names = [f"simulator_{number}" for number in further]
    moved.origins += origins[len(moved.origins) :]
    moved.data["config"] = {**moved.data["config"], **{name: {} for name in names}}
    moved.data["origins"] = [f"{{{{{name}}}}}" for name in names]
