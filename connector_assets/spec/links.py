"""The `Link` header (RFC 8288, section 3)."""

from __future__ import annotations

import re

_TARGET = re.compile(r"\s*<([^>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
_NEXT = re.compile(r"[^,]*,?")


def find_link(header: str, rel: str) -> str | None:
    """The target of the first link whose relation types hold `rel`, in any case.

    >>> find_link('<https://h/1>; rel=prev, </2?a=b,c>; title="a, b"; REL="next last"', "next")
    '/2?a=b,c'
    """
    at = 0
    while target := _TARGET.match(header, at):
        at = target.end()
        relations: str | None = None
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            if parameter[1].lower() == "rel" and relations is None:
                quoted = parameter[2]
                relations = parameter[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if relations and rel.lower() in relations.lower().split():
            return target[1].strip()
        at = _end_of_link(header, at)
    return None


def _end_of_link(header: str, at: int) -> int:
    found = _NEXT.match(header, at)
    return found.end() if found else len(header)
