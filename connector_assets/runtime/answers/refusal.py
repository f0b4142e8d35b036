"""What is said, and raised, where an answer is no success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector_assets.errors import AuthError, RequestError, StartOver
from connector_assets.runtime.answers.permission import may_not
from connector_assets.runtime.answers.rules import Meaning
from connector_assets.runtime.answers.wording import ADVICE, said
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.auth.credentials import Flow


@dataclass(frozen=True)
class Refusal:
    """What an error of one endpoint may tell.

    `mask` hides secrets. `secret_names` are what the auth reads and `scopes` what it asks for, both
    named where the server refuses. `verbose` quotes the server, masked and cut.
    """

    mask: Callable[[str], str]
    secret_names: Sequence[str] = ()
    scopes: Sequence[str] = ()
    verbose: bool = False

    def of(self, answer: Answer, meaning: Meaning, auth: Flow | None) -> RequestError:
        """The error that `answer` is, of credentials or of the request."""
        what = self._said(answer, meaning)
        if answer.status in (401, 403) or meaning.action == "refresh_auth":
            names = ", ".join(f'"{name}"' for name in self.secret_names)
            fix = f"check secret {names}" if names else "the API wants credentials: choose an auth"
            if names and answer.status == 403:  # noqa: PLR2004 - known, but not allowed to
                fix = f"{may_not(answer.headers, auth, self.scopes)}; {fix}"
            part = "permission" if answer.status == 403 else ""  # noqa: PLR2004
            return AuthError(what, fix=fix, status=answer.status, part=part)
        return RequestError(what, fix=ADVICE.get(answer.status, ""), status=answer.status)

    def start_over(self, answer: Answer, meaning: Meaning) -> StartOver:
        """What a list is left with that its server wants begun anew."""
        return StartOver(self._said(answer, meaning), fix="run it again")

    def _said(self, answer: Answer, meaning: Meaning) -> str:
        return said(answer, meaning, self.mask, verbose=self.verbose)
