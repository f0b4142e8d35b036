"""Arrow to staging, beside plain Arrow to Parquet: the ratio of CPU time in one process.

    python -m benchmarks.arrow [--rows N] [--rounds N]

Both take the same record batches. Ours goes the whole way of a plugin's rows: gathered, written as
Parquet, checksummed, in the journal. Beside it stand the same rows as dicts, which are staged as
NDJSON, the whole load into a DuckDB file, and ways to write one piece of a staging.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.staging.staging import Staging
from connector_assets.plugins.define import define_connector
from connector_assets.project.connection import Connection
from connector_assets.sync import Run, sync

BATCH = 65_536


def batches(rows: int) -> Iterator[pa.RecordBatch]:
    """What a database gives: keys, decimals, times, short and long texts."""
    draw = np.random.default_rng(7)
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        cents = pa.array(draw.integers(0, 10**9, count)).cast(pa.decimal128(20, 0))
        yield pa.record_batch(
            {
                "id": pa.array(np.arange(start, start + count)),
                "amount": cents.cast(pa.decimal128(24, 4)),
                "at": pa.array(draw.integers(0, 10**15, count)).cast(pa.timestamp("us", "UTC")),
                "customer": pa.array([f"customer {n % 5000}" for n in range(count)]),
                "token": pa.array([f"{n:032x}" for n in draw.integers(0, 2**62, count)]),
                "share": pa.array(draw.random(count)),
                "paid": pa.array(draw.random(count) > 0.5),
            }
        )


def staged(read: Callable[[object], Iterator[object]], folder: Path) -> int:
    """Rows of a plugin in a staging folder, and its bytes."""
    plugin = define_connector(id="bench", display_name="Bench", read=read)
    reading = Connection("bench", plugin, environ={}).open("bench")
    with Staging(folder, connection="bench", stream="bench", fingerprint="x") as staging:
        for batch in plugin.read(reading):
            staging.append(batch.rows, batch.count, batch.checkpoint, complete=batch.complete)
        size = sum(segment.bytes for segment in staging.segments())
        staging.clear()
    return size


def loaded(read: Callable[[object], Iterator[object]], folder: Path) -> int:
    """Rows of a plugin in a table: read, staged and loaded."""
    plugin = define_connector(id="bench", display_name="Bench", read=read)
    file = folder / "data.duckdb"
    store = DuckDBDestination(file)
    came = sync(
        Connection("bench", plugin, environ={}), "bench", store, Run(folder / "load", full=True)
    )
    file.unlink()
    return came.loaded.rows


def written(table: pa.Table, **options: object) -> int:
    """One piece as Parquet, in memory."""
    buffer = BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.tell()


def sent(table: pa.Table, compression: str | None) -> int:
    """One piece as a stream of Arrow's own."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    return sink.getvalue().size


def pieces(table: pa.Table, rounds: int) -> dict[str, float]:
    """Milliseconds of CPU for one piece, by how it is written."""
    few = {"use_dictionary": False}
    ways: dict[str, Callable[[], int]] = {
        "dictionaries, zstd": lambda: written(table, compression="zstd", compression_level=1),
        "zstd": lambda: written(table, compression="zstd", compression_level=1, **few),
        "lz4, no statistics": lambda: written(
            table, compression="lz4", write_statistics=False, **few
        ),
        "IPC": lambda: sent(table, None),
        "IPC, lz4": lambda: sent(table, "lz4"),
    }
    return {name: round(measured(way, rounds)[0] * 1000, 1) for name, way in ways.items()}


def plain(given: list[pa.RecordBatch], folder: Path) -> int:
    """The same batches as one Parquet file, with pyarrow's defaults."""
    path = folder / "plain.parquet"
    with pq.ParquetWriter(path, given[0].schema) as writer:
        for batch in given:
            writer.write_batch(batch)
    size = path.stat().st_size
    path.unlink()
    return size


def measured(work: Callable[[], int], rounds: int) -> tuple[float, int]:
    """The median of CPU seconds, and the bytes written."""
    times, size = [], 0
    for _ in range(rounds):
        began = time.process_time()
        size = work()
        times.append(time.process_time() - began)
    return statistics.median(times), size


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    given = list(batches(asked.rows))
    few = [row for batch in given[:1] for row in batch.to_pylist()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        beside, beside_bytes = measured(lambda: plain(given, folder), asked.rounds)
        ours, our_bytes = measured(
            lambda: staged(lambda _: iter(given), folder / "staging"), asked.rounds
        )
        dicts, _ = measured(lambda: staged(lambda _: iter(few), folder / "staging"), asked.rounds)
        whole, _ = measured(lambda: loaded(lambda _: iter(given), folder), asked.rounds)
    told = {
        "rows": asked.rows,
        "plain_s": round(beside, 3),
        "staged_s": round(ours, 3),
        "ratio": round(beside / ours, 2),
        "staged_rows_per_s": round(asked.rows / ours),
        "loaded_s": round(whole, 3),
        "pieces_ms": pieces(pa.Table.from_batches(given[:2]), asked.rounds),
        "dict_rows_per_s": round(len(few) / dicts),
        "plain_MB": round(beside_bytes / 1e6, 1),
        "staged_MB": round(our_bytes / 1e6, 1),
        "peak_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
