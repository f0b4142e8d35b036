"""How a list goes on: the family of paginations; the model that validates also walks.

A pagination makes the next `Call` of the one before and the `PageView` that answered it. It has no
state, so a walk can start from any Call of an earlier one. Ends, caps, loops and origins are the
driver's (`runtime.walk.paginate`, by the rules in `ends`): a pagination cannot forget them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from connector_assets.spec.request.call import Call, PageView
from connector_assets.spec.request.counted import OffsetPagination, PagePagination
from connector_assets.spec.request.ends import End
from connector_assets.spec.request.followed import (
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
)
from connector_assets.spec.request.paginates import PaginationModel


class NonePagination(PaginationModel):
    """One request holds everything."""

    type: Literal["none"] = "none"
    """One request holds everything."""

    def first(self, call: Call) -> Call:
        return call

    def after(self, call: Call, page: PageView) -> Call | End:  # noqa: ARG002 - a Paginates
        return End(proven=True)


Pagination = Annotated[
    NonePagination
    | CursorPagination
    | NextUrlPagination
    | LinkHeaderPagination
    | OffsetPagination
    | PagePagination,
    Field(discriminator="type"),
]


def member_of(written: Any) -> type[PaginationModel] | None:
    """The pagination that a mapping of a document is of; None where it names none."""
    kind = written.get("type") if isinstance(written, Mapping) else None
    return MEMBERS.get(kind) if isinstance(kind, str) else None


MEMBERS: dict[str, type[PaginationModel]] = {
    get_args(member.model_fields["type"].annotation)[0]: member
    for member in get_args(get_args(Pagination)[0])
}
"""Each member of the union by its `type`."""
