"""What computing on rows costs: rows/s of one core, beside rows that stay bytes."""

from __future__ import annotations

import json
import statistics
import time

from connector_assets.runtime.rows.records import transform_of
from connector_assets.spec.stream.stream import Stream

ROWS, RUNS = 20_000, 5
CASES = {
    "rename": {"fields": {"rename": {"Owner": "owner"}}},
    "where": {"where": "{{record.status == 'open'}}"},
    "add": {"fields": {"add": {"region": "{{region}}"}}},
    "cast": {"fields": {"cast": {"amount": "decimal"}}},
    "mask": {"fields": {"mask": {"email": "sha256"}}},
    "remove nested": {"fields": {"remove": ["address.street"]}},
    "expand": {"expand": "lines"},
    "eight of them": {
        "where": "{{record.status != 'x'}}",
        "fields": {
            "add": {"region": "{{region}}", "city": "{{record.address.city}}"},
            "cast": {"amount": "decimal", "created": "epoch"},
            "mask": {"email": "sha256"},
            "remove": ["note"],
            "rename": {"Owner": "owner"},
        },
    },
}


def row(number: int) -> dict[str, object]:
    return {
        "id": number, "name": f"name {number}", "email": f"u{number}@example.com",
        "amount": f"{number}.10", "price": number * 1.25, "created": 1_700_000_000 + number,
        "updated": "2024-01-31T12:00:00Z", "status": "open" if number % 2 else "closed",
        "tags": ["a", "b", "c"], "note": "x" * 120, "a1": number, "a2": None, "a3": True,
        "address": {"street": "Main " * 3, "city": "Town", "zip": "12345"}, "a4": 3.5,
        "lines": [{"sku": "s1", "n": 1}, {"sku": "s2", "n": 2}], "Owner": "o",
    }  # fmt: skip


def main() -> None:
    data = b"".join(json.dumps(row(number)).encode() + b"\n" for number in range(ROWS))
    print(f"{ROWS} rows of {len(data) // ROWS} bytes; medians of {RUNS}")
    for name, given in CASES.items():
        transform = transform_of(Stream.model_validate({"name": "s", **given}))
        assert transform
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            transform(data, {"region": "eu"})
            times.append(time.perf_counter() - began)
        print(f"{name:15} {ROWS / statistics.median(times):10,.0f} rows/s")


if __name__ == "__main__":
    main()
