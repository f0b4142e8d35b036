"""What `connector-assets load` does.

Arguments: url, rows, page size, database, concurrency, and `probed` where the spec shall not say
where the total is.
"""

import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from connector_assets.load.duckdb import DuckDBDestination
from connector_assets.project import connection_from_file
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.sync import sync

SPEC = """
kind: connector
version: "1.0"
id: bench
displayName: Bench
auth: [{{type: none}}]
endpoints:
  - id: rows
    url: "{url}"
    responseRowsPath: rows
    rateLimit: {{concurrency: {concurrency}}}
    pagination: {{type: offset, pageSize: {size}, {total}maxPages: unlimited}}
read: {{primary: rows}}
"""

url, rows, size, database = sys.argv[1:5]
concurrency = sys.argv[5] if len(sys.argv) > 5 else "4"
total = "" if "probed" in sys.argv else "totalField: total, "
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "bench.yaml")
    path.write_text(SPEC.format(url=url, size=size, concurrency=concurrency, total=total))
    with HttpRuntime([urlsplit(url).netloc]) as runtime:
        connection = connection_from_file(path, runtime=runtime)
        result = sync(
            connection, "rows", DuckDBDestination(database), staging=Path(folder, "staging")
        )
print(result.loaded.rows)
