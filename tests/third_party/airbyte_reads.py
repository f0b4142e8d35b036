"""Reads manifests with Airbyte's own CDK; run by the Python of the environment that has it.

One job a line on stdin: `{"manifest": …, "config": …, "stream": …}`. One line of JSON is the answer to
each: its rows, or the error.
"""

import json
import logging
import os
import sys

from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)


def rows(manifest, config, stream):
    modes = [SyncMode.full_refresh, SyncMode.incremental]
    one = AirbyteStream(name=stream, json_schema={}, supported_sync_modes=modes)
    catalog = ConfiguredAirbyteCatalog(
        streams=[
            ConfiguredAirbyteStream(
                stream=one,
                sync_mode=SyncMode.incremental,
                destination_sync_mode=DestinationSyncMode.append,
            )
        ]
    )
    source = ConcurrentDeclarativeSource(
        catalog=catalog, config=config, state=[], source_config=manifest
    )
    logger = logging.getLogger("airbyte")
    messages = source.read(logger, config, catalog, [])
    return [one.record.data for one in messages if one.type == Type.RECORD]


def main():
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            told = {"rows": rows(**job)}
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"[:2000]}
        answers.write(json.dumps(told, default=str) + "\n")
        answers.flush()


main()
