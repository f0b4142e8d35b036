"""Every vendor spec in `specs/`, as it stands, against a server that imitates the vendor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector_assets import HttpRuntime, parse_connector
from connector_assets.errors import AuthError, RateLimited, RequestError
from connector_assets.spec.connector import ConnectorSpec
from tests.specs.vendor import Loopback, Request, Wire, running
from tests.specs.vendors import GitHub, HubSpot, Klaviyo, Stripe

SPECS = Path(__file__).parents[2] / "specs" / "catalogue"
REPOSITORY = {"owner": "octocat", "repo": "hello-world"}
# spec, vendor, name of the secret, config values
VENDORS: dict[str, tuple[Any, str, dict[str, str]]] = {
    "stripe": (Stripe, "apiKey", {}),
    "hubspot": (HubSpot, "accessToken", {}),
    "klaviyo": (Klaviyo, "apiKey", {}),
    "github": (GitHub, "token", REPOSITORY),
}
# spec, stream, the vendor's own name of the list, requests that it takes
STREAMS = [
    ("stripe", "customers", "customers", 3),
    ("stripe", "charges", "charges", 2),
    ("stripe", "invoices", "invoices", 2),
    ("stripe", "subscriptions", "subscriptions", 1),
    ("stripe", "prices", "prices", 1),
    ("hubspot", "contacts", "contacts", 3),
    ("hubspot", "companies", "companies", 1),
    ("hubspot", "deals", "deals", 1),
    ("hubspot", "tickets", "tickets", 1),
    ("hubspot", "owners", "owners", 2),
    ("klaviyo", "profiles", "profiles", 3),
    ("klaviyo", "events", "events", 1),
    ("klaviyo", "lists", "lists", 3),
    ("klaviyo", "flows", "flows", 1),
    ("klaviyo", "metrics", "metrics", 2),
    ("klaviyo", "email_campaigns", "email_campaigns", 2),
    ("klaviyo", "sms_campaigns", "sms_campaigns", 1),
    ("github", "issues", "issues", 3),
    ("github", "pulls", "pulls", 1),
    ("github", "labels", "labels", 1),
    ("github", "commits", "commits", 2),
    ("github", "contributors", "contributors", 1),
    ("github", "issue_comments", "issues/comments", 2),
]


@pytest.mark.parametrize(("name", "stream", "list_name", "calls"), STREAMS)
def test_a_stream_gives_every_row_the_vendor_has(
    name: str, stream: str, list_name: str, calls: int
) -> None:
    with at(name) as (vendor, loopback, runtime):
        rows = list(read(runtime, name, stream, vendor.key))
    assert identities(rows) == identities(vendor.lists[list_name])
    assert len(loopback.requests) == calls


@pytest.mark.parametrize("name", VENDORS)
def test_a_wrong_key_is_one_clear_error_without_the_key(name: str) -> None:
    with at(name) as (_, loopback, runtime), pytest.raises(AuthError) as caught:
        list(read(runtime, name, spec_of(name).streams[0].name, "wrong-key-5f2a"))
    assert "401" in str(caught.value)
    assert VENDORS[name][1] in str(caught.value)
    assert "wrong-key-5f2a" not in str(caught.value)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("name", VENDORS)
def test_every_stream_has_a_key_and_every_spec_a_page_to_read_on(name: str) -> None:
    spec = spec_of(name)
    assert spec.docs_url
    assert spec.docs_url.startswith("https://")
    assert [stream.name for stream in spec.streams if not stream.primary_key] == []
    assert [e.id for e in spec.endpoints if not (spec.rate_limit or endpoint(spec, e.id))] == []


def test_stripe_takes_the_key_as_a_user_name_too() -> None:
    with at("stripe") as (vendor, loopback, runtime):
        spec = spec_of("stripe").model_copy(update={"auth": spec_of("stripe").auth[1:]})
        rows = list(runtime.rows(spec, "subscriptions", secrets={"apiKey": vendor.key}))
    assert len(rows) == 3
    assert loopback.requests[0].headers["authorization"].startswith("Basic ")


def test_stripe_is_asked_for_one_version_of_its_objects() -> None:
    with at("stripe") as (vendor, loopback, runtime):
        list(read(runtime, "stripe", "customers", vendor.key))
    assert {request.headers["stripe-version"] for request in loopback.requests} == {
        "2025-07-30.basil"
    }
    assert [request.param("starting_after") for request in loopback.requests] == [
        None,
        "cu_100",
        "cu_200",
    ]


def test_hubspot_rows_hold_the_properties_that_were_asked_for() -> None:
    with at("hubspot") as (vendor, _, runtime):
        row = next(iter(read(runtime, "hubspot", "contacts", vendor.key)))
    assert row["properties"]["email"] == "email of 100"
    assert row["properties"]["lifecyclestage"] == "lifecyclestage of 100"


def test_klaviyo_follows_links_with_key_and_revision() -> None:
    with at("klaviyo") as (vendor, loopback, runtime):
        list(read(runtime, "klaviyo", "profiles", vendor.key))
    assert {request.headers["revision"] for request in loopback.requests} == {"2026-07-15"}
    assert {request.headers["accept"] for request in loopback.requests} == {
        "application/vnd.api+json"
    }
    assert [request.param("page[size]") for request in loopback.requests] == ["100"] * 3


def test_github_follows_links_that_name_the_repository_by_number() -> None:
    with at("github") as (vendor, loopback, runtime):
        list(read(runtime, "github", "issues", vendor.key))
    assert [request.path for request in loopback.requests] == [
        "/repos/octocat/hello-world/issues",
        "/repositories/1296269/issues",
        "/repositories/1296269/issues",
    ]
    assert sent(loopback.requests, "authorization") == {f"Bearer {vendor.key}"}


def test_github_reads_public_repositories_without_a_token() -> None:
    with at("github") as (vendor, loopback, runtime):
        rows = list(runtime.rows(spec_of("github"), "labels", params=REPOSITORY))
    assert identities(rows) == identities(vendor.lists["labels"])
    assert sent(loopback.requests, "authorization") == {None}


def test_github_is_not_asked_again_before_the_time_it_names() -> None:
    with at("github") as (vendor, loopback, runtime):
        vendor.spent = True
        rows = read(runtime, "github", "labels", vendor.key)
        with pytest.raises(RateLimited, match=r"octocat/hello-world/labels: 403") as caught:
            list(rows)
    assert caught.value.retry_after_s == 3600
    assert len(loopback.requests) == 1


def test_a_repository_that_is_not_there_is_named() -> None:
    params = {"owner": "octocat", "repo": "gone"}
    with at("github") as (vendor, _, runtime):
        rows = runtime.rows(
            spec_of("github"), "labels", params=params, secrets={"token": vendor.key}
        )
        with pytest.raises(RequestError, match=r"api.github.com/repos/octocat/gone/labels: 404"):
            list(rows)


@contextmanager
def at(name: str) -> Iterator[tuple[Any, Loopback, HttpRuntime]]:
    """The vendor, where it runs, and a runtime whose wire leads there."""
    vendor = VENDORS[name][0]()
    with (
        running(vendor) as loopback,
        HttpRuntime(
            resolver=lambda _: ["93.184.215.14"], transport=Wire(vendor.host, loopback)
        ) as runtime,
    ):
        yield vendor, loopback, runtime


def read(runtime: HttpRuntime, name: str, stream: str, key: str) -> Iterator[dict[str, Any]]:
    _, secret, config = VENDORS[name]
    return runtime.rows(spec_of(name), stream, params=config, secrets={secret: key})


def spec_of(name: str) -> ConnectorSpec:
    path = SPECS / f"{name}.yaml"
    return parse_connector(path.read_text(), source=str(path))


def endpoint(spec: ConnectorSpec, endpoint_id: str) -> Any:
    return spec.endpoint(endpoint_id).rate_limit


def identities(rows: list[dict[str, Any]]) -> list[Any]:
    return [row.get("id") or row["sha"] for row in rows]


def sent(requests: list[Request], header: str) -> set[str | None]:
    return {request.headers.get(header) for request in requests}
