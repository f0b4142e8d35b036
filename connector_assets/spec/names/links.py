"""The `Link` header (RFC 8288, section 3), and how servers write it."""

from __future__ import annotations

import re

from connector_assets.errors import ResponseError

# What stands between two commas that are in no brackets and no quotes; a lone one is a character.
_LINK = re.compile(r"""(?:<[^>]*>|"(?:[^"\\]|\\.)*"|(?<==)'[^']*'|[^,])++""", re.DOTALL)
_TARGET = re.compile(r"\s*<([^>]*)>")
_PARAMETER = re.compile(
    r"""([^\s=;"']++)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;"']*))""", re.DOTALL
)


def find_link(header: str, rel: str) -> str | None:
    """The target of the first link whose relation types hold `rel`, in any case and any quotes.

    Raises ResponseError where such a link has no target in angle brackets: it is not the end.

    >>> find_link('<https://h/1>; rel=prev, </2?a=b,c>; title="a, b"; REL="next last"', "next")
    '/2?a=b,c'
    >>> find_link("</2>;rel='next'", "next")
    '/2'
    """
    for link in _LINK.findall(header):
        target = _TARGET.match(link)
        if rel.lower() in _relations(link[target.end() :] if target else link):
            if target is None:
                raise ResponseError(
                    f'the Link header has a "{rel}" that cannot be read',
                    fix="tell the vendor that a link stands in angle brackets",
                )
            return target[1].strip()
    return None


def _relations(parameters: str) -> list[str]:
    """The relation types of a link; only its first `rel` counts (section 3.3)."""
    for name, quoted, single, bare in _PARAMETER.findall(parameters):
        if name.lower() == "rel":
            return (re.sub(r"\\(.)", r"\1", quoted) or single or bare).lower().split()
    return []
