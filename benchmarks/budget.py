"""Is the vendor's limit kept, and used? Processes that share a budget, and a server that counts.

    python benchmarks/budget.py                        # 4 processes, 30 s, 50/s, burst 10, a folder
    python benchmarks/budget.py --store redis://…      # or postgresql://…
    python benchmarks/budget.py --limiter pyrate       # the library we measured against

Prints the requests the server saw, the most by which they exceeded rate x time + burst (from the
first request on, and in the worst window of any length), the share of the rate that was used, and
the CPU time of one turn.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path

from connector_assets.runtime.clock import Clock
from connector_assets.runtime.shared.budget import budget_for
from connector_assets.spec.endpoint import RateLimit

Turn = Callable[[], object]


def ours(store: str, rate: float, burst: int) -> Turn:
    limit = RateLimit(requestsPerSecond=rate, burstSize=burst)
    budget, cancel = budget_for("benchmark", limit, clock=Clock(), store=store), threading.Event()
    return lambda: budget.take(cancel)


def pyrate(store: str, rate: float, burst: int) -> Turn:
    """pyrate-limiter counts requests in windows: `burst` in the time they take at the rate."""
    from pyrate_limiter import Limiter, Rate, SQLiteBucket

    window_ms = round(1000 * burst / rate)
    bucket = SQLiteBucket.init_from_file(
        [Rate(burst, window_ms)], db_path=str(Path(store) / "pyrate.db"), use_file_lock=True
    )
    limiter = Limiter(bucket)
    return lambda: limiter.try_acquire("benchmark", blocking=True)


LIMITERS = {"ours": ours, "pyrate": pyrate}


def serve(port_to, times_to, stop) -> None:
    times: list[float] = []

    class Counting(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            times.append(time.monotonic())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port_to.send(server.server_port)
    stop.wait()
    times_to.send(times)


def ask(args, store, port, start, cpu_to) -> None:
    turn = LIMITERS[args.limiter](store, args.rate, args.burst)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    cpu_s, turns = 0.0, 0
    start.wait()
    end = time.monotonic() + args.seconds
    while time.monotonic() < end:
        began = time.process_time()
        turn()
        cpu_s, turns = cpu_s + time.process_time() - began, turns + 1
        if time.monotonic() < end:
            connection.request("GET", "/")
            connection.getresponse().read()
    cpu_to.put((cpu_s, turns))


def run(args, store: str) -> tuple[list[float], float, list[int]]:
    context = get_context("spawn")
    port_from, port_to = context.Pipe(duplex=False)
    times_from, times_to = context.Pipe(duplex=False)
    stop, start, cpu = context.Event(), context.Event(), context.Queue()
    server = context.Process(target=serve, args=(port_to, times_to, stop))
    server.start()
    port = port_from.recv()
    clients = [
        context.Process(target=ask, args=(args, store, port, start, cpu))
        for _ in range(args.processes)
    ]
    for client in clients:
        client.start()
    time.sleep(3)  # all have imported and connected
    start.set()
    spent = [cpu.get() for _ in clients]
    for client in clients:
        client.join()
    stop.set()
    times = times_from.recv()
    server.join()
    turns = [count for _, count in spent]
    return sorted(times), sum(s for s, _ in spent) / sum(turns), turns


def excess(times: list[float], rate: float, burst: int) -> tuple[float, float]:
    """Requests above the limit: from the first on, and in the worst window."""
    from_first = max(n - burst - (at - times[0]) * rate for n, at in enumerate(times, start=1))
    # A window from i to j holds j - i + 1: the worst i for each j is kept in one pass.
    worst, best = float("-inf"), float("-inf")
    for number, at in enumerate(times):
        best = max(best, at * rate - number)
        worst = max(worst, number + 1 - at * rate + best - burst)
    return from_first, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limiter", choices=LIMITERS, default="ours")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--burst", type=int, default=10)
    parser.add_argument("--store")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times, cpu_s, turns = run(args, args.store or folder)
    from_first, window = excess(times, args.rate, args.burst)
    possible = args.rate * (times[-1] - times[0]) + args.burst
    print(
        json.dumps(
            {
                "limiter": args.limiter,
                "requests": len(times),
                "limit": round(possible, 1),
                "above_limit_from_first": round(max(0.0, from_first), 2),
                "above_limit_in_worst_window": round(max(0.0, window), 2),
                "share_of_rate": round(len(times) / possible, 4),
                "cpu_us_per_turn": round(cpu_s * 1e6, 1),
                "turns_by_process": turns,
            }
        )
    )


if __name__ == "__main__":
    main()
