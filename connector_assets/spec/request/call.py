"""The next request, as data: frozen, serialisable and free of secrets, so it is the checkpoint.

A paginator keeps no state of its own. What it must remember (rows so far, the server's true page
size) rides in the `Call`, so a run that was killed goes on from the last `Call` on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from connector_assets.spec.names.url import query_names
from connector_assets.spec.request import body_path
from connector_assets.spec.request.stored import Deferred, dumps, loads

Sent = Literal["query", "header", "body"]
Where = Literal[Sent, "template"]
"""Where a value is sent; `template`: wherever a template of the request reads it."""
Encoding = Literal["json", "form", "text"]


class Seen(Struct, frozen=True):
    """What a walk has seen of its list that no later page may tell again.

    `told` is the number of rows in all, as the server said last. `bare` counts the pages without
    rows since the last with some, `ignored` the answers that a rule ignored, `passed` the positions
    of an offset list that were passed over though no row came for them. `first` and `last` stand
    for the rows of the first page, and of the one before a `probe`. `again` says that a page came
    whose rows had come before.
    """

    told: int | None = None
    bare: int = 0
    ignored: int = 0
    passed: int = 0
    first: str = ""
    last: str = ""
    again: bool = False


# Not a dataclass: several are made for each page, and to change one would take 30 times as long.
class Call(Struct, frozen=True):
    """One request to be made.

    `url`, `params`, `headers` and `body` hold plain values or `Deferred` templates. `names` are
    what these read as `page.x`. `page` counts from 1; `rows_before` counts the rows of earlier
    pages; `page_size` is the most rows that one of them had, once known. `followed` marks a URL the
    server gave: it is used as it stands, and `params` then holds nothing of the endpoint's but what
    of `kept`, its parameters, the URL leaves out. `probe` marks a request made only to make sure
    that the page before was the last. `job` is what is known of an export that was created, and how
    much of it has been read.
    """

    method: str
    url: str | Deferred
    params: Mapping[str, Any] = {}
    headers: Mapping[str, Any] = {}
    body: Any = None
    encoding: Encoding = "json"
    page: int = 1
    rows_before: int = 0
    page_size: int | None = None
    followed: bool = False
    probe: bool = False
    job: Mapping[str, Any] | None = None
    names: Mapping[str, Any] = {}
    kept: Mapping[str, Any] = {}
    seen: Seen = Seen()

    def get(self, name: str, where: Where = "query") -> Any:
        """The value now at `name`; in a body, `name` is a path."""
        if where == "query":
            return self.params.get(name)
        if where == "header":
            return self.headers.get(name)
        return body_path.get(self.body, self._steps(name)) if where == "body" else None

    def put(self, name: str, value: Any, where: Where = "query") -> Call:
        """This call with `value` at `name`; in a body, `name` is a path, but in a form a name.

        >>> Call("POST", "u").put("variables.after", "c1", "body").body
        {'variables': {'after': 'c1'}}
        """
        if value is not None and self.get(name, where) is value:
            return self
        if where == "query":
            return replace(self, params={**self.params, name: value})
        if where == "header":
            return replace(self, headers={**self.headers, name: value})
        if where == "template":
            return self
        return replace(self, body=body_path.put(self.body, self._steps(name), value))

    def naming(self, **names: Any) -> Call:
        """This call with `names` for the templates that read `page.<name>`; None takes one away."""
        merged = {
            name: value for name, value in {**self.names, **names}.items() if value is not None
        }
        return self if merged == self.names else replace(self, names=merged)

    def _steps(self, name: str) -> body_path.Steps:
        return (name,) if self.encoding == "form" else body_path.steps(name)

    def follow(self, url: str, *, keep: bool = False) -> Call:
        """This call at a URL the server gave; with `keep` its parameters go where that has none."""
        kept = (self.kept or self.params) if keep else {}
        names = query_names(url) if kept else ()
        params = {name: value for name, value in kept.items() if name not in names}
        return replace(self, url=url, params=params, kept=kept, followed=True)

    def after(self, rows: int) -> Call:
        """The bookkeeping of one page with `rows` passed, whatever is then changed for the next."""
        return replace(
            self,
            page=self.page + 1,
            rows_before=self.rows_before + rows,
            page_size=max(self.page_size or 0, rows) or None,
            probe=False,
        )

    def of_job(self, job: Mapping[str, Any]) -> Call:
        """This call, where a run goes on with `job`."""
        return replace(self, job=job)

    @property
    def identity(self) -> Call:
        """This call without its bookkeeping: asking for the same page twice is a loop."""
        return replace(self, page=1, rows_before=0, page_size=None, probe=False, seen=_UNSEEN)

    def dumps(self) -> str:
        return dumps(self)

    @classmethod
    def loads(cls, text: str) -> Call:
        """What `dumps` wrote; ValueError for anything else."""
        return cls.of(loads(text))

    @classmethod
    def of(cls, fields: Any) -> Call:
        """The call with these `fields`; ValueError where they are not those of a call."""
        try:
            return msgspec.convert(fields, cls, from_attributes=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


_UNSEEN = Seen()
Outcome = Literal["rows", "ignored", "end", "past"]
"""What an answer is to its list: rows; none, as a rule says, and the list goes on or is complete;
or none because the request was a probe beyond the end.
"""


class PageView(Protocol):
    """What a paginator may ask of an answer; paths are JMESPath."""

    outcome: Outcome

    @property
    def count(self) -> int:
        """Rows as the server sent them, before any filter."""
        ...

    @property
    def url(self) -> str:
        """The URL that answered, after redirects."""
        ...

    def field(self, path: str) -> Any:
        """The value at `path` in the body, None where it is absent."""
        ...

    def has(self, path: str) -> bool:
        """Whether there is anything at `path` in the body, null included."""
        ...

    def header(self, name: str) -> str | None: ...

    def last(self, path: str) -> Any:
        """The value at `path` in the last row, None without rows."""
        ...
