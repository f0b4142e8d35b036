"""Staged rows under their column names, where these differ from the keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from connector_assets.load.table import Segment

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


@contextmanager
def renamed(segments: Sequence[Segment], names: Mapping[str, str]) -> Iterator[list[Path]]:
    """Yield files whose rows have the columns' names as keys; values are copied byte for byte.

    Keys mostly are the names, and then these are the segments themselves.
    """
    if all(key == name for key, name in names.items()):
        yield [segment.path for segment in segments]
        return
    paths = [segment.path.with_name(segment.path.name + ".renamed") for segment in segments]
    written = {key: msgspec.json.encode(name) for key, name in names.items()}
    try:
        for segment, path in zip(segments, paths, strict=True):
            with segment.path.open("rb") as rows, path.open("wb") as out:
                for line in rows:
                    row = _ROW.decode(line)
                    pairs = (b"%s:%s" % (written[key], bytes(row[key])) for key in row)
                    out.write(b"{%s}\n" % b",".join(pairs))
        yield paths
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
