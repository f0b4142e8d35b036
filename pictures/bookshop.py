"""The API that the pictures show: small, the same each time, on loopback."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PORT = 8003
_PER_PAGE = 50
_FIRST = ("Quiet", "Northern", "Paper", "Salt", "Second", "Glass", "Late", "Iron", "Small", "Blue")
_LAST = ("Harbour", "Letters", "Season", "Garden", "Engine", "Maps", "Kitchen", "Winter", "Hours")
_NAMES = ("A. Okafor", "M. Lind", "J. Ferreira", "S. Tanaka", "R. Novak", "C. Moreau", "E. Haddad")
_SAID = ("could not put it down", "slow, then splendid", "the maps alone are worth it", "too long")


def _books() -> list[dict[str, Any]]:
    draw = random.Random(7)
    books = []
    for n in range(1, 241):
        title = f"{draw.choice(_FIRST)} {draw.choice(_LAST)}"
        price = f"{draw.randrange(800, 3900) / 100:.2f}" if n != 17 else "0.00"  # noqa: PLR2004
        day = f"{draw.randrange(1998, 2026)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 28):02}"
        author = draw.choice(_NAMES)
        books.append({"id": n, "title": title, "author": author, "price": price, "published": day})
    return books


def _orders() -> list[dict[str, Any]]:
    draw = random.Random(8)
    return [
        {
            "id": n,
            "book_id": draw.randrange(1, 241),
            "quantity": draw.randrange(1, 4),
            "ordered_at": f"2026-11-0{1 + n % 7}T{n % 24:02}:15:00Z",
        }
        for n in range(1, 1401)
    ]


def _archive() -> list[dict[str, Any]]:
    return [
        {"id": n, "book_id": n % 240 + 1, "ordered_at": f"20{n % 20 + 5:02}-06-01T08:00:00Z"}
        for n in range(1, 10_001)
    ]


def _reviews(book: int) -> list[dict[str, Any]]:
    draw = random.Random(book)
    many = draw.randrange(0, 5)
    return [
        {"id": book * 10 + n, "stars": draw.randrange(2, 6), "text": draw.choice(_SAID)}
        for n in range(many)
    ]


_LISTS = {"books": _books(), "orders": _orders(), "archive": _archive()}


def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
    """The status and the body of an answer."""
    parts = path.strip("/").split("/")
    if parts[0] == "payments":
        return 403, {"error": "this key may not read payments"}
    rows = _reviews(int(parts[1])) if parts[-1] == "reviews" else _LISTS.get(parts[0])
    if rows is None:
        return 404, {"error": "no such list"}
    if "since" in query:
        rows = [one for one in rows if query["since"] <= one["ordered_at"] < query["until"]]
    begin = int(query.get("cursor", 0))
    end = begin + _PER_PAGE
    return 200, {"data": rows[begin:end], "next": str(end) if end < len(rows) else None}


@contextmanager
def serving() -> Iterator[None]:
    """The API, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = answer(
                parts.path, {name: found[-1] for name, found in parse_qs(parts.query).items()}
            )
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
