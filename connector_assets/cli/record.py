"""`record` and `replay`: answers of a real API kept, and served again on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import Given, SpecArgument, takes_values
from connector_assets.cli.simulate import PortOption, SpecFile, StreamsArgument, document, tell

if TYPE_CHECKING:
    from connector_assets.authoring.recording.recording_folder import Recording
    from connector_assets.project.connection import Connection
    from connector_assets.spec.connector import ConnectorSpec

OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Default: NAME.recording beside the spec."),
]
PagesOption = Annotated[
    int, typer.Option("--pages", metavar="N", min=1, max=1_000, help="Pages of each stream.")
]
BytesOption = Annotated[
    int,
    typer.Option(
        "--max-bytes", metavar="N", min=1_000, help="Bytes of answers to keep of each stream."
    ),
]
MostRequests = Annotated[
    int,
    typer.Option("--requests", metavar="N", min=1, max=10_000, help="Requests for each stream."),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option("--keep", metavar="FIELD", help="A field that is not scrubbed; may be repeated."),
]
ScrubOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scrub", metavar="FIELD", help="A field that is scrubbed, too; may be repeated."
    ),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Put it in the place of a recording that is there.")
]
FolderArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER", help="Default: the recording beside the spec.", show_default=False
    ),
]


@takes_values
def record(
    spec: SpecArgument,
    streams: StreamsArgument = None,
    *,
    out: OutOption = None,
    pages: PagesOption = 3,
    max_bytes: BytesOption = 1 << 20,
    requests: MostRequests = 200,
    keep: KeepOption = None,
    scrub: ScrubOption = None,
    replace: ReplaceOption = False,
    given: Given,
) -> None:
    """Keep real answers of an API beside its spec, for `test --replay`.

    Reads some pages of each stream and keeps requests and answers as small files. Secrets, tokens,
    cookies and what is of people are replaced by made-up values of the same shape: read the files
    before you commit them. Nothing is written unless all of it can be replayed.
    """
    from connector_assets.authoring.recording.record import (
        Bounds,
        Recorder,
        scrubbed,
        with_rows,
    )
    from connector_assets.authoring.recording.recording_folder import (
        folder_of,
        refuse_existing,
        write_recording,
    )
    from connector_assets.runtime.runtime import HttpRuntime
    from connector_assets.spec.document import parse_connector

    connection = given.connection(spec)
    path = _spec_of(connection)
    _, data = document(str(path))
    # As it is in the file: what the API listed at another time is not in it.
    model = parse_connector(json.dumps(data, ensure_ascii=False))
    folder = out or folder_of(path)
    refuse_existing(folder, replace=replace)
    recorder = Recorder(model, data, Bounds(pages, max_bytes, requests))
    shared = given.runtime
    made = recorder.recorded(
        _names(model, streams or ()),
        partial(connection.open, config=given.config, secrets=given.secrets, auth=given.auth),
        partial(
            HttpRuntime,
            allow_private=shared.allow_private,
            state=shared.state,
            verbose=shared.verbose,
        ),
    )
    mask = recorder.mask
    made = scrubbed(made, model, data, mask, keep=keep or (), also=scrub or ())
    made = with_rows(made, data)
    size = write_recording(made, folder, replace=replace, holds_secret=recorder.holds_secret)
    _say(made, folder, size, recorder.notes)


def replay(spec: SpecFile, recording: FolderArgument = None, *, port: PortOption = 0) -> None:
    """Serve what `record` kept on this machine, until Ctrl-C.

    Credentials are made up, and tokens are given as the spec says. What was not recorded is
    answered with 404, and a text that names the nearest recorded request.
    """
    import tempfile
    import threading

    from connector_assets.authoring.recording.recording_folder import folder_of, read_recording
    from connector_assets.authoring.recording.replayed_api import replaying
    from connector_assets.authoring.simulator.trial import write_files
    from connector_assets.authoring.simulator.wire import CannotSimulate

    path, data = document(spec)
    kept = read_recording(recording or folder_of(path))
    try:
        with (
            interrupting(threading.Event()),
            tempfile.TemporaryDirectory(prefix="connector-assets-replay-") as folder,
            replaying(data, kept, port=port) as served,
        ):
            write_files(served, Path(folder))
            tell(served, Path(folder))
            threading.Event().wait()
    except CannotSimulate as error:
        raise output.Misused(f"{path}: cannot be replayed: {error}") from None
    except OSError as error:
        what = f"port {port}: {error.strerror}; choose another, or 0 for a free one"
        raise output.Misused(what) from None


def _spec_of(connection: Connection) -> Path:
    """The file of a connection's spec."""
    from connector_assets.errors import ConfigError
    from connector_assets.reading.yaml_connector import YamlConnector

    path = connection.spec or connection.source
    if not isinstance(connection.connector, YamlConnector) or path is None:
        raise ConfigError("is read by a plugin; only a spec can be recorded", where=connection.id)
    return path


def _names(spec: ConnectorSpec, wanted: Sequence[str]) -> list[str]:
    """The streams to record; Misused for one that is none."""
    known = [one.name for one in spec.streams]
    for name in wanted:
        if name not in known:
            raise output.Misused(f'"{name}" is not a stream; use some of {", ".join(known)}')
    return list(wanted) or known


def _say(made: Recording, folder: Path, size: int, notes: Sequence[str]) -> None:
    from connector_assets.runtime.stats import counted

    for name, one in made.streams.items():
        more = "" if one.complete else "; there are more"
        told = f"{counted(one.pages, 'page')}, {counted(len(one.rows), 'row')}{more}"
        output.write(f"{name}: {told}\n")
    for note in notes:
        output.say(f"note: {note}")
    files = sum(len(one.exchanges) + 1 for one in made.streams.values()) + 1
    output.write(f"{folder}: {files} files, {size:,} bytes; read them before you commit them\n")
