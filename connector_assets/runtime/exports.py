"""An export's requests: its job created and asked about, its files downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from connector_assets.runtime.answers.renewal import Renewal
from connector_assets.runtime.answers.rules import Meaning
from connector_assets.runtime.body.json_document import refuse_cut_off
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.session import GOOD, Session, limits_of
from connector_assets.runtime.walk.export_job import Export
from connector_assets.runtime.walk.paginate import Step
from connector_assets.spec.request.call import Call


@dataclass(frozen=True)
class Exporting:
    """The export of a session's endpoint."""

    session: Session

    def steps(
        self, start: Call, first: Call, walk: Callable[..., Iterator[Step]]
    ) -> Iterator[Step]:
        """The pages of the export: of the job in `start`, else of a new one.

        `walk` goes through the pages of a download.
        """
        session = self.session
        assert session.endpoint.job is not None
        export = Export(
            job=session.endpoint.job,
            endpoint=session.endpoint,
            scope=session.scope,
            origins=session.origins,
            create=self._create,
            ask=self._ask,
            download=self._download,
            walk=walk,
            clock=session.patience.clock,
            cancel=session.cancel,
        )
        return export.steps(start, first)

    def _create(self, call: Call) -> Answer | Page:
        return self.session.tries(call, partial(self._created, call))

    def _created(self, call: Call, answer: Answer, meaning: Meaning) -> Answer | Page:
        if meaning.action in GOOD:
            if answer.body.strip():  # else the job's address is in a header
                refuse_cut_off(answer.body)
            return answer
        return self.session.page(call, answer, meaning)

    def _ask(self, call: Call, to_own_origin: bool) -> Answer:
        """The answer to a request of an export; credentials go to the API's own origin only."""
        return (self.session if to_own_origin else self._without_auth()).tries(call, self._asked)

    def _asked(self, answer: Answer, meaning: Meaning) -> Answer:
        if meaning.action not in GOOD:
            raise self.session.failure(answer, meaning)
        refuse_cut_off(answer.body)
        return answer

    def _download(self, call: Call, to_own_origin: bool) -> Page:
        """A page of a file."""
        session = self.session if to_own_origin else self._without_auth()
        return replace(session, limits=limits_of(session.endpoint, is_file=True)).fetch(call)

    def _without_auth(self) -> Session:
        return replace(self.session, renewal=Renewal(None, self.session.stats))
