"""How much sooner pages come in parallel, where each answer takes 50 ms.

    python -m benchmarks.latency [--pages 200] [--rounds 3] [--delay-ms 50]

Reads a list through the runtime, without loading it: of pages whose number the server tells
("counted") and of pages it does not ("probed"). The server is another process on loopback. Figures
are medians; `requests` shows what reading ahead costs.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.throughput import serving
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.values import Values
from connector_assets.spec.document import parse_connector

SPEC = """
kind: connector
version: "1.0"
id: latency{width}
displayName: Latency
endpoints:
  - id: rows
    url: "{url}"
    responseRowsPath: rows
    rateLimit: {{concurrency: {width}}}
    pagination: {{type: offset, pageSize: {size}, {total}maxPages: unlimited}}
read: {{primary: rows}}
"""
WIDTHS = (1, 4, 8, 16)


def read(port, given, size, kind, width):
    """Seconds and requests it takes to read all rows."""
    rows = given.pages * size
    url = f"http://127.0.0.1:{port}/rows?total={rows}&delay_ms={given.delay_ms}"
    total = "totalField: total, " if kind == "counted" else ""
    spec = parse_connector(SPEC.format(url=url, size=size, total=total, width=width))
    stats = Stats()
    with HttpRuntime([f"127.0.0.1:{port}"]) as runtime:
        began = time.monotonic()
        steps = runtime.steps(spec, spec.streams[0], Values("latency"), stats=stats)
        lines = sum(step.page.ndjson().count(b"\n") for step in steps)
        took = time.monotonic() - began
    assert lines == rows, f"{rows} rows expected, {lines} came"
    return took, stats.calls


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay-ms", type=float, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, serving(Path(made)) as port:
        print(
            "| pages of | | in parallel | s | times faster | requests |\n|---|---|---|---|---|---|"
        )
        for size in (100, 1000):
            for kind in ("counted", "probed"):
                read(port, given, size, kind, WIDTHS[-1])  # the server makes rows on first use
                report(port, given, size, kind)


def report(port, given, size, kind):
    alone = 0.0
    for width in WIDTHS:
        runs = [read(port, given, size, kind, width) for _ in range(given.rounds)]
        took = statistics.median(seconds for seconds, _ in runs)
        calls = statistics.median(calls for _, calls in runs)
        alone = alone or took
        faster = f"{alone / took:.1f}"
        print(f"| {size} | {kind} | {width} | {took:.2f} | {faster} | {calls:.0f} |", flush=True)


if __name__ == "__main__":
    main()
