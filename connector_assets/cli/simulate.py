"""`simulate` and `test`: a spec's own API as a fake, and the spec tried against it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from connector_assets.authoring.simulator.report import Report
    from connector_assets.authoring.simulator.simulated import ServedSpec

SpecFile = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A spec file, or the id of a spec in the project's folder.",
        show_default=False,
    ),
]
PortOption = Annotated[
    int,
    typer.Option("--port", min=0, max=65_000, help="The first port; 0 takes free ones."),
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME[@N]",
        help="What goes wrong with the N-th answer of a list: 429, 500, expired, empty, short, "
        "repeat, drift, cut. May be repeated.",
    ),
]
AuthNumber = Annotated[
    int, typer.Option("--auth", metavar="N", min=0, help="Which of the spec's auths, from 0.")
]
ReplayOption = Annotated[
    bool, typer.Option("--replay", help="Compare with the recording beside the spec.")
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--recording", metavar="FOLDER", help="Another folder of a recording; as --replay."
    ),
]
SamplesOption = Annotated[
    Path | None,
    typer.Option(
        "--rows-from", metavar="FOLDER", help="Rows like those of a recording, made by `record`."
    ),
]
StreamsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="STREAM...", help="Default: every stream.", show_default=False),
]


def simulate(
    spec: SpecFile,
    *,
    port: PortOption = 0,
    fault: FaultOption = None,
    config: ConfigOption = None,
    auth: AuthNumber = 0,
    samples: SamplesOption = None,
) -> None:
    """Serve a fake of an API on this machine, made from its spec, until Ctrl-C.

    It has rows for every stream, asks for credentials, pages, filters and limits as the spec says,
    and answers 400 to a request that the spec does not describe. Prints where it is, and the
    command that reads it. POST /_simulator/fault, /grow and /revoke steer it, GET /_simulator/log
    shows what was asked.
    """
    import tempfile
    import threading

    from connector_assets.authoring.simulator.simulated import simulated
    from connector_assets.authoring.simulator.trial import write_files
    from connector_assets.authoring.simulator.wire import CannotSimulate

    _, data = document(spec)
    try:
        with (
            interrupting(threading.Event()),
            tempfile.TemporaryDirectory(prefix="connector-assets-simulate-") as folder,
            simulated(
                data, config=_values(config), auth=auth, port=port, samples=_samples(data, samples)
            ) as fake,
        ):
            for one in fault or ():
                fake.api.faults.plan(one)
            write_files(fake, Path(folder))
            tell(fake, Path(folder))
            threading.Event().wait()
    except (CannotSimulate, ValueError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"port {port}: {error.strerror}; choose another, or 0 for a free one")


def try_out(
    spec: SpecFile,
    streams: StreamsArgument = None,
    *,
    config: ConfigOption = None,
    auth: AuthNumber = 0,
    samples: SamplesOption = None,
    replay: ReplayOption = False,
    recording: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a spec against a fake of its API: nothing is sent to the vendor.

    Loads it into a database that is thrown away: all rows arrive, also after a kill, a refused
    token, a 429, a failure and a cut answer; parents come first; the rate limit is kept; a second
    load reads only what is new; a list that goes in circles is an error. What cannot be judged is
    said. Exit code 1 if a point failed.

    With --replay the spec reads what `record` kept, and rows and requests are compared.
    """
    from connector_assets.authoring.simulator.wire import CannotSimulate

    path, data = document(spec)
    try:
        if replay or recording:
            report = _replayed(path, data, streams or (), recording)
        else:
            from connector_assets.authoring.simulator.trial import tried

            given = _samples(data, samples)
            report = tried(data, streams or (), config=_values(config), auth=auth, samples=given)
    except CannotSimulate as error:
        _refuse(f"cannot be simulated: {error}")
    if as_json:
        output.write_json(report.plain(), indent=2)
    else:
        output.write("".join(f"{line}\n" for line in report.lines()))
    if not report.ok:
        raise typer.Exit(1)


def _replayed(
    path: Path, data: dict[str, Any], streams: Sequence[str], recording: Path | None
) -> Report:
    from connector_assets.authoring.recording.recording_folder import folder_of, read_recording
    from connector_assets.authoring.recording.replay import replayed

    return replayed(data, read_recording(recording or folder_of(path)), streams)


def _samples(data: dict[str, Any], folder: Path | None) -> dict[str, list[dict[str, Any]]] | None:
    if folder is None:
        return None
    import json

    from connector_assets.authoring.recording.recording_folder import read_recording
    from connector_assets.authoring.recording.sampled_rows import samples_of
    from connector_assets.spec.document import parse_connector

    spec = parse_connector(json.dumps(data, ensure_ascii=False))
    return samples_of(read_recording(folder), spec)


def document(spec: str) -> tuple[Path, dict[str, Any]]:
    """The file and the data of a valid connector, by file or by id, of the catalogue's too."""
    import os

    from connector_assets.catalogue.shelf import file_of
    from connector_assets.project.settings import folders
    from connector_assets.spec.document import read_connector
    from connector_assets.spec.yaml.yaml_text import read_file

    path, specs = Path(spec), folders(os.environ)[0]
    if not path.is_file():
        found = [specs / f"{spec}{suffix}" for suffix in (".yaml", ".yml")]
        path = next((one for one in found if one.is_file()), file_of(spec) or path)
    if not path.is_file():
        output.say(f"{spec}: is neither a file nor the name of one in {specs}/")
        raise typer.Exit(2)
    return path, dict(read_connector(read_file(path), source=str(path)).yaml.data)


def _values(config: list[str] | None) -> dict[str, str]:
    pairs = (one.partition("=") for one in config or ())
    return {name: value for name, _, value in pairs}


def _refuse(message: str) -> NoReturn:
    output.say(message)
    raise typer.Exit(1)


def tell(served: ServedSpec, folder: Path) -> None:
    """Say where a spec is served, and by which command it is read."""
    from connector_assets.authoring.simulator.trial import arguments

    command = ["connector-assets", "load", str(folder / "spec.yaml"), *arguments(served, folder)]
    streams = len(served.spec.streams)
    counted = f"{streams} stream{'s' if streams != 1 else ''}"
    output.write(f"{served.spec.id}: {counted} at {', '.join(served.bases)}; Ctrl-C ends it\n")
    output.write(f"{shlex.join(command)}\n")
    output.flush()
