"""What reading a body costs in each format: rows/s of one core, from bytes to rows."""

from __future__ import annotations

import json
import statistics
import time

import httpx

from connector_assets.runtime.body.page import Page
from connector_assets.runtime.body.to_json import json_of
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.endpoint import Endpoint

ROWS, RUNS, NAMES = 50_000, 3, [f"c{number}" for number in range(17)]


def bodies() -> dict[str, bytes]:
    lines = [json.dumps(dict.fromkeys(NAMES, f"value {n}")).encode() for n in range(ROWS)]
    header = ",".join(NAMES)
    table = "".join(",".join(f'"value {n}"' for _ in NAMES) + "\r\n" for n in range(ROWS))
    rows = "".join(
        "<row>" + "".join(f"<{name}>value {n}</{name}>" for name in NAMES) + "</row>"
        for n in range(ROWS)
    )
    return {
        "json": b"[" + b",".join(lines) + b"]",
        "jsonl": b"\n".join(lines),
        "csv": f"{header}\r\n{table}".encode(),
        "xml": f"<rows>{rows}</rows>".encode(),
    }


def main() -> None:
    print(f"{ROWS} rows of {len(NAMES)} values; medians of {RUNS}")
    for name, body in bodies().items():
        given = {
            "responseFormat": name,
            **({"responseRowsPath": "rows.row"} if name == "xml" else {}),
        }
        endpoint = Endpoint.model_validate({"id": "e", "url": "https://x.example", **given})
        answer = Answer(200, httpx.Headers(), body, "https://x.example")
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            page = Page(answer, endpoint.response_rows_path, None, json_of(answer, endpoint))
            page.ndjson()
            times.append(time.perf_counter() - began)
        rate = ROWS / statistics.median(times)
        print(f"{name:6} {len(body) // ROWS:4} bytes/row {rate:12,.0f} rows/s")


if __name__ == "__main__":
    main()
