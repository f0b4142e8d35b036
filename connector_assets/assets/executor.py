"""How steps are started: forked from a server that has the definitions loaded already.

A step process of its own must import Dagster and load every definition before its first line runs.
At 10,000 assets that took 28.9 s a step; forked from a process that has done it, 0.9 s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg

LEAST_CONCURRENT = 4
"""Steps wait for servers more than they compute, so even one core runs this many at a time."""


@cache
def executor(preload: str = "connector_assets.assets.preloaded") -> dg.ExecutorDefinition:
    """Dagster's own default executor, with `forkserver` where the run config names nothing else.

    `preload` is a module that calls `assets.preload.preload` when it is imported.
    """

    def with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
        if "multiprocess" not in config:
            return dict(config)
        given = {key: value for key, value in config["multiprocess"].items() if value is not None}
        start = {"forkserver": {"preload_modules": [preload]}}
        most = max(LEAST_CONCURRENT, os.cpu_count() or 1)
        return {"multiprocess": {"start_method": start, "max_concurrent": most, **given}}

    default = dg.multi_or_in_process_executor
    # Under its own name, so that run config reads as it does for any other job.
    return default.configured(with_defaults, default.name, default.config_schema.as_field())
