"""Owners, tags and groups: what a catalogue shows, in the forms that Dagster takes.

One that Dagster refuses would keep every asset of a project from loading, so documents refuse it.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from connector_assets.spec.names.model import fault

_OWNER = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}|team:[A-Za-z0-9_.-]{1,63}")
_TAG_KEY = re.compile(r"(?:[A-Za-z0-9_.-]{1,63}/|dagster/kind/)?[A-Za-z0-9_.-]{1,63}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.-]{0,63}")
_GROUP = re.compile(r"[A-Za-z0-9_]{1,120}(?:/[A-Za-z0-9_]{1,120})*")


def _owner(value: str) -> str:
    if not _OWNER.fullmatch(value):
        raise ValueError('must be an e-mail address, or a team as in "team:data"')
    return value


def _tags(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _TAG_KEY.fullmatch(name):
            raise fault(name, "must be named by up to 63 letters, digits, '_', '.' and '-'")
        if not _TAG_VALUE.fullmatch(text):
            raise fault(name, "must hold up to 63 letters, digits, '_', '.' and '-'")
    return value


def _group(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("must be letters, digits and underscores")
    return value


Owner = Annotated[str, AfterValidator(_owner)]
Tags = Annotated[dict[str, str], AfterValidator(_tags)]
Group = Annotated[str, AfterValidator(_group)]
