"""A prefix in an object store, or anything else that fsspec reaches (`s3://bucket/prefix`).

Its stores write a file in one step, and readers see the old one until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.load.files.store_errors import as_load_errors
from connector_assets.passwords import may_hold_password

_BUCKETS = re.compile(r"(\b(?:s3a?|gcs|gs|az|abfss?|oss)://)/*")


class Objects:
    """Files by relative names, as `crm/people/manifest.json`; errors are LoadErrors at the URL.

    `setting` is what the URL was given for, `of` what an error is about, besides the URL. Raises
    ConfigError for a URL with a user or a password in it, and where fsspec or its driver is
    missing.
    """

    def __init__(self, url: str, setting: str, of: str = "") -> None:
        if holds_credentials(url):
            raise ConfigError(
                "a user or a password in the URL would be shown",
                where=setting,
                fix="leave it to the environment, as AWS_PROFILE or FSSPEC_SFTP_USERNAME",
            )
        try:
            import fsspec
        except ImportError:
            fix = "pip install fsspec s3fs (or gcsfs, adlfs)"
            raise ConfigError("object stores need fsspec", where=url, fix=fix) from None
        # `s3:///bucket` is the same place: it is to have the same locks and the same name.
        self.url = _BUCKETS.sub(r"\1", url.rstrip("/"))
        self._of = of
        with self.as_load_errors():
            try:
                self.driver, path = fsspec.core.url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                fix = "install fsspec's driver for it"
                raise ConfigError(str(error), where=url, fix=fix) from error
        self._root = PurePosixPath(path)

    @property
    def uri(self) -> str:
        """Where it is, for messages."""
        return f"{self._of}, {self.url}" if self._of else self.url

    @property
    def local(self) -> Path | None:
        """The folder, where it is on a disk of this machine's."""
        protocols = self.driver.protocol
        is_local = "file" in ([protocols] if isinstance(protocols, str) else protocols)
        return Path(self._root) if is_local else None

    def read(self, name: str) -> bytes | None:
        """A file's content, None if there is none."""
        with self.as_load_errors(), suppress(FileNotFoundError):
            self.driver.invalidate_cache()
            content: bytes = self.driver.cat_file(self.at(name))
            return content
        return None

    def replace(self, name: str, content: bytes) -> None:
        """Write a small file, in the place of one that may be there."""
        with self.as_load_errors():
            self.driver.pipe_file(self.made(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; of several who do it at a time one is told True.

        `content` must be one that nobody else would write. A driver that cannot create a file in
        one step takes the last one for the first.
        """
        with self.as_load_errors():
            path = self.made(name)
            try:
                self.driver.pipe_file(path, content, mode="create")
            except Exception:
                # Drivers have different errors for it, and one that tries again may meet itself.
                if self.read(name) is None:
                    raise
        return self.read(name) == content

    def folders(self, name: str) -> list[str]:
        """The folders in the folder `name`, "" for the root itself."""
        with self.as_load_errors(), suppress(FileNotFoundError):
            self.driver.invalidate_cache()
            found: list[Any] = self.driver.ls(self.at(name), detail=True)
            return [self._name(one["name"]) for one in found if one["type"] == "directory"]
        return []

    def files(self, name: str) -> list[str]:
        """All files below the folder `name`."""
        with self.as_load_errors():
            self.driver.invalidate_cache()
            return [self._name(path) for path in self.driver.find(self.at(name))]

    def fetch_all(self, names: Sequence[str], to: Sequence[Path]) -> None:
        """Copy files to this machine, several at a time where the driver can."""
        with self.as_load_errors():
            if names:
                self.driver.get([self.at(name) for name in names], [str(path) for path in to])

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self.as_load_errors(), suppress(FileNotFoundError):
            self.driver.rm_file(self.at(name))

    def delete_all(self, names: Iterable[str]) -> None:
        """Remove files, many at a time where the driver can."""
        paths = [self.at(name) for name in names]
        with self.as_load_errors():
            try:
                if paths:
                    self.driver.rm(paths)
            except FileNotFoundError:  # somebody else removed one
                for path in paths:
                    with suppress(FileNotFoundError):
                        self.driver.rm_file(path)

    def as_load_errors(self) -> AbstractContextManager[None]:
        """Every driver has errors of its own."""
        check = "check the address, that the bucket exists, and the credentials in the environment"
        return as_load_errors(self.uri, kinds=Exception, check=check)

    def made(self, name: str) -> str:
        """Where a file goes, once its folder is there; a bucket has none, and is not made."""
        path = self.at(name)
        if not _BUCKETS.search(self.url):
            self.driver.makedirs(path.rpartition("/")[0], exist_ok=True)
        return path

    def at(self, name: str) -> str:
        """The driver's path of a file."""
        return str(self._root / name)

    def _name(self, path: str) -> str:
        """Relative to the root, whose first slash some stores leave out."""
        return path.strip("/").removeprefix(str(self._root).strip("/")).strip("/")


def holds_credentials(url: str) -> bool:
    """Azure alone has an `@` in its addresses: `abfs://container@account.dfs.core.windows.net`."""
    host = url.partition("://")[2].partition("/")[0]
    return may_hold_password(url) or ("@" in host and not url.startswith(("abfs", "az:")))
