"""Messages of an mbox file as a stream, with a sensor that sees when the file has grown."""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

import mailbox
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from connector_assets import Connection, PluginContext, define_connector

if TYPE_CHECKING:
    import dagster as dg

    from connector_assets import AssetBlocks


class Config(BaseModel):
    path: str


def read(ctx: PluginContext[Config]) -> Iterator[dict[str, Any]]:
    """The messages that came after those of the last run; the position is their number."""
    box = mailbox.mbox(ctx.config.path, create=False)
    try:
        known = ctx.resume or ctx.cursor or 0
        ctx.progress(total=len(box) - known)
        for number in range(known, len(box)):
            yield row_of(box[number], number)
            ctx.position = number + 1
            if (number + 1) % 1000 == 0:
                ctx.checkpoint(number + 1)
        ctx.metadata(messages_in_file=len(box))
    finally:
        box.close()


def row_of(message: mailbox.mboxMessage, number: int) -> dict[str, Any]:
    sent = message["date"]
    return {
        "number": number,
        "id": message["message-id"],
        "sent_at": parsedate_to_datetime(sent).isoformat() if sent else None,
        "sender": message["from"],
        "subject": message["subject"],
        "size": len(message.as_bytes()),
    }


def test_connection(config: Config) -> None:
    mailbox.mbox(config.path, create=False).close()
    Path(config.path).open("rb").close()


def assets(connection: Connection, blocks: "AssetBlocks") -> "dg.Definitions":
    """The asset by default, and a sensor beside it."""
    import dagster as dg

    @dg.sensor(name=f"{connection.id}_grows", target=[blocks.spec("messages").key])
    def grows(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
        path = connection.open("messages").config["path"]
        size = str(Path(path).stat().st_size)
        if size != context.cursor:
            yield dg.RunRequest(run_key=size)
        context.update_cursor(size)

    return dg.Definitions.merge(blocks.definitions(), dg.Definitions(sensors=[grows]))


plugin = define_connector(
    id="mailbox",
    display_name="Mailbox",
    category="files",
    description="Messages of an mbox file.",
    config_schema=Config,
    streams=[
        {
            "name": "messages",
            "primaryKey": ["number"],
            "writeMode": "append",
            "columns": {"sent_at": "timestamptz", "number": "bigint"},
            "checks": {"minRows": 1},
        }
    ],
    read=read,
    test_connection=test_connection,
    assets=assets,
)
