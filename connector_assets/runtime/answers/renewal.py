"""Other credentials where a rule of the spec says that those sent are not good any more."""

from __future__ import annotations

from dataclasses import dataclass

from connector_assets.runtime.answers.rules import Meaning
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.stats import Stats
from connector_assets.spec.auth.credentials import Flow


@dataclass(frozen=True)
class Renewal:
    """An auth, and what becomes of it where a rule asks for a new one.

    Several reads whose tokens are refused together get new ones once: the auth looks into the store
    of tokens before it asks for any.
    """

    auth: Flow | None
    stats: Stats

    def after(self, answer: Answer, meaning: Meaning) -> bool:
        """Whether the request may be sent again with other credentials, once."""
        # After a 401 the auth has renewed by itself, or could not.
        if not meaning.rule or answer.status == 401 or self.auth is None:  # noqa: PLR2004
            return False
        if not self.auth.refuse():
            return False
        self.stats.add(retries=1)
        return True
