"""Where the files of a table lie: rows where any reader takes them for the table, all else beside.

    lake/crm/people/000001-ab12cd34.parquet                    # rows
    lake/crm/people/partition=EU West/000002-0c9f3b1e.parquet  # of one partition
    lake/crm/people__rejected/000002-55aa7710.parquet          # rows set aside
    lake/_connector_assets/crm/people/manifest.json            # and what else there is

Readers pass by names that begin with `_`, as Spark does, or are told the table's own folder.
"""

from __future__ import annotations

import re

from connector_assets.load.files.folders import STATE
from connector_assets.load.files.store_names import file_name

MANIFEST = "manifest.json"
FIELD = "partition"
"""The name of the column that readers make of the folders of partitions."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{}\[\]^]")
# Most file systems take 255 bytes for one name.
_LONGEST = 255


def hive_folder(value: str | None) -> str:
    """The folder of a partition, as Hive names it; None is of rows that belong to none.

    >>> hive_folder("EU West"), hive_folder("a/b=50%")
    ('partition=EU West', 'partition=a%2Fb%3D50%25')
    """
    if value is None:
        return f"{FIELD}={NO_VALUE}"
    return f"{FIELD}={_UNSAFE.sub(lambda found: f'%{ord(found[0]):02X}', value)}"


def unfit_partition(value: str) -> str:
    """Why no folder can stand for a partition, "" where one can."""
    if not value:
        return "a partition without a name is read as none"
    if value == NO_VALUE:
        return f'"{NO_VALUE}" is what readers take for no partition'
    try:
        length = len(hive_folder(value).encode())
    except UnicodeEncodeError:
        return "half a character is in the name of a partition"
    return "the name of a partition is too long for a folder" if length > _LONGEST else ""


def data_folder(schema: str, name: str) -> str:
    return f"{file_name(schema)}/{file_name(name)}"


def state_folder(schema: str, name: str) -> str:
    return f"{STATE}/{data_folder(schema, name)}"


def base(name: str) -> str:
    return name.rpartition("/")[2]
