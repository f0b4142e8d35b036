"""An export that is asked for, waited for, and then downloaded."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.body import Body
from connector_assets.spec.templates.template import Template

State = str | int | bool
HeaderName = Annotated[str, Field(min_length=1, max_length=200)]
Wait = Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)]


class Poll(Model):
    """How to ask whether an export is done: `{url: "/exports/{{response.id}}", done: [ready]}`."""

    url: Template | None = None
    """The address, on the API's own origin; `response` is the answer that created the job. Exactly
    one of url, urlPath and urlHeader is given.
    """
    url_path: Path | None = None
    """Path of the address in the answer that created the job."""
    url_header: HeaderName | None = None
    """Header of that answer that holds the address, as Location."""
    method: Literal["GET", "POST"] = "GET"
    """How it is asked."""
    body: Body | None = None
    """What is sent with POST; its templates may read `response`."""
    status_path: Path = Path("status")
    """Path of the state in the answer."""
    done: Annotated[Many[State], Field(min_length=1)]
    """States in which the result is there; every other one but `failed` means to wait."""
    failed: Many[State] = ()
    """States in which there will be no result."""
    every_seconds: Wait = 2.0
    """Wait before the first question; it grows by half each time."""
    max_every_seconds: Wait = 60.0
    """The longest wait between two questions."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.url, self.url_path, self.url_header]
        if sum(one is not None for one in given) != 1:
            raise fault("url", "is required; give one of url, urlPath, urlHeader")
        if self.body is not None and self.method == "GET":
            raise fault("body", "is sent with method: POST only")
        return self


class Download(Model):
    """Where the result is: `{urlPath: result.url}`, or `{url: "/exports/{{response.id}}/file"}`."""

    url: Template | None = None
    """The address; `response` is the last answer, over the one that created the job."""
    url_path: Path | None = None
    """Path of the URL, or of a list of URLs, in the last answer. Null or an empty list has no rows.
    On another origin it must be declared in `origins`, and is sent no credentials.
    """
    url_header: HeaderName | None = None
    """Header of the last answer that holds the URL."""
    max_bytes: Annotated[int, Field(ge=1, le=1 << 44)] = 16 << 30
    """Largest file, in bytes as it is stored; default 16 GiB. It goes to a temporary file first.
    Its rows are read from there in parts; a single row may have `maxResponseBytes`.
    """

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.url, self.url_path, self.url_header)) != 1:
            raise fault("url", "is required; give one of url, urlPath, urlHeader")
        return self


class Job(Model):
    """The endpoint's own request creates an export; this says how its rows come from there."""

    type: Literal["poll"] = "poll"
    """How it is known that the export is done; so far by asking."""
    poll: Poll
    """How to ask whether it is done."""
    download: Download
    """Where the result is then; it is read as the endpoint's `responseFormat` says."""
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 3_600.0
    """How long the export may take, from its creation until it is done."""

    def state(self, value: Any) -> Literal["done", "failed", "waiting"]:
        """What a state that the server gave means; numbers and booleans count as they are written.

        >>> job.state("ready")
        'done'
        """
        told = _written(value)
        if told in map(_written, self.poll.done):
            return "done"
        return "failed" if told in map(_written, self.poll.failed) else "waiting"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
