"""A connection by JDBC: the driver runs in a Java process of its own, `Bridge.java`.

The process gives buffers as Arrow lays them out, so that no value is copied here. It ends with the
pipe to it, whatever becomes of us, and cancels at the server what it was doing.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

import pyarrow as pa

from connector_assets.errors import ConfigError
from connector_assets.plugins.sql.adbc import secret_options
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Field, Query, SourceColumn

_FIX = "install a JDK of Java 17 or newer, or set JAVA_HOME"
_TYPES: Mapping[str, pa.DataType] = {
    "bool": pa.uint8(),
    "int64": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
    "binary": pa.binary(),
}


@dataclass(frozen=True, slots=True)
class About:
    """What the database says of itself: its name, its version, and how it quotes names."""

    product: str
    version: str
    quote: str


class JdbcSession:
    """A `Session` by JDBC."""

    def __init__(
        self, process: subprocess.Popen[bytes], errors: IO[bytes], fetch_rows: int
    ) -> None:
        self._process, self._errors, self._fetch_rows = process, errors, fetch_rows
        assert process.stdin
        assert process.stdout
        self._asks, self._answers = process.stdin, process.stdout
        self._writing = Lock()
        self.about = About("", "", '"')

    def connect(self, url: str, driver: str, properties: Mapping[str, str]) -> None:
        """Open the connection; DatabaseError where that fails."""
        pairs = [text for pair in properties.items() for text in pair]
        self._ask("connect", url, driver, *pairs)
        self._expect(b"C")
        self.about = About(self._text(), self._text(), self._text())
        self._expect(b"Z")

    def execute(self, sql: str) -> None:
        self._ask("execute", sql)
        self._expect(b"Z")

    def commit(self) -> None:
        self._ask("commit")
        self._expect(b"Z")

    def rollback(self) -> None:
        self._ask("rollback")
        self._expect(b"Z")

    def describe(self, sql: str) -> list[SourceColumn]:
        self._ask("describe", sql)
        self._expect(b"D")
        columns = [self._column() for _ in range(self._int())]
        self._expect(b"Z")
        return columns

    def rows(self, query: Query, columns: int = 1) -> list[tuple[Any, ...]]:
        return list(self._texts(self._asked(query, ["text"] * columns)))

    def batches(self, query: Query, fields: Sequence[Field]) -> Iterator[pa.RecordBatch]:
        guards = ["bool" for field in fields if field.guard]
        yield from self._asked(query, [*(field.wire for field in fields), *guards])

    def placeholder(self, number: int) -> str:
        del number
        return "?"

    def catalog(self, what: str, *of: str) -> list[tuple[Any, ...]]:
        """What the driver itself knows: `tables`, or `columns` and `keys` of a schema's table."""
        self._ask("catalog", what, *of)
        columns = 2 if what == "keys" else 4
        return list(self._texts(self._batches(["text"] * columns)))

    def cancel(self) -> None:
        with suppress(DatabaseError):
            self._ask("cancel")

    def close(self) -> None:
        """End the process: it has time to close its connection, not to think about it."""
        for pipe in (self._asks, self._answers):
            with suppress(OSError):
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _asked(self, query: Query, kinds: Sequence[str]) -> Iterator[pa.RecordBatch]:
        count = str(len(query.values))
        self._ask("query", query.sql, str(self._fetch_rows), count, *query.values, *kinds)
        return self._batches(kinds)

    def _batches(self, kinds: Sequence[str]) -> Iterator[pa.RecordBatch]:
        while self._expect(b"BZ") == b"B":
            rows = self._int()
            arrays = [self._array(kind, rows) for kind in kinds]
            yield pa.RecordBatch.from_arrays(arrays, [str(n) for n in range(len(arrays))])

    @staticmethod
    def _texts(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
        for batch in batches:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def _array(self, kind: str, rows: int) -> pa.Array:
        """One column: for texts where each ends, then how many nulls, the bits, the values."""
        type_ = _type(kind)
        ends = [pa.py_buffer(b"\0\0\0\0" + self._bytes())] if _has_ends(kind) else []
        nulls, bits = self._int(), self._buffer()
        buffers = [bits if nulls else None, *ends, self._buffer()]
        found = pa.Array.from_buffers(type_, rows, buffers, nulls)
        return found.cast(pa.bool_()) if kind == "bool" else found

    def _column(self) -> SourceColumn:
        name, type_ = self._text(), self._text()
        code, precision, scale = self._int(), self._int(), self._int()
        return SourceColumn(name, type_.lower(), precision, scale, code, self._exactly(1) == b"\1")

    def _ask(self, *texts: str) -> None:
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        frame = struct.pack(">i", len(parts)) + b"".join(
            struct.pack(">i", len(part)) + part for part in parts
        )
        try:
            with self._writing:
                self._asks.write(frame)
                self._asks.flush()
        except (OSError, ValueError):
            raise self._gone() from None

    def _expect(self, marks: bytes) -> bytes:
        mark = self._exactly(1)
        if mark == b"F":
            name, state, text = self._text(), self._text(), self._text()
            raise DatabaseError(f"{text}" if text != "null" else name, state)
        if mark not in marks:
            raise DatabaseError("the JDBC process answers something else than was asked")
        return mark

    def _int(self) -> int:
        number: int = struct.unpack(">i", self._exactly(4))[0]
        return number

    def _text(self) -> str:
        return self._bytes().decode("utf-8", "replace")

    def _bytes(self) -> bytes:
        return self._exactly(self._int())

    def _buffer(self) -> pa.Buffer:
        return pa.py_buffer(self._bytes())

    def _exactly(self, count: int) -> bytes:
        try:
            found = self._answers.read(count)
        except (OSError, ValueError):
            found = b""
        if len(found) < count:
            raise self._gone()
        return found

    def _gone(self) -> DatabaseError:
        return DatabaseError(f"connection lost: the JDBC process ended{self._last_words()}")

    def _last_words(self) -> str:
        """What Java said when it could not start."""
        with suppress(subprocess.TimeoutExpired, OSError, ValueError):
            self._process.wait(5)
            self._errors.seek(0)
            lines = self._errors.read(10_000).decode("utf-8", "replace").strip().splitlines()
            return f" ({lines[0][:200]})" if lines else ""
        return ""


def _has_ends(kind: str) -> bool:
    return kind in ("text", "binary")


def _type(kind: str) -> pa.DataType:
    name, *digits = kind.split(":")
    return pa.decimal128(*map(int, digits)) if digits else _TYPES[name]


def connect(settings: SqlSettings) -> JdbcSession:
    """Start a process and open its connection.

    Raises DatabaseError where the database cannot be reached, ConfigError without Java or a jar.
    """
    missing = [jar for jar in settings.jars if not Path(jar).is_file()]
    if missing:
        raise ConfigError(f"there is no file {missing[0]}", where="jars", fix="check the path")
    command = [*_java(), "-cp", os.pathsep.join([_classes(), *settings.jars]), "Bridge"]
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    process = subprocess.Popen(  # noqa: S603 - Java, and no text of anybody else's
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
    )
    session = JdbcSession(process, errors, settings.fetch_rows)
    given = {"user": settings.username, "password": None, **settings.options}
    if settings.password:
        given["password"] = settings.password.get_secret_value()
    given |= secret_options(settings)
    properties = {name: value for name, value in given.items() if value is not None}
    try:
        session.connect(settings.uri, settings.driver or "", properties)
    except BaseException:
        session.close()
        raise
    return session


def _java() -> list[str]:
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise ConfigError("JDBC needs Java, which is not found", fix=_FIX)
    # One thread asks and waits: what a server needs would only take memory here.
    return [found, "-XX:+UseSerialGC", "-Xss512k", "-Dfile.encoding=UTF-8"]


@cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """A folder with the classes, made once in a process: to compile takes as long as a query."""
    folder = tempfile.TemporaryDirectory(prefix="connector-assets-jdbc-")
    source = Path(__file__).with_name("Bridge.java")
    compiler = ["-m", "jdk.compiler/com.sun.tools.javac.Main"]
    command = [_java()[0], *compiler, "-d", folder.name, str(source)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - our own
    if done.returncode:
        folder.cleanup()
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigError(f"Java cannot compile: {(said or ['?'])[0][:200]}", fix=_FIX)
    return folder


def _classes() -> str:
    return _compiled().name
