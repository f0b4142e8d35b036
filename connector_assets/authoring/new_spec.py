"""A spec from a few answers: its id, the URLs of lists, how they page and what they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

import yaml

from connector_assets.authoring.formatted import formatted
from connector_assets.authoring.imports.draft import Names
from connector_assets.authoring.imports.secret_values import is_secret_name
from connector_assets.authoring.new_auth import NO_AUTH, SaidAuth
from connector_assets.errors import ConfigError

PaginationKind = Literal["none", "cursor", "next_url", "link_header", "offset", "page"]
PAGINATIONS: tuple[str, ...] = get_args(PaginationKind)


@dataclass(frozen=True)
class Answers:
    """What somebody says of an API; what is said of a list holds for all of `urls`.

    `streams` are the names of the lists in turn. `field` is where answers hold the next cursor or
    URL, `param` the name under which a cursor, an offset or a page number is sent. `per_second` is
    the vendor's limit. `cursor` is a field of the rows that rises, and `since_param` the
    parameter that asks for rows from its value on. What is None was not said.
    """

    id: str
    urls: Sequence[str]
    streams: Sequence[str] = ()
    auth: SaidAuth = NO_AUTH
    rows: str | None = None
    key: Sequence[str] | None = None
    pagination: PaginationKind | None = None
    field: str | None = None
    param: str | None = None
    page_size: int | None = None
    size_param: str | None = None
    description: str | None = None
    docs_url: str | None = None
    per_second: float | None = None
    cursor: str | None = None
    since_param: str | None = None

    def about(self) -> dict[str, Any]:
        """What is said of the whole API, as a spec has it."""
        limit = {"requestsPerSecond": self.per_second} if self.per_second else None
        told = {"description": self.description, "docsUrl": self.docs_url, "rateLimit": limit}
        return given(told)

    def paging(self) -> dict[str, Any] | None:
        """The pagination as a spec has it, None where there is none."""
        if self.pagination in (None, "none"):
            return None
        own: dict[str, Any] = {}
        if self.pagination == "cursor":
            own = {"cursorField": self.field, "cursorParam": self.param}
        elif self.pagination == "next_url":
            own = {"urlField": self.field}
        elif self.pagination in ("offset", "page"):
            own = {f"{self.pagination}Param": self.param}
        if self.pagination in ("cursor", "page"):
            own |= {"pageSize": self.page_size, "pageSizeParam": self.size_param}
        if self.pagination == "offset":
            own |= {"pageSize": self.page_size, "limitParam": self.size_param}
        return given({"type": self.pagination, **own, "maxPages": "unlimited"})

    def increment(self) -> dict[str, Any] | None:
        """The position as a stream has it, None where nothing is said of one."""
        if bool(self.cursor) != bool(self.since_param):
            fix = "give both: the field of the rows, and the parameter that is sent its value"
            raise ConfigError("are of use together only", where="--cursor, --since-param", fix=fix)
        return {"cursorField": self.cursor, "startParam": self.since_param} if self.cursor else None

    def size_params(self) -> dict[str, str]:
        """The size of a page as a parameter, where the pagination does not send it."""
        follows = self.pagination in ("next_url", "link_header")
        if follows and self.size_param and self.page_size:
            return {self.size_param: str(self.page_size)}
        return {}


@dataclass(frozen=True)
class ListUrl:
    """Where one list is: the name of its stream, path and parameters below a common base."""

    name: str
    url: str
    path: str
    params: dict[str, str]


def new_spec(said: Answers) -> str:
    """The text of a valid spec; SpecError or ConfigError where the answers do not make one."""
    base, lists = lists_of(said)
    auth, secrets = said.auth.spec()
    about = said.about()
    limit = about.pop("rateLimit", None)
    defaults = {"baseUrl": base, "pagination": said.paging(), "responseRowsPath": said.rows}
    document: dict[str, Any] = {
        "kind": "connector",
        "version": "1.0",
        "id": said.id,
        "displayName": said.id.replace("_", " ").capitalize(),
        **about,
        "secrets": {one: {"description": says} for one, says in secrets.items()},
        "auth": auth,
        "defaults": given(defaults),
        "rateLimit": limit,
        "endpoints": [
            given({"id": one.name, "url": one.path, "params": one.params | said.size_params()})
            for one in lists
        ],
        "read": {
            "streams": [
                given(
                    {
                        "name": one.name,
                        "primaryKey": list(said.key or ()),
                        "incremental": said.increment(),
                    }
                )
                for one in lists
            ]
        },
    }
    written = yaml.safe_dump(given(document), sort_keys=False, allow_unicode=True, width=4096)
    return formatted(written, source="the new spec")


def lists_of(said: Answers) -> tuple[str, list[ListUrl]]:
    """The base of all URLs, and the lists below it; nothing in them may be a secret."""
    if len(said.streams) > len(said.urls):
        raise ConfigError("there are more names than URLs", where="--name")
    parts = [_parts(url) for url in said.urls]
    origins = {one.netloc: f"{one.scheme}://{one.netloc}" for one, _ in parts}
    if len(origins) > 1:
        what = f"are of several servers: {', '.join(origins)}"
        raise ConfigError(what, where="url", fix="write a spec for each")
    (origin,) = origins.values()
    above = _above([one.path.rstrip("/") for one, _ in parts])
    names = Names()
    found = []
    for number, (one, params) in enumerate(parts):
        path = one.path.rstrip("/")[len(above) :] or "/"
        word = re.sub(r"[^a-z0-9]+", "_", path.rpartition("/")[2].lower()).strip("_")
        name = said.streams[number] if number < len(said.streams) else names.new(word)
        found.append(ListUrl(name, f"{origin}{one.path}", path, params))
    return f"{origin}{above}", found


def _above(paths: Sequence[str]) -> str:
    """The path that all have in common, up to a slash and without their last parts."""
    split = [path.split("/")[:-1] for path in paths]
    return "/".join(_common(split))


def _common(split: Sequence[Sequence[str]]) -> Iterator[str]:
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            return
        yield parts[0]


def _parts(url: str) -> tuple[Any, dict[str, str]]:
    """The parts of a list's URL, and its parameters."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise ConfigError(
            "is not a URL of a list, as https://api.example.com/v1/orders", where="url"
        )
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    named = [name for name in params if is_secret_name(name)]
    if parts.username or parts.password or named:
        raise ConfigError(
            "holds a credential", where="url", fix="leave it out, and say what auth the API takes"
        )
    return parts, params


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody said."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
