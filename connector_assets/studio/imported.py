"""A document of another kind, pasted or dropped, as a draft: by the importers of `import`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.kinds import KINDS
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.workbench import Workbench
from connector_assets.errors import ConfigError

# What a document of the kind has near its beginning, looked for in this order.
_SIGNS = (
    ("curl", r"\A\s*(?:\$ )?curl\s"),
    ("airbyte", r"""["']?type["']?\s*:\s*["']?DeclarativeSource"""),
    ("openapi", r"""^\s*\{?\s*["']?(?:openapi|swagger)["']?\s*:"""),
    ("postman", r"schema\.getpostman\.com|_postman_id"),
    ("har", r"""["']log["']\s*:\s*\{[^{}]*["'](?:version|creator|entries|pages|browser)["']"""),
    ("dlt", r"""["']?resources["']?\s*:[\s\S]*|rest_api_source|RESTAPIConfig"""),
    ("sling", r"""^(?:endpoints|queues|defaults)\s*:"""),
)
_LOOKED_AT = 200_000


def imported(
    bench: Workbench,
    *,
    text: str = "",
    url: str = "",
    kind: str = "",
    name: str = "",
    select: Sequence[str] = (),
    connector: str = "",
) -> dict[str, Any]:
    """The draft and its report. Of `text` and `url` one is given; a `kind` of "" is guessed."""
    if bool(text.strip()) == bool(url.strip()):
        raise ConfigError("give one of both: text or url", where="import")
    if url.strip() and not url.strip().lower().startswith(("http://", "https://")):
        raise ConfigError("is no http:// or https:// address", where="url", fix="paste the text")
    raw = Source(name or "the text", text.encode("utf-8", "replace"))
    source = bench.source(url.strip()) if url.strip() else raw
    kind = kind or kind_of(source.raw.decode("utf-8", "replace"))
    draft = import_spec(kind, source, WantedDraft(tuple(select), connector or None))
    told = draft.plain()
    return {
        "ok": True,
        "id": draft.id,
        "kind": kind,
        "yaml": draft.text,
        "summary": draft.secrets.mask(draft.summary()),
        "streams": told["streams"],
        "remarks": told["remarks"],
        "secrets": told["secrets"],
    }


def kind_of(text: str) -> str:
    """The importer that reads a document, told by its looks; ConfigError where none is known.

    >>> kind_of("curl https://api.example.com/v1/orders")
    'curl'
    """
    for kind, sign in _SIGNS:
        if re.search(sign, text[:_LOOKED_AT], re.MULTILINE):
            return kind
    known = ", ".join(one.name for one in KINDS)
    raise ConfigError("its kind cannot be told", where="import", fix=f"choose one of {known}")
