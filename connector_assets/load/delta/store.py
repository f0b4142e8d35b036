"""Where a Delta table is, and files of ours in its folder, through the table's own object store."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.files.store_errors import as_load_errors

if TYPE_CHECKING:
    from deltalake import DeltaTable

_CHECK = "check the address, that the bucket exists, and the credentials in the environment"


@dataclass(frozen=True, slots=True)
class DeltaStore:
    """The folder of one table, as a URL or a path."""

    url: str
    uri: str

    @property
    def options(self) -> dict[str, str] | None:
        """All else is in the environment; plain HTTP is only spoken to where that was asked for."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        if not self.url.startswith("s3") or not endpoint:
            return None
        plain = {"allow_http": "true"} if endpoint.startswith("http://") else {}
        return {"aws_endpoint_url": endpoint, **plain}

    def opened(self) -> DeltaTable | None:
        """The newest version of the table, None where there is none."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        if "://" not in self.url and not os.path.isdir(self.url):  # noqa: PTH112 # it is text
            return None
        with suppress(TableNotFoundError):
            return DeltaTable(self.url, storage_options=self.options)
        return None

    def has_files(self) -> bool:
        """Whether files of others are in the folder, as far as readers would look."""
        import pyarrow.fs as pa_fs

        if "://" not in self.url and not os.path.isdir(self.url):  # noqa: PTH112
            return False
        found = self._files().get_file_info(pa_fs.FileSelector("", allow_not_found=True))
        return any(not one.base_name.startswith(("_", ".")) for one in found)

    def read(self, name: str) -> bytes | None:
        with suppress(FileNotFoundError), self._files().open_input_file(name) as file:
            return bytes(file.read())
        return None

    def write(self, name: str, content: bytes) -> None:
        with self.writing(name) as file:
            file.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[NewFile]:
        """A file that is there once the block ends well."""
        if "://" not in self.url:
            os.makedirs(self.url, exist_ok=True)  # noqa: PTH103
        from deltalake._internal import DeltaFileSystemHandler

        file = NewFile(DeltaFileSystemHandler(self.url, self.options).open_output_stream(name))
        yield file
        file.end()

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError, OSError):
            self._files().delete_file(name)

    def sweep(self, folder: str, keep: Collection[int], *, below: int) -> None:
        """Delete files of a folder whose name is a number below `below`, and none of `keep`.

        What cannot be deleted stays: the load is done.
        """
        import pyarrow.fs as pa_fs

        with suppress(OSError):
            selector = pa_fs.FileSelector(folder, allow_not_found=True)
            for one in self._files().get_file_info(selector):
                number = one.base_name.partition(".")[0]
                if number.isdecimal() and int(number) < below and int(number) not in keep:
                    self.delete(f"{folder}/{one.base_name}")

    def _files(self) -> Any:
        import pyarrow.fs as pa_fs
        from deltalake.fs import DeltaStorageHandler

        return pa_fs.PyFileSystem(DeltaStorageHandler(self.url, self.options))


class NewFile:
    """A file as pyarrow wants one: it hands over buffers where the library wants bytes."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream, self.size = stream, 0

    def write(self, content: Any) -> int:
        self._stream.write(bytes(content))
        self.size += len(content)
        return len(content)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing: the store takes pieces as it wants them."""

    def close(self) -> None:
        """Nothing: who has written all of it says so by `end`."""

    def end(self) -> None:
        self._stream.close()


@contextmanager
def as_delta_errors(where: str) -> Iterator[None]:
    """What the library refuses; in its own words only where they are about the table's columns."""
    from deltalake.exceptions import DeltaError, DeltaProtocolError, SchemaMismatchError

    try:
        with as_load_errors(where, check=_CHECK):
            yield
    except (DeltaProtocolError, SchemaMismatchError) as error:
        fix = "use a writer that has what the table asks for, or load into another table"
        raise LoadError(_line(error), where=where, fix=fix) from error
    except DeltaError as error:
        what = "Delta's library could not read or write the table"
        raise LoadError(what, where=where, fix=_CHECK) from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
