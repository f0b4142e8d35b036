"""A fast loopback API of made-up rows, in a process of its own: pages are pieces of files.

    GET /rows?offset=O&limit=L&total=N[&dirty=1][&delay_ms=D]  →  {"rows": […], "total": N}
    GET /rows?cursor=C&limit=L&total=N                         →  {"rows": […], "next": C'}

Argument: the folder with the files that `benchmarks.rows` made. No row comes twice.
"""

from __future__ import annotations

import asyncio
import mmap
import sys
from array import array
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks.rows import write

folder = Path(sys.argv[1])


@cache
def lines(total: int, dirty: bool) -> tuple[mmap.mmap, array[int]]:
    """A file of so many rows, and where each of them begins."""
    with write(folder, total, dirty=dirty).open("rb") as file:
        text = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    starts, end = array("q", [0]), 0
    while end := text.find(b"\n", end) + 1:
        starts.append(end)
    return text, starts


def page(offset: int, limit: int, total: int, *, dirty: bool) -> bytes:
    text, starts = lines(total, dirty)
    offset, stop = min(offset, total), min(offset + limit, total)
    rows = text[starts[offset] : starts[stop]].rstrip().replace(b"\n", b",")
    following = f'"{stop}"'.encode() if stop < total else b"null"
    return b'{"rows":[%b],"total":%d,"next":%b}' % (rows, total, following)


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
        total, limit = int(query["total"]), int(query.get("limit", 1000))
        body = page(offset, limit, total, dirty="dirty" in query)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        delay = float(query.get("delay_ms", 0)) / 1000
        send = lambda: self.transport.writelines([head % len(body), body])  # noqa: E731
        asyncio.get_running_loop().call_later(delay, send) if delay else send()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
