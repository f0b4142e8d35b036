"""A draft beside the truth: what a careful person wrote for the same lists."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import yaml

from connector_assets.authoring.imports.draft import Draft

_FIELDS = {
    "next_url": ("urlField",),
    "link_header": (),
    "cursor": ("cursorField", "lastRecordField", "cursorParam", "cursorIn"),
    "page": ("pageParam", "in"),
    "offset": ("offsetParam", "in"),
    "none": (),
}


@dataclass
class Score:
    """How many are right; `wrong` names each that is not, and whether there is a remark."""

    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def score(draft: Draft, truth: dict[str, Any], into: Score) -> None:
    """Compare the endpoints of one document."""
    data = yaml.safe_load(draft.text)
    streams = {one["name"]: one for one in data["read"]["streams"]}
    endpoints = {one["id"]: one for one in data["endpoints"]}
    by_source = {one.source: one.stream for one in draft.outcomes if one.state != "skipped"}
    for wanted in truth["endpoints"]:
        source = f"{wanted['method']} {wanted['path']}"
        name = by_source.get(source)
        if name is None:
            into.wrong.append(f"{source}: no list")
            continue
        questions = {r.field for r in draft.remarks if r.stream == name and r.kind == "question"}
        made = endpoints[name]
        checks = {
            "rows": made["responseRowsPath"] == wanted["rowsPath"],
            "key": streams[name].get("primaryKey") == wanted["primaryKey"],
            "pagination": _pages_alike(made, wanted),
            "parent": _parents_alike(streams[name], wanted.get("parent"), by_source),
        }
        fields = {"rows": "responseRowsPath", "key": "primaryKey", "parent": "forEach"}
        for what, is_right in checks.items():
            if is_right:
                into.right[what] += 1
            elif fields.get(what, what) in questions:
                into.asked[what] += 1
            else:
                into.wrong.append(f"{source}: {what}")


def _pages_alike(made: dict[str, Any], wanted: dict[str, Any]) -> bool:
    given = made["pagination"]
    for one in [wanted["pagination"], *wanted.get("paginationAlso", [])]:
        fields = _FIELDS[one["type"]]
        alike = given["type"] == one["type"] and all(given.get(f) == one.get(f) for f in fields)
        if alike and _size(made) == (one.get("pageSizeParam"), one.get("pageSize")):
            return True
    return False


def _size(made: dict[str, Any]) -> tuple[str | None, int | None]:
    given = made["pagination"]
    name = given.get("pageSizeParam") or given.get("limitParam")
    if name:
        return name, given.get("pageSize")
    sizes = [(n, v) for n, v in made.get("params", {}).items() if isinstance(v, int) and v > 1]
    return sizes[0] if sizes else (None, None)


def _parents_alike(stream: dict[str, Any], wanted: Any, by_source: dict[str, str]) -> bool:
    parents = [one["parent"] for one in stream.get("forEach", []) if "parent" in one]
    if not wanted or not wanted.get("stream"):
        return not parents
    (parent,) = parents or [{}]
    return (parent.get("stream"), parent.get("field")) == (
        by_source.get(wanted["stream"]),
        wanted["field"],
    ) and re.fullmatch(r"path:\w+", wanted["into"]) is not None
