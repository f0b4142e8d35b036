"""A small valid spec, ways to break it, and what is then said."""

from __future__ import annotations

from connector_assets.errors import SpecError
from connector_assets.spec.document import parse_connector

SEED = """\
kind: connector
version: "1.0"
id: shop
displayName: Shop
category: crm
auth:
  - type: none
endpoints:
  - id: items
    method: GET
    url: https://api.example.com/v1/items
    params:
      q: all
    pagination:
      type: cursor
      cursorField: next
      pageSize: 200
    rateLimit:
      requestsPerSecond: 10
read:
  primary: items
  resourceTypes: [Item]
"""


def faults(text, parse=parse_connector):
    """What is wrong with `text`; empty if nothing."""
    try:
        parse(text)
    except SpecError as error:
        return error.faults
    return []


def lines(text):
    return [str(fault) for fault in faults(text)]


def with_(old, new, text=SEED):
    assert old in text
    return text.replace(old, new, 1)
