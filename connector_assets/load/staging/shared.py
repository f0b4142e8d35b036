"""Staging where many machines find it: rows on a local disk, and a copy in an object store.

The local folder is a temporary one. What is in the store is laid out in it, and all that is
appended goes there, so a run on another machine goes on where one that is gone had got to.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

from connector_assets.load.files.objects import Objects
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.files.store_names import file_name
from connector_assets.load.staging.lease import Lease, is_abandoned
from connector_assets.load.staging.pieces import Pieces
from connector_assets.load.staging.remote_copy import RemoteCopy
from connector_assets.load.staging.staging import Staging, label, place
from connector_assets.load.staging.sweep import sweep_streams
from connector_assets.private import private_root


class Whose(TypedDict):
    """What `Staging` is told of the rows, and of who stages them."""

    connection: str
    stream: str
    partition: str | None
    fingerprint: str
    run_id: str
    after: str | None


def staging(root: Path | str, **whose: Unpack[Whose]) -> AbstractContextManager[Staging]:
    """The staging of one stream in the folder `root`, or below the URL of an object store."""
    return _shared(str(root), whose) if is_shared(root) else Staging(Path(root), **whose)


def sweep(root: Path | str, connection: str, streams: Iterable[str]) -> None:
    """Remove what was staged for streams that `connection` no longer has, but what is in use."""
    if not is_shared(root):
        sweep_streams(Path(root), connection, streams)
        return
    objects = Objects(str(root), "staging", connection)
    kept = {file_name(stream) for stream in streams}
    for stream in objects.folders(file_name(connection)):
        if stream.rpartition("/")[2] not in kept:
            for part in objects.folders(stream):
                if is_abandoned(objects, part, time.time()):
                    objects.delete_all(objects.files(part))


def is_shared(root: Path | str) -> bool:
    """Whether it is a URL, and not a folder of this machine's."""
    return "://" in str(root)


@contextmanager
def _shared(url: str, whose: Whose) -> Iterator[Staging]:
    names = (whose["connection"], whose["stream"], whose["partition"])
    what, path = label(*names), place(*names)
    objects = Objects(url, "staging", what)
    if objects.local:
        with objects.as_load_errors():
            private_root(objects.local)
    with (
        scratch_folder() as scratch,
        Lease(objects, path.as_posix(), what=what, run_id=whose["run_id"]) as lease,
        RemoteCopy(Pieces(objects, path.as_posix()), lease, scratch / path) as copy,
        Staging(scratch, copy=copy, **whose) as staged,
    ):
        yield staged
