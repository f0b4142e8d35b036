"""A load that SIGKILL ends: run by `PluginBench.load_killed` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import count
from pathlib import Path

from connector_assets.runtime.stats import Stats
from connector_assets.testing.bench import PluginBench
from connector_assets.testing.home import plugin_at


def main() -> None:
    """Load what standard input says, and die after so many batches."""
    told = json.load(sys.stdin)
    bench = PluginBench(
        plugin_at(told["home"]),
        Path(told["folder"]),
        config=told["config"],
        secrets=told["secrets"],
        allow_private=tuple(told["allow_private"]),
    )
    # It is called once before the first batch, and then after each.
    batches = count()

    def die(_: Stats) -> None:
        if next(batches) == told["after"]:
            os.kill(os.getpid(), signal.SIGKILL)

    bench.load(told["stream"], on_progress=die)


if __name__ == "__main__":
    main()
