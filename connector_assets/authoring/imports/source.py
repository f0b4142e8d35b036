"""Where a document to import comes from: a file, a URL through the guard, or text as it is given.

A document may name others (`$ref: parts.yaml#/Order`). They are read from its own folder and what
is below it, or from the folders and URLs that a person named: a stranger's document opens nothing
else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from connector_assets.errors import BlockedError, ConfigError, SpecError
from connector_assets.spec.names.url import join

if TYPE_CHECKING:
    from threading import Event

    from connector_assets.runtime.runtime import HttpRuntime

MAX_BYTES = 64 << 20
"""Largest document that is imported."""

Fetch = Callable[[str], bytes]
"""The body at a URL, asked through the guard."""


@dataclass(frozen=True)
class Source:
    """A document's bytes; `name` is what messages call it, without a query string.

    `url` is where it was fetched from, empty for a file or a text. `beside(ref)` is another
    document that this one names, and raises BlockedError for one that it may not.
    """

    name: str
    raw: bytes = field(repr=False)
    url: str = ""
    beside: Callable[[str], Source] = field(
        default_factory=lambda: _nothing_beside, repr=False, compare=False
    )

    @property
    def stem(self) -> str:
        """The file's name without its suffix; of a URL the host."""
        return urlsplit(self.url).hostname or "" if self.url else Path(self.name).stem


def _nothing_beside(ref: str) -> Source:
    raise BlockedError(f"names {ref}, and a text has no folder", fix="give a file or a URL")


def open_source(
    given: str, *, refs: Sequence[str] = (), fetch: Fetch | None = None, takes_text: str = ""
) -> Source:
    """The document that `given` names: a file, a URL, `-` for stdin, or the text itself.

    It is the text where it begins with `takes_text`.
    `refs` are further folders and URL prefixes whose documents it may name.
    """
    if given == "-":
        return Source("stdin", bounded(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin"))
    if takes_text and given.lstrip().startswith(takes_text):
        return Source("the command line", given.encode("utf-8", "replace"))
    if given.lower().startswith(("http://", "https://")):
        return _Places(refs, fetch).at_url(given, root=join(given, "."))
    return _Places(refs, fetch).file(Path(given), root=_resolved(Path(), given).parent)


def fetched_by(
    runtime: HttpRuntime,
    *,
    most: int = MAX_BYTES,
    seconds: float = 120,
    cancel: Event | None = None,
) -> Fetch:
    """A fetch through `runtime`: guarded, bounded in size and time, without credentials.

    `cancel` ends one that is under way.
    """
    import threading

    from connector_assets.redact import Secrets
    from connector_assets.runtime.stats import Stats
    from connector_assets.runtime.values import Values
    from connector_assets.spec.document import parse_connector

    def fetch(url: str) -> bytes:
        parts = urlsplit(url)
        bare = parts._replace(query="", fragment="").geturl().replace("{{", "%7B%7B")
        endpoint = {
            "id": "document",
            "url": bare,
            "params": dict(parse_qsl(parts.query)),
            "headers": {"Accept": "application/json, application/yaml, text/yaml, */*"},
            "maxResponseBytes": most,
            "timeoutSeconds": seconds,
        }
        document = {
            "kind": "connector",
            "version": "1.0",
            "id": "import",
            "displayName": "import",
            "endpoints": [endpoint],
            "read": {"primary": "document"},
        }
        try:
            spec = parse_connector(json.dumps(document))
        except SpecError as error:
            fault = error.faults[0]
            raise ConfigError(fault.message, where=shown(url)) from None
        values = Values("import", {}, Secrets())
        ended = cancel or threading.Event()
        http = runtime.http(spec, spec.streams[0], values, stats=Stats(), cancel=ended)
        return http.get().content

    return fetch


def bounded(raw: bytes, name: str) -> bytes:
    """`raw`, unless it is more than a document may have."""
    if len(raw) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES >> 20} MiB"
        raise ConfigError(what, where=name, fix="cut out the part that is needed")
    return raw


def shown(url: str) -> str:
    """A URL without user, query and fragment, any of which may hold a secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


@dataclass(frozen=True)
class _Places:
    """What may be opened beside a document."""

    refs: Sequence[str]
    fetch: Fetch | None

    def file(self, path: Path, *, root: Path) -> Source:
        try:
            with path.open("rb") as file:
                raw = bounded(file.read(MAX_BYTES + 1), str(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            raise ConfigError(f"cannot be read: {reason.lower()}", where=str(path)) from None

        def beside(ref: str) -> Source:
            if urlsplit(ref).scheme:
                return self._named_url(ref)
            target = _resolved(path.parent, unquote(ref))
            folders = [root, *(Path(one).resolve() for one in self.refs if "://" not in one)]
            if not any(target.is_relative_to(one) for one in folders):
                what = f"names {ref}, which is outside {root}"
                raise BlockedError(what, where=str(path), fix="pass --refs FOLDER to allow it")
            return self.file(target, root=root)

        return Source(str(path), raw, beside=beside)

    def at_url(self, url: str, *, root: str) -> Source:
        if self.fetch is None:
            raise ConfigError("a URL needs a way to be fetched", where=shown(url))
        raw = bounded(self.fetch(url), shown(url))

        def beside(ref: str) -> Source:
            target = join(url, ref)
            if _is_below(target, root):
                return self.at_url(target, root=root)
            return self._named_url(target)

        return Source(shown(url), raw, url, beside=beside)

    def _named_url(self, url: str) -> Source:
        for prefix in self.refs:
            if "://" in prefix and _is_below(url, prefix):
                return self.at_url(url, root=prefix)
        what = f"names {shown(url)}, which is elsewhere"
        raise BlockedError(what, fix="pass --refs URL to allow it")


def _is_below(url: str, prefix: str) -> bool:
    one, other = urlsplit(url), urlsplit(prefix)
    same = (one.scheme, one.netloc) == (other.scheme, other.netloc)
    folder = other.path if other.path.endswith("/") else f"{other.path}/"
    # Servers undo percent signs before they look where a path leads.
    return same and ".." not in unquote(one.path) and f"{one.path}/".startswith(folder)


def _resolved(folder: Path, name: str) -> Path:
    try:
        return (folder / name).resolve()
    except (OSError, ValueError, RuntimeError):
        raise ConfigError("cannot be read: is no path", where=str(folder / name)) from None
