"""A load in a process of its own, which kills itself once the first rows are staged.

python -m tests.plugins.kafka.killed_load ADDRESS FOLDER TOPIC CONFIG
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from connector_assets.runtime.stats import Stats
from tests.plugins.kafka.brokers import Broker
from tests.plugins.kafka.loads import Loads


def main() -> None:
    address, folder, topic, config = sys.argv[1:]

    def die(stats: Stats) -> None:
        if stats.staged:
            os.kill(os.getpid(), signal.SIGKILL)

    loads = Loads(Broker(address), Path(folder), {topic: {}}, json.loads(config))
    loads.load(topic, on_progress=die)


if __name__ == "__main__":
    main()
