"""Answers of a real API, read through its spec and kept: what `record` does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.recording.clock_at import ClockAt
from connector_assets.authoring.recording.kept_bodies import KeptBody, NoText
from connector_assets.authoring.recording.kept_requests import (
    KeptAnswer,
    KeptExchange,
    masked_data,
)
from connector_assets.authoring.recording.recording_folder import RecordedStream, Recording
from connector_assets.authoring.recording.replay import rows_of
from connector_assets.authoring.recording.scrub import Scrubber, said_by
from connector_assets.authoring.recording.sent_requests import kept_request
from connector_assets.errors import ConfigError
from connector_assets.reading.connector import ReadContext, lasting
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.reading.yielded import closing_if_closable
from connector_assets.runtime.body.unpack import unpacked
from connector_assets.runtime.by_hand import AS_THE_SPEC_SAYS
from connector_assets.runtime.http.exchange import Answer, Limits
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.auth.auth import choose
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint

PAGES = 3
MAX_BYTES = 1 << 20
MAX_REQUESTS = 200
_LEAST = 1 << 20
_PASSING = (401, 408, 429, *range(500, 600))
_ALWAYS = ("content-type", "link", "location")
_TOLD_ELSEWHERE = ("set-cookie", "date", "server", "content-length", "content-encoding")


@dataclass(frozen=True)
class Bounds:
    """How much of a stream is recorded: pages, bytes of answers, requests."""

    pages: int = PAGES
    bytes: int = MAX_BYTES
    requests: int = MAX_REQUESTS


Opens = Callable[[str], ReadContext[Any]]
"""Opens a stream by its name, with the values of its connection."""


@dataclass
class Recorder:
    """Reads streams of a spec and keeps what was asked and answered; secrets by name alone."""

    spec: ConnectorSpec
    data: Mapping[str, Any]
    bounds: Bounds = field(default_factory=Bounds)
    notes: list[str] = field(default_factory=list)
    readings: list[ReadContext[Any]] = field(default_factory=list, repr=False)
    _kept: list[KeptExchange] = field(default_factory=list)
    _bytes: int = 0

    def recorded(
        self, names: Sequence[str], opens: Opens, runtime: Callable[..., HttpRuntime]
    ) -> Recording:
        """What the streams are, not scrubbed yet; raises a ConnectorError where one cannot be read.

        `runtime` makes one with a given clock and observer.
        """
        at = dt.datetime.now(dt.UTC).replace(microsecond=0)
        streams: dict[str, RecordedStream] = {}
        config: dict[str, Any] = {}
        auth = 0
        with runtime(clock=ClockAt(at), observe=self.observe) as http:
            for name in names:
                opened = replace(opens(name), preview=True, max_pages=self.bounds.pages)
                stream = self.spec.stream(name)
                reading = replace(opened, stream=stream, by_hand=AS_THE_SPEC_SAYS)
                self.readings.append(reading)
                self._kept, self._bytes = [], 0
                streams[name] = self._stream(YamlConnector(self.spec, http), reading)
                config |= reading.config
                auth = self._auth(reading)
        return Recording(self.spec.id, at, config, auth, streams)

    def observe(self, endpoint: Endpoint, request: Request, answer: Answer) -> None:
        """Take down an exchange, with every secret that is known by now masked."""
        reading = self.readings[-1]
        if len(self._kept) >= self.bounds.requests:
            raise ConfigError(
                f"takes more than {self.bounds.requests} requests",
                where=reading.label,
                fix="raise --requests, or record its parent alone",
            )
        mask = reading.secrets.mask
        try:
            kept = kept_request(endpoint, request, mask)
            body = KeptBody.of(self._raw(answer))
        except NoText:
            what = f"{request.label} is answered with what is no text in UTF-8"
            raise ConfigError(what, where=reading.label, fix="leave that stream out") from None
        headers = tuple(
            (name, mask(value)) for name, value in answer.headers.items() if self._counts(name)
        )
        masked = KeptBody(body.kind, masked_data(body.content, mask))
        self._kept.append(
            KeptExchange(endpoint.id, kept, KeptAnswer(answer.status, headers, masked))
        )

    def mask(self, text: str) -> str:
        """A text without the secrets of the connection, and tokens that were given meanwhile."""
        for one in self.readings:
            text = one.secrets.mask(text)
        return text

    def holds_secret(self, text: str) -> bool:
        """Whether one is in a text."""
        return any(one.secrets.holds(text) for one in self.readings)

    def _raw(self, answer: Answer) -> bytes:
        reading = self.readings[-1]
        if answer.file is not None:
            answer.file.seek(0)
        # A packed file is kept as what is in it.
        plain = unpacked(answer, Limits(max_bytes=max(self.bounds.bytes, _LEAST)))
        raw = plain.body if plain.file is None else plain.file.read(self.bounds.bytes + 1)
        if answer.file is not None:
            answer.file.seek(0)
        self._bytes += len(raw)
        if len(raw) > self.bounds.bytes:
            raise ConfigError(
                f"one answer has more than {self.bounds.bytes:,} bytes",
                where=reading.label,
                fix="raise --max-bytes, or ask for smaller pages",
            )
        return raw

    def _counts(self, header: str) -> bool:
        """Whether a header of an answer may mean something to the spec."""
        if header in _TOLD_ELSEWHERE:
            return False
        return header in _ALWAYS or header in self._words

    @property
    def _words(self) -> str:
        return str(self.data).lower()

    def _auth(self, reading: ReadContext[Any]) -> int:
        if not self.spec.auth:
            return 0
        chosen = choose(self.spec.auth, reading.auth, reading.secrets)
        return next((n for n, one in enumerate(self.spec.auth) if one is chosen), 0)

    def _stream(self, connector: YamlConnector, reading: ReadContext[Any]) -> RecordedStream:
        pages, complete, stopped = 0, True, False
        read = connector.read(reading)
        with closing_if_closable(read):
            for batch in lasting(read):
                pages += not batch.partial
                enough = pages >= self.bounds.pages or self._bytes > self.bounds.bytes
                if enough and not batch.partial:
                    stopped, complete = True, batch.complete
                    break
        self.notes += [f"{reading.stream.name}: {note}" for note in reading.stats.notes]
        return RecordedStream(
            _settled(self._kept),
            pages=pages,
            complete=complete and not reading.stats.truncated,
            stopped=stopped,
            most=self.bounds.pages,
            vars=dict(reading.vars),
        )


def _settled(kept: Sequence[KeptExchange]) -> list[KeptExchange]:
    """Without answers that were refusals of a moment, where a later one is there."""
    last = {str(one.request.plain()): number for number, one in enumerate(kept)}
    return [
        one
        for number, one in enumerate(kept)
        if one.answer.status not in _PASSING or last[str(one.request.plain())] == number
    ]


def scrubbed(
    recording: Recording,
    spec: ConnectorSpec,
    data: Mapping[str, Any],
    mask: Callable[[str], str],
    *,
    keep: Sequence[str] = (),
    also: Sequence[str] = (),
) -> Recording:
    """The recording with secrets and values of people replaced, in requests and answers alike.

    What is to be replaced is looked for in all of it first, so that a value is replaced before the
    place where it is known by its name, too.
    """
    kept = {*said_by(data), *_in_addresses(recording)}
    scrubber = Scrubber(mask, kept=kept, keep=keep, also=also)
    for _ in range(2):
        config = scrubber.data(dict(recording.config))
        streams = {
            name: replace(
                one, exchanges=[_scrubbed(each, spec, scrubber) for each in one.exchanges]
            )
            for name, one in recording.streams.items()
        }
    return replace(recording, config=config, streams=streams)


def _in_addresses(recording: Recording) -> Iterator[str]:
    """Config values that are part of a host: an address would lead nowhere without them."""
    hosts = {
        one.request.url.split("/")[2]
        for each in recording.streams.values()
        for one in each.exchanges
    }
    for value in recording.config.values():
        text = str(value)
        if text and any(text in host or host in text for host in hosts):
            yield text


def _scrubbed(one: KeptExchange, spec: ConnectorSpec, scrubber: Scrubber) -> KeptExchange:
    endpoint = spec.endpoint(one.endpoint)
    table = endpoint.csv if endpoint.response_format == "csv" else None
    headers = tuple((name, scrubber.text(value)) for name, value in one.answer.headers)
    answer = KeptAnswer(one.answer.status, headers, one.answer.body.scrubbed(scrubber, table))
    return KeptExchange(one.endpoint, one.request.scrubbed(scrubber), answer)


def with_rows(recording: Recording, data: Mapping[str, Any]) -> Recording:
    """The recording with the rows that the spec makes of it: it is replayed for that.

    Raises ConfigError where what was scrubbed is asked for in another way.
    """
    streams = {}
    for name, one in recording.streams.items():
        told = rows_of(data, recording, name)
        if told.error or told.missing or told.new:
            why = next(filter(None, [*told.new, told.error, *told.missing]))
            fix = "keep the values that requests are made of: --keep FIELD"
            raise ConfigError(f"cannot be replayed: {why}", where=name, fix=fix)
        streams[name] = replace(one, rows=told.rows)
    return replace(recording, streams=streams)
