"""A member of a family is one class: the model, the checks and the driver know no other place."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import httpx
from pydantic import Field, TypeAdapter

from connector_assets.redact import Secrets
from connector_assets.runtime.walk.paginate import walk
from connector_assets.spec.auth.auth import Auth, choose
from connector_assets.spec.auth.auth_parts import AuthModel
from connector_assets.spec.auth.credentials import AuthContext, FixedFlow
from connector_assets.spec.checks.placed_checks import placed_findings
from connector_assets.spec.request import pagination
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.ends import End
from connector_assets.spec.request.paginates import PaginationModel
from connector_assets.spec.templates.refs import SecretRef
from tests.spec.request.test_pagination import Answer, rows


class LetterPagination(PaginationModel):
    """Pages are lettered from a to z."""

    param_key: ClassVar[str] = "letterParam"
    start_key: ClassVar[str] = "startAt"
    read_as: ClassVar[str] = "page.letter"

    type: Literal["letter"]
    letter_param: str = "letter"

    def first(self, call: Call) -> Call:
        return call.put(self.letter_param, "abcdefghijklmnopqrstuvwxyz"[call.page - 1], "query")

    def after(self, call: Call, page: Any) -> Call | End:
        return self.first(call) if page.count else End(proven=True)


class InitialsAuth(AuthModel):
    """Initials in a header."""

    type: Literal["initials"]
    initials_ref: SecretRef

    def flow(self, context: AuthContext) -> FixedFlow:
        return FixedFlow("header", "X-Initials", context.text(self.initials_ref))


def test_a_pagination_is_one_class_and_its_name_in_the_union(monkeypatch):
    union = Annotated[pagination.Pagination | LetterPagination, Field(union_mode="left_to_right")]
    made = TypeAdapter(union).validate_python({"type": "letter"})
    assert isinstance(made, LetterPagination)
    asked = []

    def fetch(call):
        asked.append(dict(call.params))
        return Answer(rows(2 if len(asked) < 3 else 0), number=len(asked))

    steps = walk(made, Call("GET", "https://api.example.com/a"), fetch=fetch, max_pages=None)
    assert sum(step.page.count for step in steps) == 4
    assert asked == [{"letter": "a"}, {"letter": "b"}, {"letter": "c"}]

    # What the whole document shows is checked by what the class says of itself.
    monkeypatch.setitem(pagination.MEMBERS, "letter", LetterPagination)
    data = {
        "endpoints": [{"id": "a", "url": "/a", "pagination": {"type": "letter", "in": "template"}}]
    }
    assert [one.message for one in placed_findings(data)] == [
        'leaves it to a template, but none reads "page.letter"'
    ]


def test_an_auth_is_one_class_and_its_name_in_the_union():
    union = Annotated[Auth | InitialsAuth, Field(union_mode="left_to_right")]
    made = TypeAdapter(union).validate_python(
        {"type": "initials", "initialsRef": "{{secrets.who}}"}
    )
    assert choose([made], None, {"who": "ada"}) is made
    assert made.required_secrets() == {"who"}
    secrets = Secrets({"who": "ada"})
    context = AuthContext("shop", secrets, {"secrets": secrets}, tokens=None)
    request = httpx.Request("GET", "https://api.example.com")
    assert next(made.flow(context).sync_auth_flow(request)).headers["x-initials"] == "ada"
