"""The explanations of rows, limits and secrets: their tables and numbers are the code's."""

from __future__ import annotations

import re

import pytest

from connector_assets.redact import Secrets
from connector_assets.runtime.walk import in_order
from connector_assets.spec.endpoint import EndpointDefaults, RateLimit
from connector_assets.spec.request.pagination import NonePagination
from tests.docs.pages import ROOT

SECRETS = (ROOT / "docs" / "explanation" / "secrets.md").read_text("utf-8")
LIMITS = (ROOT / "docs" / "explanation" / "rows-and-limits.md").read_text("utf-8")
(VALUE,) = re.findall(r"For the secret `(.+)`:", SECRETS.replace("\n", " "))
FORMS = re.findall(
    r"^\| [\w, -]+ \| `(.+)` \|$", SECRETS.partition("| written as")[2], re.MULTILINE
)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_on_the_page_is_masked(form: str) -> None:
    assert Secrets({"key": VALUE}).mask(f"({form})") == "([secret:key])"


def test_every_form_is_found() -> None:
    assert len(FORMS) == SECRETS.partition("| written as")[2].partition("\n\n")[0].count("\n") - 1


def test_the_limits_are_the_codes() -> None:
    ahead, width = in_order._AHEAD, RateLimit().concurrency
    assert f"at most {ahead} pages ahead" in LIMITS
    assert f"`rateLimit.concurrency` (default {width})" in LIMITS
    assert f"{width * (ahead + 1 + width)} by default" in LIMITS
    assert f"`maxPages` is {NonePagination().max_pages} unless" in LIMITS
    most = EndpointDefaults.model_fields["max_response_bytes"].default
    assert f"`maxResponseBytes`, {most >> 20} MiB" in LIMITS
