"""A connector document while it is written: its faults, what it reads, what a change does, saving.

All of it is what `validate`, `lint`, `fmt`, `diff`, `plan` and `test` say, by the same code.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

from connector_assets.authoring.answers import MAX_FAULTS, refused
from connector_assets.authoring.changes import compare
from connector_assets.authoring.formatted import formatted
from connector_assets.authoring.workbench import Workbench
from connector_assets.errors import ConfigError, ConnectorError, SpecError
from connector_assets.legible import message
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import Document, parse_connector, read_connector
from connector_assets.spec.lint.lint import Lint, invalid, lint

_CHANGED = "was changed since it was opened here"
NAMED = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What may be the id of a connector, and so the name of its file."""


@dataclass(frozen=True)
class Documents:
    """What is asked of documents, over one project."""

    bench: Workbench
    _saving: Lock = field(default_factory=Lock, repr=False)

    def looked_at(self, text: str) -> dict[str, Any]:
        """Faults and lint at their places; of a valid document also its streams and its values."""
        try:
            document = read_connector(text)
        except SpecError as error:
            faults = [_finding(invalid(one)) for one in error.faults[:MAX_FAULTS]]
            return {"ok": False, "findings": faults, "streams": []}
        told: dict[str, Any] = {
            "ok": True,
            "id": document.spec.id,
            "displayName": document.spec.display_name,
            "findings": [_finding(one) for one in lint(document)[:MAX_FAULTS]],
            "streams": list(_streams(document)),
        }
        try:
            connection = self.bench.chosen(yaml=text)
        except ConnectorError as error:
            return told | {"errors": refused(error)["errors"]}
        return told | {
            "sendsTo": connection.sends_to(),
            "reads": connection.reads(),
            "missing": connection.lacks(),
        }

    def formatted(self, text: str) -> dict[str, Any]:
        """The document in its one form."""
        return {"ok": True, "yaml": formatted(text)}

    def saved(self, connector: str) -> dict[str, Any]:
        """The document of a connector of the project, also a broken one, and a mark of it."""
        text = self._before(connector) if NAMED.fullmatch(connector) else None
        if text is None:
            text = self.bench.folder.text_of(connector)  # which says what there is
        return {"ok": True, "id": connector, "yaml": text, "seen": _mark(text)}

    def difference(self, text: str) -> dict[str, Any]:
        """The document beside the file that it would replace: line by line, and what it does."""
        spec = self.bench.folder.check(text)
        before = self._before(spec.id)
        told: dict[str, Any] = {
            "ok": True,
            "id": spec.id,
            "isNew": before is None,
            "seen": _mark(before),
            "lines": list(_lines(before or "", text)),
        }
        old = _valid(before)
        if old is not None:
            told |= compare(old, spec).plain()
        return told

    def save(self, text: str, seen: str) -> dict[str, Any]:
        """Write the document into the project's folder, whole.

        `seen` is the mark of the file that its writer knows, "" for none: a file that somebody
        else has changed meanwhile is not written over.
        """
        spec = self.bench.folder.check(text)
        with self._saving:
            before = self._before(spec.id)
            if seen != _mark(before):
                what = _CHANGED if before is not None else "is there no more"
                raise ConfigError(what, where=spec.id, fix="look at the difference first")
            self.bench.folder.create(text, overwrite=before is not None)
        return {"ok": True, "id": spec.id, "seen": _mark(self._before(spec.id))}

    def plan(self, text: str, streams: Sequence[str], *, probe: bool) -> dict[str, Any]:
        """The cost of a full load, stream by stream; one that cannot be told says why."""
        connection = self.bench.chosen(yaml=text)
        told: list[Any] = []
        for name in streams or [one.name for one in connection.streams()]:
            try:
                told += self.bench.plan(connection, name, probe=probe)["streams"]
            except ConnectorError as error:
                told.append({"stream": name, "errors": refused(error)["errors"]})
        known = [one for one in told if one.get("requests") is not None]
        return {
            "ok": True,
            "streams": told,
            "requests": sum(one["requests"] for one in known),
            "seconds": round(sum(one["seconds"] or 0 for one in known), 1),
            "isWhole": len(known) == len(told)
            and all(one["certainty"] != "at least" for one in known),
        }

    def test(self, text: str, streams: Sequence[str]) -> dict[str, Any]:
        """The document loaded from a fake of its API, as `test` does; nothing is sent elsewhere."""
        report = self.bench.simulate(yaml=text, streams=streams)
        points = [asdict(one) | {"message": message(one.message)} for one in report.points]
        return {"ok": True, "held": report.ok, "points": points}

    def _before(self, connector: str) -> str | None:
        try:
            return self.bench.folder.text_of(connector)
        except ConfigError:
            named = self.bench.folder.path / f"{connector}.yaml"
            return named.read_text("utf-8", "replace") if named.is_file() else None


def _finding(one: Lint) -> dict[str, Any]:
    """As the editor marks it."""
    return {
        "level": one.level,
        "rule": one.rule,
        "path": message(one.path),
        "message": message(f"{one.message}; {one.fix}" if one.fix else one.message),
        "line": one.line or 1,
        "column": one.column or 1,
    }


def _streams(document: Document[ConnectorSpec]) -> Any:
    """Each stream, and the line where it is said."""
    names = [one.name for one in document.spec.read.streams]
    for stream in document.spec.streams:
        place: tuple[str | int, ...] = ("read",)
        if stream.name in names:
            place = ("read", "streams", names.index(stream.name))
        yield {
            "name": stream.name,
            "line": document.yaml.position(place)[0],
            "writeMode": stream.mode,
            "primaryKey": list(stream.primary_key),
            "parents": list(stream.parents),
        }


def _valid(text: str | None) -> ConnectorSpec | None:
    try:
        return None if text is None else parse_connector(text)
    except SpecError:
        return None


def _mark(text: str | None) -> str:
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]


def _lines(before: str, after: str) -> Any:
    """The changed lines with three around them; `kind` is one of added, removed, same, gap."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), n=3, lineterm="")
    kinds = {"+": "added", "-": "removed", " ": "same", "@": "gap"}
    for number, line in enumerate(found):
        if number > 1:  # the names of files
            yield {"kind": kinds[line[0]], "text": message(line if line[0] == "@" else line[1:])}
