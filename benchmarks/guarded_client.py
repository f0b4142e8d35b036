"""CPU per request of the guarded client against a bare `httpx.Client`, in one run.

    python -m benchmarks.guarded_client [requests] [page bytes]

A server in another process answers from loopback, so only the client's CPU counts. The two take
turns; the figures are the medians of the rounds. Exits 1 when the guard costs over 15% more.
"""

import http.server
import multiprocessing
import statistics
import sys
import threading
import time

import httpx

from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.client import Client, Limits
from connector_assets.runtime.http.request import DEFAULT_HEADERS, Request

ROUNDS = 7
AIM = 1.15


def serve(size, pipe):
    body = b'{"rows":[' + b"1," * (size // 2) + b"1]}"

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Rate-Limit: 5\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pipe.send(server.server_port)
    server.serve_forever()


def bare(origin, count):
    with httpx.Client(trust_env=False, headers={"Authorization": "Bearer t"}) as client:
        client.get(origin)
        start = time.process_time()
        for page in range(count):
            assert client.get(f"{origin}/v1/items", params={"page": page}).content
        return time.process_time() - start


def guarded(origin, count, auth=None):
    options = {
        "auth": auth,
        "origins": frozenset([origin]),
        "limits": Limits(),
        "cancel": threading.Event(),
        "mask": lambda text: text,
    }
    headers = {**DEFAULT_HEADERS, b"Authorization": b"Bearer t"}
    with Client(guard=Guard([origin.removeprefix("http://")])) as client:
        client.exchange(**options).answer(Request.get(origin, headers))
        start = time.process_time()
        for page in range(count):
            request = Request.get(f"{origin}/v1/items?page={page}", headers)
            assert client.exchange(**options).answer(request).body
        return time.process_time() - start


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 54_000
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(size, theirs), daemon=True)
    server.start()
    origin = f"http://127.0.0.1:{ours.recv()}"
    basic = httpx.BasicAuth("u", "p")
    rounds = [
        (bare(origin, count), guarded(origin, count), guarded(origin, count, basic))
        for _ in range(ROUNDS)
    ]
    server.terminate()
    medians = [statistics.median(column) / count * 1e6 for column in zip(*rounds, strict=True)]
    for name, cost in zip(("httpx.Client", "guarded", "guarded, basic auth"), medians, strict=True):
        print(f"{name:20} {cost:6.0f} µs CPU per request, ratio {cost / medians[0]:.2f}")
    sys.exit(medians[1] > AIM * medians[0])


if __name__ == "__main__":
    main()
