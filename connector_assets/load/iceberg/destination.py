"""Iceberg tables as a destination: schema and table in a catalog, through pyiceberg."""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.files.store_errors import as_load_errors
from connector_assets.load.iceberg.catalog import CatalogAddress, address_of
from connector_assets.load.iceberg.parts import FILE_BYTES
from connector_assets.load.iceberg.table import IcebergCommit, IcebergSnapshot, look
from connector_assets.load.lake.destination import LakeDestination
from connector_assets.load.lake.store import Change, Fence, Snapshot
from connector_assets.load.lake.stored import COMMON, Storing
from connector_assets.load.table import Table

_SMALL = ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT")
_STORING = Storing({**COMMON, **dict.fromkeys(_SMALL, "INTEGER")})
_ANY = 1 << 62
_CHECK = "check the catalog's address, its warehouse, and the credentials in the environment"


class IcebergFormat:
    """Iceberg tables in one catalog."""

    def __init__(self, address: CatalogAddress) -> None:
        self._address = address
        self._catalog: Any = None

    @property
    def uri(self) -> str:
        return self._address.uri

    @property
    def storing(self) -> Storing:
        return _STORING

    @property
    def most_gone_in_part(self) -> int:
        return _ANY

    def look(self, table: Table, folder: Path) -> IcebergSnapshot:
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        with as_iceberg_errors(self.uri):
            try:
                found = self._opened().load_table(_identifier(table))
            except (NoSuchTableError, NoSuchNamespaceError):
                return IcebergSnapshot()
            return look(found, table.where, folder)

    def commit(
        self, table: Table, before: Snapshot, change: Change, look: Callable[[], None]
    ) -> None:
        assert isinstance(before, IcebergSnapshot)
        fence = Fence(look)
        with as_iceberg_errors(table.where):
            transaction = self._transaction(table, before, change)
            IcebergCommit(before, change, fence, table.where).run(transaction)

    def _transaction(self, table: Table, before: IcebergSnapshot, change: Change) -> Any:
        if before.table is not None:
            return before.table.transaction()
        catalog, identifier = self._opened(), _identifier(table)
        catalog.create_namespace_if_not_exists(identifier[:-1])
        with change.rows.reader() as rows:
            return catalog.create_table_transaction(
                identifier,
                rows.schema,
                properties={"write.target-file-size-bytes": str(FILE_BYTES)},
            )

    def _opened(self) -> Any:
        if self._catalog is None:
            self._catalog = self._address.open()
            weakref.finalize(self, self._catalog.close)  # a pool of an SQL catalog's connections
        return self._catalog


class IcebergDestination(LakeDestination):
    """Iceberg tables in the catalog at a URL."""

    def __init__(self, url: str, *, wait_s: float = 300) -> None:
        super().__init__(IcebergFormat(address_of(url)), wait_s=wait_s)


@contextmanager
def as_iceberg_errors(where: str) -> Iterator[None]:
    """What catalog, store or library refuse, without the words that came with it."""
    import pyarrow as pa
    from pyiceberg import exceptions
    from sqlalchemy.exc import SQLAlchemyError

    kinds = tuple(
        one
        for one in vars(exceptions).values()
        if isinstance(one, type) and issubclass(one, Exception)
    )
    try:
        with as_load_errors(where, check=_CHECK):
            yield
    except (*kinds, SQLAlchemyError, pa.ArrowException) as error:
        what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
        raise LoadError(f"Iceberg's library: {what}", where=where, fix=_CHECK) from error


def _identifier(table: Table) -> tuple[str, str]:
    """Namespace and name: catalogs split names at dots, and some take no other signs."""
    return _name(table.schema), _name(table.name)


def _name(text: str) -> str:
    plain = re.sub(r"\W", "_", text)
    if plain == text:
        return text
    return f"{plain}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
