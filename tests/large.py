"""Large bodies of every format, and what a command takes that reads them."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FORMS = ["json", "rows.json", "json.gz", "xml", "jsonl", "csv"]
"""`rows.json` has its rows at a path; the root of the others is a list, or their lines."""

PATHS = {"rows.json": "data.rows", "xml": "a.orders.order"}
_ROWS = {
    "json": b'{"id":%d,"n":"' + b"n" * 978 + b'"}',
    "jsonl": b'{"id":%d,"n":"' + b"n" * 978 + b'"}\n',
    "csv": b"%d," + b"n" * 978 + b"\n",
    "xml": b"<order><id>%d</id><n>" + b"n" * 978 + b"</n></order>\n",
}
_ENDS = {
    "json": (b"[", b"]"),
    "json.gz": (b"[", b"]"),
    "rows.json": (b'{"data": {"total": 1, "rows": [', b']}, "end": "x"}'),
    "csv": (b"id,n\n", b""),
    "xml": (b"<a><b>1</b><orders>\n", b"</orders></a>"),
}
FIRST = 10_000_000
"""The id of the second row and, but for the page, of the first."""

_MAIN = """
import pathlib, re, sys
from connector_assets.cli import main
sys.argv[1:] = sys.argv[2:]
try:
    main()
finally:
    # Not ru_maxrss: that one is inherited from the process that began this one.
    print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""


def format_of(form):
    """What `responseFormat` is for it."""
    return form.removesuffix(".gz").removeprefix("rows.")


def bodies(form, megabytes):
    """A function from a page's number to its body, which differs in its first row alone."""
    row = _ROWS[format_of(form)]
    between = b"," if format_of(form) == "json" else b""
    common = b"".join(between + row % (FIRST + n) for n in range(1, megabytes * 1000))
    head, tail = _ENDS.get(form, (b"", b""))

    def body(page):
        whole = b"".join([head, row % (FIRST * page), common, tail])
        return gzip.compress(whole, 1) if form.endswith("gz") else whole

    return body


def peak(api, folder, text, *command):
    """The most memory that a command takes, in MiB, and how many seconds."""
    folder.mkdir()
    (folder / "shop.yaml").write_text(text)
    name, *options = command or ("read", "--format", "jsonl")
    options += ["--config", f"base_url={api.origin}", "--allow-private", api.host]
    began = time.monotonic()
    with (folder / "out").open("w+b") as out:
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "-", name, "shop.yaml", *options],
            cwd=folder, stdout=out, stderr=subprocess.PIPE, check=False,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        out.seek(-20, 2)
        found = int(out.read().split()[-1])
    shutil.rmtree(folder)
    return found, round(time.monotonic() - began, 1)
