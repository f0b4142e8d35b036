"""The floor: httpx and orjson alone, nothing stored. Arguments: url, rows, page size, database."""

import sys

import httpx
import orjson

url, rows, size, _ = sys.argv[1:]
seen = 0
with httpx.Client(trust_env=False, timeout=60) as client:
    for offset in range(0, int(rows), int(size)):
        answer = client.get(f"{url}&offset={offset}&limit={size}")
        seen += len(orjson.loads(answer.content)["rows"])
print(seen)
