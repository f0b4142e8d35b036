"""The pages of one list: how they are gone through, and what is counted meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec import structs

from connector_assets.errors import ConnectorError
from connector_assets.runtime.exports import Exporting
from connector_assets.runtime.http.render import shown
from connector_assets.runtime.session import Session
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.walk.conditional import Conditional
from connector_assets.runtime.walk.export_job import capped
from connector_assets.runtime.walk.paginate import Step, restarting, walk
from connector_assets.spec.request.call import Call


@dataclass(frozen=True)
class Walk:
    """How the pages of one list are gone through.

    `start` resumes at a call of an earlier walk. `bindings` are further names for templates, and
    `adjust` changes the first call. `max_pages` ends it early; `truncate` ends it at the spec's own
    cap, where that is an error else. `may_restart` says that the caller heeds `Step.restarted`,
    `conditional` that it heeds `Page.unchanged`, `ask_ahead` that it keeps no page waiting: the
    next request may be under way meanwhile. `label` names the list in what is said of it.
    `may_be_gone` says that what `adjust` adds, and `cursor` in the bindings, came from the server
    in an earlier run: where it asks to start over, or answers 410, they are left out.
    """

    start: Call | None = None
    bindings: Mapping[str, Any] = field(default_factory=dict)
    adjust: Callable[[Call], Call] | None = None
    max_pages: int | None = None
    truncate: bool = False
    may_restart: bool = False
    may_be_gone: bool = False
    ask_ahead: bool = False
    label: str = ""
    conditional: Conditional | None = None


def steps_of(session: Session, first: Call, how: Walk, concurrency: int) -> Iterator[Step]:
    """The steps of a list that begins with `first`, as they come and once they are counted."""
    start, truncate = how.start or first, how.truncate
    pagination = session.endpoint.pagination
    cap = None if pagination.max_pages == "unlimited" else pagination.max_pages
    if how.max_pages is not None:
        cap, truncate = how.max_pages, True
    elif pagination.on_max_pages:
        truncate = pagination.on_max_pages == "truncate"
    begin = partial(
        walk,
        pagination,
        fetch=session.fetch,
        ahead=session.ahead,
        begin=session.begin if how.ask_ahead else None,
        max_pages=cap,
        truncate=truncate,
        width=1 if truncate else concurrency,
    )
    if session.endpoint.job:
        steps = capped(Exporting(session).steps(start, first, begin), how.max_pages)
    else:
        steps = restarting(
            begin,
            start,
            first,
            may_restart=how.may_restart,
            may_be_gone=how.may_be_gone,
        )
    try:
        for step in steps:
            if step.restarted:
                session.stats.note("the server had the list begun anew")
            yield _counted(step, session.stats, how.label)
    except ConnectorError as error:
        raise error.at(shown(start, session.scope)).masked(session.secrets.mask) from None


def _counted(step: Step, stats: Stats, label: str) -> Step:
    """`step`, once it is in the counters; `label` says of which list it is."""
    if step.lacks and label:
        step = structs.replace(step, lacks=f"{label}: {step.lacks}")
    stats.truncated |= step.truncated
    stats.add(pages=not step.partial, rows=step.page.count)
    stats.lack(step.lacks)
    stats.ignore(step.ignored)
    for note in step.notes:
        stats.note(note)
    return step
