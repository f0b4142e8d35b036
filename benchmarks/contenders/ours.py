"""`connector-assets load`, as people run it.

Arguments: url, rows, page size, database (a file, or a URL), concurrency, and `probed` where the
spec shall not say where the total is.
"""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from connector_assets.cli.app import main

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
    os.environ.setdefault("CONNECTOR_ASSETS_STAGING", str(Path(folder, "staging")))
    to = database if "://" in database else f"duckdb:///{Path(database).absolute()}"
    try:
        main(["load", str(path), "--to", to, "--allow-private", urlsplit(url).netloc])
    except SystemExit as ended:
        if ended.code:
            raise

from connector_assets.load.table import Table  # noqa: E402 - it is there by now
from connector_assets.load.urls import destination_from_url  # noqa: E402

print(destination_from_url(to).count(Table("bench", "rows")))
