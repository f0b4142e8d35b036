"""A fast loopback API of made-up rows, in a process of its own: pages are bytes made beforehand.

    GET /rows?offset=O&limit=L[&total=N][&dirty=1][&delay_ms=D]  →  {"rows": […], "total": N}
    GET /rows?cursor=C&limit=L&total=N                           →  {"rows": […], "next": C'}

Rows have 17 fields and about 540 bytes. Dirty rows mix types, gain a column late and hold integers
over 64 bits. Rows beyond the number made beforehand are the same ones again: to make them would
take longer than to read them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

_WORDS = ["lorem", "ipsum", "dolor", "sit", "amet", "elit", "sed", "do", "tempor", "magna"]
_BLOCK = 100
_made = 100_000


def row(n: int, *, dirty: bool) -> dict[str, object]:
    text = " ".join(_WORDS[(n + k) % len(_WORDS)] for k in range(16))
    made: dict[str, object] = {
        "id": n,
        "uuid": f"{n:08x}-0000-4000-8000-{n:012x}",
        "name": f"customer {n}",
        "email": f"user{n}@example.com",
        "active": n % 3 == 0,
        "score": n / 7,
        "amount": n * 13 % 100_000,
        "created_at": f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d}T{n % 24:02d}:00:00Z",
        "updated_at": f"2025-{n % 12 + 1:02d}-{n % 28 + 1:02d}T{n % 24:02d}:30:00Z",
        "country": ["de", "fr", "us", "jp"][n % 4],
        "city": f"city {n % 500}",
        "note": text,
        "tags": [f"t{n % 5}", f"t{n % 7}"],
        "address": {"street": f"street {n % 1000}", "zip": f"{n % 100_000:05d}"},
        "rating": n % 5,
        "parent_id": n // 10 or None,
        "comment": None if n % 2 else "ok",
    }
    if dirty:
        made["amount"] = [n, float(n) + 0.5, f"{n}", None][n % 4] if n % 50 == 0 else n
        made["big"] = 2**63 + n if n % 1000 == 1 else n
        made["parent_id"] = str(n) if n % 997 == 0 else n
        if n % 5000 == 4999:
            made["late"] = n
    return made


@lru_cache(maxsize=50_000)
def block(start: int, size: int, dirty: bool) -> bytes:
    """So many rows, comma separated."""
    rows = (row(start + k, dirty=dirty) for k in range(size))
    return b",".join(json.dumps(one, separators=(",", ":")).encode() for one in rows)


def page(offset: int, limit: int, total: int, *, dirty: bool) -> bytes:
    stop, size = min(offset + limit, total), min(_BLOCK, limit)
    blocks = [block(start % _made, size, dirty) for start in range(offset, stop, size)]
    following = f'"{stop}"'.encode() if stop < total else b"null"
    return b'{"rows":[%b],"total":%d,"next":%b}' % (b",".join(blocks), total, following)


class Protocol(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self.answer(head.split(b" ", 2)[1].decode())

    def answer(self, target: str) -> None:
        query = {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}
        offset = int(query.get("cursor") or query.get("offset") or 0)
        total, limit = int(query.get("total", 100_000)), int(query.get("limit", 1000))
        body = page(offset, limit, total, dirty=bool(query.get("dirty")))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        delay = float(query.get("delay_ms", 0)) / 1000
        send = lambda: self.transport.writelines([head % len(body), body])  # noqa: E731
        asyncio.get_running_loop().call_later(delay, send) if delay else send()


async def main(rows: int) -> None:
    """Make `rows` rows beforehand, then serve until killed."""
    global _made  # noqa: PLW0603 - the process is this one server
    _made = rows
    for start in range(0, rows, _BLOCK):
        block(start, _BLOCK, False)
    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
