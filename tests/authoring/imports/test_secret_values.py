"""What is a secret by its name or its look, and what only sounds like one."""

from __future__ import annotations

import pytest

from connector_assets.authoring.imports.secret_values import is_secret_name, looks_secret

SECRET = ("api_key", "X-Api-Key", "Authorization", "session-id", "sig", "refreshToken", "key")
HARMLESS = ("page_token", "nextToken", "sort_key", "author", "primary-key", "cursor", "token_type")


@pytest.mark.parametrize("name", SECRET)
def test_a_credential_is_known_by_its_name(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_pages_or_sorts_is_none(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("value", "is_secret"),
    [("sk_live_0123456789abcdef", True), ("eyJhbGciOiJIUzI1NiJ9.e30.x", True), ("key-2024", False)],
)
def test_a_key_is_known_by_its_look(value, is_secret):
    assert looks_secret(value) is is_secret
