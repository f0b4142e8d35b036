"""A registry that speaks the part of Confluent's REST API that readers use: a fake of the wire.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class FakeRegistry:
    """Schemas by id and by subject, and the paths that were asked for."""

    url: str = ""
    user: str = ""
    ids: dict[int, dict[str, Any]] = field(default_factory=dict)
    subjects: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, schema: str, kind: str = "AVRO", references: Any = (), subject: str = "") -> int:
        """Keep a schema; the id that messages name it by."""
        told = {"schema": schema, "schemaType": kind, "references": list(references)}
        if kind == "AVRO":
            del told["schemaType"]  # as the registry does
        id_ = len(self.ids) + 1
        self.ids[id_] = told
        if subject:
            self.subjects[subject, 1] = {**told, "subject": subject, "version": 1, "id": id_}
        return id_

    def answer(self, path: str, login: str | None) -> tuple[int, Any]:
        if self.user and login != "Basic " + base64.b64encode(self.user.encode()).decode():
            return 401, {"error_code": 401, "message": "Unauthorized"}
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match parts:
            case ["schemas", "types"]:
                return 200, ["JSON", "PROTOBUF", "AVRO"]
            case ["schemas", "ids", id_] if int(id_) in self.ids:
                return 200, self.ids[int(id_)]
            case ["subjects", subject, "versions", number] if (
                subject,
                int(number),
            ) in self.subjects:
                return 200, self.subjects[subject, int(number)]
        return 404, {"error_code": 40403, "message": "Schema not found"}


@contextmanager
def registry(user: str = "") -> Iterator[FakeRegistry]:
    """A registry on this machine."""
    fake = FakeRegistry(user=user)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append(self.path)
            status, told = fake.answer(urlsplit(self.path).path, self.headers.get("authorization"))
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def framed(id_: int, body: bytes) -> bytes:
    """A value as serializers with a registry write it."""
    return b"\0" + id_.to_bytes(4, "big") + body
