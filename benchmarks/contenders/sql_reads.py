"""One way to read a table of PostgreSQL into Parquet; run where its library is installed.

python sql_reads.py plain-adbc postgresql://postgres@127.0.0.1:5432/postgres /tmp/out
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgresql
import connectorx as cx
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_BYTES = 4 << 20


def plain_adbc(url: str, folder: Path) -> int:
    """What ADBC streams, written as it comes, in files as large as those of staging."""
    rows, waiting = 0, []
    with postgresql.connect(url) as connection, connection.cursor() as cursor:
        hint = {"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)}
        cursor.adbc_statement.set_options(**hint)
        cursor.execute("select * from rows")
        for number, batch in enumerate(cursor.fetch_record_batch()):
            waiting.append(_storable(batch))
            if sum(one.num_rows for one in waiting) >= 100_000:
                rows += _written(pa.Table.from_batches(waiting), folder / f"{number}.parquet")
                waiting = []
        if waiting:
            rows += _written(pa.Table.from_batches(waiting), folder / "last.parquet")
    return rows


def _storable(batch):
    """Numerics come as a type of no other program; their texts are taken as they are."""
    columns = [one.storage if isinstance(one, pa.ExtensionArray) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def connectorx(url: str, folder: Path) -> int:
    """As its documentation says: four partitions of the key, all of it in memory."""
    given = {"partition_on": "id", "partition_num": 4, "return_type": "arrow"}
    table = cx.read_sql(url, "select * from rows", **given)
    return _written(table, folder / "all.parquet")


def _written(table, path: Path) -> int:
    pq.write_table(table, path, compression="zstd", compression_level=1)
    return table.num_rows


if __name__ == "__main__":
    way, url, folder = sys.argv[1:]
    Path(folder).mkdir(parents=True)
    begun, cpu = time.monotonic(), time.process_time()
    rows = {"plain-adbc": plain_adbc, "connectorx": connectorx}[way](url, Path(folder))
    print(json.dumps([time.monotonic() - begun, time.process_time() - cpu, rows]))
