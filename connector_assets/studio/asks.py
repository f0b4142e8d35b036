"""What may be asked of the studio's API: the bodies of its requests, each with every key it has."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=8 << 20)]
Name = Annotated[str, Field(max_length=300)]
Names = Annotated[list[Name], Field(max_length=5_000)]


class Ask(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DocumentAsk(Ask):
    """A connector document, as it stands in the editor."""

    yaml: Text


class SaveAsk(DocumentAsk):
    """`seen` is the mark of the file that the writer knows; "" says that there is none."""

    seen: Name = ""


class PlanAsk(DocumentAsk):
    """`probe` asks the API for one page of each stream."""

    streams: Names = []
    probe: bool = False


class TestAsk(DocumentAsk):
    """`streams` are those to try; none means all."""

    streams: Names = []


class ImportAsk(Ask):
    """A document of another kind, as text or by its address; a `kind` of "" is guessed."""

    text: Annotated[str, Field(max_length=16 << 20)] = ""
    url: Annotated[str, Field(max_length=4_000)] = ""
    kind: Name = ""
    name: Name = ""
    select: Names = []
    id: Name = ""


class PreviewAsk(Ask):
    """A read of one stream, of a document or of a connector of the project.

    With `source: simulated` a fake of the API answers, with `faults` such as "429@2" on its way and
    `config` for values that cannot be made up.
    """

    yaml: Text = ""
    connector: Name = ""
    stream: Name = ""
    source: Literal["api", "simulated"] = "api"
    faults: Annotated[list[Name], Field(max_length=50)] = []
    config: Annotated[dict[Name, Name], Field(max_length=200)] = {}


class ConnectionAsk(Ask):
    """A connector of the catalogue to be used; `id` is the connection's own, "" the connector's."""

    connector: Name
    id: Name = ""
    streams: Names = []
    stream: Name = ""


class Nothing(Ask):
    """No key at all."""
