"""What every pagination is: the protocol that the driver walks by, and the base of the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from connector_assets.spec.names.model import Model
from connector_assets.spec.request.call import Call, PageView
from connector_assets.spec.request.ends import End
from connector_assets.spec.templates.templated import Templated

Positive = Annotated[int, Field(ge=1, le=1_000_000), Templated()]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Paginates(Protocol):
    """What the driver asks of a pagination; Python callers may pass their own."""

    def first(self, call: Call) -> Call:
        """`call` asking for its position in the list; changes nothing where it does already."""
        ...

    def after(self, call: Call, page: PageView) -> Call | End:
        """The next call, or `End()` where `page` names none.

        `call` is the one that `page` answered, with the bookkeeping of the next.
        """
        ...


@runtime_checkable
class Follows(Protocol):
    """What a pagination has beside that follows URLs which the server gives."""

    @property
    def keep_params(self) -> bool | None:
        """Whether the endpoint's parameters go with a next URL too; None: ask the user."""
        ...


@runtime_checkable
class Counts(Protocol):
    """What a pagination has beside whose pages are counted: it knows more than one answer ahead."""

    def total(self, page: PageView) -> int | None:
        """The number of rows in all, where `page` tells it."""
        ...

    def ahead(self, call: Call, page: PageView) -> Iterator[Call] | None:
        """`call` and those that follow to the last, where the `page` before tells how many."""
        ...

    def guess(self, call: Call) -> Iterator[Call] | None:
        """`call` and those that follow as long as pages are full; None where nothing says so."""
        ...


class PaginationModel(Model):
    """What all paginations have; a member says here what checks of documents ask of its kind."""

    where_key: ClassVar[str] = "in"
    """The key that says where its position in the list is sent."""
    param_key: ClassVar[str] = ""
    """The key with the name its position is sent under; empty where it sends none."""
    size_key: ClassVar[str] = ""
    """The key with the name `pageSize` is sent under."""
    start_key: ClassVar[str] = ""
    """The key with the first position; empty where the first request has none."""
    read_as: ClassVar[str] = ""
    """The name under which templates read its position, as `page.number`."""
    body_keys: ClassVar[tuple[str, ...]] = ()
    """The keys that look into the body for where the list goes on."""

    @classmethod
    def default_of(cls, key: str) -> str:
        """The text that a key stands for where a document leaves it out."""
        found = (one.default for one in cls.model_fields.values() if one.alias == key)
        return next((one for one in found if isinstance(one, str)), "")

    @property
    def rows_a_page(self) -> int | None:
        """How many rows a page has, as far as the document says it."""
        return None

    @property
    def tells_total(self) -> bool:
        """Whether its answers tell how many rows or pages there are."""
        return False

    max_pages: Positive | Literal["unlimited"] = 100
    """Requests at most, or a template; reaching it with more to come is never silent."""
    on_max_pages: Literal["fail", "truncate"] | None = None
    """At `maxPages`: fail (default when loading) or truncate (default in previews)."""


def header_of(page: PageView, name: str) -> str | None:
    """A response header, None where it says nothing or `null`."""
    value = (page.header(name) or "").strip()
    return None if value.lower() == "null" else value
