"""dlt's REST source into DuckDB. Arguments: url, rows, page size, database, default|best."""

import os
import sys
import tempfile

url, rows, size, database, setting = sys.argv[1:]
folder = tempfile.mkdtemp()
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["DLT_DATA_DIR"] = folder
if setting == "best":
    # The fastest found: nested values kept whole, normalize and load in two workers each.
    os.environ["NORMALIZE__WORKERS"] = "2"
    os.environ["LOAD__WORKERS"] = "2"
    os.environ["NORMALIZE__DATA_WRITER__BUFFER_MAX_ITEMS"] = "20000"
    os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = "20000"
    os.environ["DATA_WRITER__FILE_MAX_ITEMS"] = "50000"

import dlt  # noqa: E402 - it reads the environment when it is imported
from dlt.sources.rest_api import rest_api_source  # noqa: E402


def main() -> None:
    source = rest_api_source(
        {
            "client": {"base_url": url.split("/rows")[0]},
            "resources": [
                {
                    "name": "rows",
                    "endpoint": {
                        "path": "rows?" + url.partition("?")[2],
                        "data_selector": "rows",
                        "paginator": {
                            "type": "offset",
                            "limit": int(size),
                            "total_path": "total",
                        },
                    },
                }
            ],
        }
    )
    loader = None
    if setting == "best":
        source.max_table_nesting = 0
        loader = "parquet"
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(database), dataset_name="bench"
    )
    pipeline.run(source, loader_file_format=loader, write_disposition="replace")
    with pipeline.sql_client() as client:
        print(client.execute_sql("select count(*) from rows")[0][0])


if __name__ == "__main__":
    main()
