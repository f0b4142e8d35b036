"""Folders of files, on a local disk or in an object store through fsspec.

A file appears whole or not at all, and a small one can be replaced in one step: all that a manifest
needs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from connector_assets.errors import LoadError
from connector_assets.load.files.objects import Objects
from connector_assets.private import private_folder, private_root, state_folder

STATE = "_connector_assets"
"""The folder of what is remembered of tables, beside those of their rows."""
_DEPTH_OF_A_TABLE = 2


class Folder(Protocol):
    """Files by relative names such as `crm/people/manifest.json`."""

    @property
    def uri(self) -> str: ...

    def lock_path(self, name: str) -> Path:
        """Where on this machine to lock what `name` is about."""
        ...

    def read(self, name: str) -> bytes | None:
        """A file's content, None if there is none."""
        ...

    def replace(self, name: str, content: bytes) -> None: ...

    def put(self, name: str, path: Path) -> None: ...

    def move(self, name: str, to: str) -> None:
        """Give a file another name; on a disk that is one step, as it is for its readers."""
        ...

    def fetch(self, name: str, scratch: Path) -> Path:
        """A local path of the file, perhaps a copy in `scratch`."""
        ...

    def folders(self, name: str) -> list[str]:
        """The folders in the folder `name`, "" for the root itself."""
        ...

    def files(self, name: str) -> list[str]:
        """All files below the folder `name`."""
        ...

    def delete(self, name: str) -> None: ...


class LocalFolder:
    """A folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def uri(self) -> str:
        return f"parquet:///{self._root.as_posix()}"

    def lock_path(self, name: str) -> Path:
        self._root.mkdir(parents=True, exist_ok=True)
        return private_folder(self._root / ".locks") / name.replace("/", "+")

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115
            dir=path.parent, prefix=f".{path.stem}-", delete=False
        )
        with _gone_if_it_fails(Path(file.name)):
            with file:
                file.write(content)
            _into_place(Path(file.name), path)

    def put(self, name: str, path: Path) -> None:
        to = self._root / name
        to.parent.mkdir(parents=True, exist_ok=True)
        temporary = to.with_name(f".{to.name}")
        with _gone_if_it_fails(temporary):
            shutil.move(path, temporary)
            _into_place(temporary, to)

    def move(self, name: str, to: str) -> None:
        path = self._root / to
        path.parent.mkdir(parents=True, exist_ok=True)
        (self._root / name).replace(path)
        self._drop_empty(name)

    def fetch(self, name: str, scratch: Path) -> Path:  # noqa: ARG002 # it is here already
        path = self._root / name
        if not path.is_file():
            raise _missing(name, self.uri)
        return path

    def folders(self, name: str) -> list[str]:
        folder = self._root / name
        return self._names(path for path in folder.iterdir() if path.is_dir())

    def files(self, name: str) -> list[str]:
        return self._names(path for path in (self._root / name).rglob("*") if path.is_file())

    def _names(self, paths: Iterator[Path]) -> list[str]:
        with suppress(FileNotFoundError):
            return [path.relative_to(self._root).as_posix() for path in paths]
        return []

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)
        self._drop_empty(name)

    def _drop_empty(self, name: str) -> None:
        """Remove the folder that a file was in, if it is below a table's and nothing is left."""
        if name.count("/") > _DEPTH_OF_A_TABLE:
            with suppress(OSError):
                (self._root / name).parent.rmdir()


class ObjectFolder(Objects):
    """A prefix in an object store, or anything else that fsspec reaches (`s3://bucket/prefix`).

    Two machines that load one table at the same moment are not kept apart.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, "destination")

    @property
    def uri(self) -> str:
        return f"parquet+{self.url}"

    def lock_path(self, name: str) -> Path:
        digest = hashlib.sha256(f"{self.url}/{name}".encode()).hexdigest()[:16]
        # With this machine's state: a temporary folder is everybody's.
        return private_folder(private_root(state_folder()) / "locks") / f"{digest}.lock"

    def put(self, name: str, path: Path) -> None:
        with self.as_load_errors():
            self.driver.put_file(str(path), self.made(name))

    def move(self, name: str, to: str) -> None:
        with self.as_load_errors():
            path = self.made(to)
            try:
                self.driver.cp_file(self.at(name), path)
            except NotImplementedError:  # by drivers that can rename, as SFTP's
                self.driver.mv(self.at(name), path)
                return
            self.driver.rm_file(self.at(name))

    def fetch(self, name: str, scratch: Path) -> Path:
        path = scratch / name.replace("/", "+")
        with self.as_load_errors():
            try:
                self.driver.get_file(self.at(name), str(path))
            except FileNotFoundError:
                raise _missing(name, self.uri) from None
        return path


class MissingFile(LoadError):
    """A file is not where it should be."""


def _missing(name: str, uri: str) -> MissingFile:
    table = "/".join(name.removeprefix(f"{STATE}/").split("/")[:2]).removesuffix("__rejected")
    fix = f"restore it, or remove {STATE}/{table} to load the table anew"
    return MissingFile(f"{name} is missing", where=uri, fix=fix)


@contextmanager
def _gone_if_it_fails(path: Path) -> Iterator[None]:
    """Half a file takes room on a disk that may be full."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _into_place(written: Path, path: Path) -> None:
    """Rename a file once its content is on disk, so that no crash shows half of it."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
