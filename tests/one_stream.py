"""A shop of one stream whose rows a test sets, loaded through the command line."""

from __future__ import annotations

from tests.shop import shop_spec
from tests.timeline import Project

SPEC = shop_spec("""
auth: [{type: none}]
endpoints: [{id: items, url: https://api.example.com/items, responseRowsPath: rows}]
read:
  streams:
    - name: items
      primaryKey: [id]
      %s
""")


class Rows:
    def __init__(self, *rows):
        self.rows = list(rows)

    def __call__(self, path, query):
        return {"rows": self.rows}


def project(tmp_path, stream, *rows):
    return Project(tmp_path, SPEC % stream, Rows(*rows))
