"""Classes of published connectors: each is drafted as what it asks and gives, or says what differs."""

from __future__ import annotations

import json

import pytest
import yaml

from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.spec.names.paths import Path
from tests.authoring.imports.airbyte.cases import asks, field_, manifest, option, paged, stream

PYTHON = "source_declarative_manifest.components"
USER = {"username": "{{ config['user'] }}", "password": "{{ config['word'] }}"}
CLIENT = {"client_id": "{{ config['user'] }}", "client_secret": "{{ config['word'] }}"}


def imported(*streams, **values):
    made = manifest(*streams, spec=asks(user=field_(), word=field_(secret=True), **values))
    text = yaml.safe_dump(made, sort_keys=False)
    return import_spec("airbyte", Source("manifest.yaml", text.encode()), WantedDraft())


def with_class(name, **more):
    return {"class_name": f"{PYTHON}.{name}", **more}


def authenticated(component, base="https://api.example.com"):
    requester = {"url_base": base, "authenticator": component}
    return imported(stream(requester=requester), domain=field_(), playground=field_("boolean"))


BASIC = "Basic {{ (config.user ~ ':' ~ secrets.word) | base64 }}"
SESSIONS = [
    (
        with_class(
            "ShortLivedTokenAuthenticator",
            url="https://a.example.com/token",
            secret_key=USER["password"],
            client_id=USER["username"],
            lifetime="PT60S",
        ),
        "https://api.example.com",
        {
            "type": "session",
            "login": {
                "url": "https://a.example.com/token",
                "method": "GET",
                "headers": {"Authorization": BASIC},
            },
            "tokenPath": "access_token",
            "expiresSeconds": 60.0,
        },
    ),
    (
        with_class(
            "CommerceToolsOauth2Authenticator",
            token_refresh_endpoint="https://a.example.com/token",
            refresh_request_body={"scope": "all"},
            **CLIENT,
        ),
        "https://api.example.com",
        {
            "type": "session",
            "login": {
                "url": "https://a.example.com/token",
                "method": "POST",
                "params": {"grant_type": "client_credentials", "scope": "all"},
                "headers": {"Authorization": BASIC},
            },
            "tokenPath": "access_token",
        },
    ),
    (
        with_class("CustomAuthenticator", email=USER["username"], password=USER["password"]),
        "https://api2.myhours.com/api",
        {
            "type": "session",
            "login": {
                "url": "https://api2.myhours.com/api/tokens/login",
                "method": "POST",
                "headers": {"api-version": "1.0"},
                "body": {
                    "json": {
                        "email": "{{ config.user }}",
                        "password": "{{ secrets.word }}",
                        "grantType": "password",
                        "clientId": "api",
                    }
                },
            },
            "tokenPath": "accessToken",
        },
    ),
]


@pytest.mark.parametrize(("component", "base", "auth"), SESSIONS, ids=["get", "query", "json"])
def test_a_class_that_logs_in_becomes_a_session(component, base, auth):
    draft = authenticated(component, base)
    assert draft.data["auth"] == [auth]
    assert [one.state for one in draft.outcomes] == ["same"]


def test_headers_that_a_class_sends_beside_its_token_are_sent():
    component = with_class("CustomAuthenticator", email="{{ config['user'] }}", password="x")
    draft = authenticated(component, "https://api2.myhours.com/api")
    (endpoint,) = draft.data["endpoints"]
    assert endpoint["headers"] == {"Accept": "application/json", "api-version": "1.0"}


def test_a_login_with_a_form_has_the_scheme_of_its_api():
    made = manifest(
        stream(
            requester={
                "authenticator": {"class_name": "source_looker.components.LookerAuthenticator"}
            }
        ),
        spec=asks(domain=field_(), client_id=field_(), client_secret=field_(secret=True)),
    )
    text = yaml.safe_dump(made, sort_keys=False)
    draft = import_spec("airbyte", Source("manifest.yaml", text.encode()), WantedDraft())
    (auth,) = draft.data["auth"]
    form = {"client_id": "{{ config.client_id }}", "client_secret": "{{ secrets.client_secret }}"}
    assert auth["login"]["url"] == "https://{{ config.domain }}/api/4.0/login"
    assert auth["login"]["body"] == {"form": form}
    assert (auth["name"], auth["prefix"]) == ("Authorization", "token ")


def test_the_password_grant_asks_where_the_user_is():
    names = {"legal_entity": "e", "grant_type": "password", "client_id": "c", "scope": "s"}
    draft = authenticated(with_class("CustomYouniumAuthenticator", **names, **USER))
    (auth,) = draft.data["auth"]
    assert auth["login"]["body"]["form"] == {
        "username": "{{ config.user }}",
        "password": "{{ secrets.word }}",
        **names,
    }
    assert "if config.playground else 'younium-identity-server' }}" in auth["login"]["url"]
    assert "Bearer" in draft.outcomes[0].why


def test_a_client_in_the_header_of_a_refresh_is_one():
    refresh = {
        "token_refresh_endpoint": "https://a.example.com/token",
        "refresh_token": "{{ config['word'] }}",
    }
    draft = authenticated(with_class("PinterestOauthAuthenticator", **refresh, **CLIENT))
    (auth,) = draft.data["auth"]
    assert (auth["type"], auth["grant"], auth["clientAuth"]) == ("oauth2", "refresh_token", "basic")


ONE, OTHER = (
    {"type": "BearerAuthenticator", "api_token": "{{ config['word'] }}"},
    {
        "type": "BasicHttpAuthenticator",
        **USER,
    },
)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("AuthenticatorRetently", ("api_auth", "oauth")),
        ("AuthenticatorZendeskSunshine", ("basic_auth", "oauth2")),
        ("TypeformAuthenticator", ("token_auth", "oauth2")),
        ("ZendeskTalkAuthenticator", ("basic_auth", "oauth")),
    ],
)
def test_a_class_that_chooses_becomes_alternatives(name, fields):
    draft = authenticated(with_class(name, **dict(zip(fields, (ONE, OTHER), strict=True))))
    assert [one["type"] for one in draft.data["auth"]] == ["bearer", "basic"]


def test_a_name_of_several_classes_is_known_by_the_address_only():
    basic = with_class("CustomAuthenticator", **USER)
    known = authenticated(basic, "https://my.fastbill.com/api/1.0")
    assert known.data["auth"][0]["type"] == "basic"
    assert "UTF-8" in known.outcomes[0].why
    other = stream(
        "other", requester={"url_base": "https://other.example.com", "authenticator": basic}
    )
    outcome = imported(stream(), other).outcomes[1]
    assert (outcome.state, outcome.why) == (
        "refused",
        f"the authenticator {PYTHON}.CustomAuthenticator",
    )


EXTRACTORS = [
    (
        with_class(
            "NullCheckedDpathExtractor", field_path=["data", "*"], nullable_nested_field="data"
        ),
        "",
        {"data": [{"id": 1, "data": None}, {"id": 2, "data": {"id": 20}}]},
        [{"id": 1, "data": None}, {"id": 20}],
    ),
    (
        {"class_name": "source_pinterest.components.components.AdAccountRecordExtractor"},
        "",
        {"items": []},
        [],
    ),
    (
        {"class_name": "source_pinterest.components.components.AdAccountRecordExtractor"},
        "",
        {"id": 4},
        [{"id": 4}],
    ),
    (
        {"class_name": "source_pinterest.components.components.AdAccountRecordExtractor"},
        "",
        {"items": [{"id": 1}], "bookmark": None},
        [{"id": 1}],
    ),
    (
        with_class("EventsRecordExtractor"),
        "{{ config['url'] }}",
        {"events": ["a", "b"]},
        [{"event_name": "a"}, {"event_name": "b"}],
    ),
]


@pytest.mark.parametrize(("extractor", "base", "answer", "rows"), EXTRACTORS)
def test_rows_of_a_known_extractor(extractor, base, answer, rows):
    requester = {"url_base": base or "https://api.example.com"}
    one = stream(requester=requester, selector={"extractor": extractor})
    (endpoint,) = imported(one, url=field_()).data["endpoints"]
    assert Path(endpoint["responseRowsPath"]).find(answer) == rows


def test_a_requester_that_asks_for_each_field_of_the_schema():
    fields = {
        "gid": {"type": "string"},
        "owner": {"type": ["null", "object"]},
        "memberships": {"type": ["null", "array"], "items": {"type": "object"}},
        "custom_fields": {"type": "array", "items": {"type": "object"}},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    schema = {"type": "InlineSchemaLoader", "schema": {"properties": fields}}
    requester = {
        "class_name": "source_asana.components.AsanaHttpRequester",
        "url_base": "https://app.asana.com/api/1.0/",
        "request_parameters": {"workspace": "7"},
    }
    (endpoint,) = imported(stream("tasks", requester=requester, schema_loader=schema)).data[
        "endpoints"
    ]
    asked = "gid,owner.gid,memberships.(project|section).gid,custom_fields,tags"
    assert endpoint["params"] == {"workspace": "7", "opt_fields": asked}


def test_classes_that_change_nothing_that_is_asked_or_given():
    handler = {"class_name": f"{PYTHON}.KlaviyoErrorHandler", "max_retries": 2}
    step = with_class("CustomFieldTransformation")
    asked = {"url_base": "{{ config['url'] }}/api/", "error_handler": handler}
    draft = imported(stream(requester=asked, transformations=[step]), url=field_())
    assert [one.state for one in draft.outcomes] == ["same"]
    assert draft.data["endpoints"][0]["retry"] == {"maxAttempts": 3}
    assert "fields" not in draft.data["read"]["streams"][0]


def test_a_transformation_that_reads_a_schema_by_its_name_is_refused():
    step = with_class("CustomFieldTransformation", **{"$parameters": {"name": "items"}})
    asked = {"url_base": "{{ config['url'] }}/api/"}
    draft = imported(stream("plain"), stream(requester=asked, transformations=[step]), url=field_())
    assert draft.outcomes[1].state == "refused"


NEAR = [
    ({"requester": {"error_handler": with_class("ErrorHandlerWithRateLimiter")}}, "waits before"),
    (
        {
            "requester": {"url_base": "https://x.chargebee.com/api/v2"},
            "transformations": [with_class("CustomFieldTransformation")],
        },
        "begin with cf_",
    ),
    (
        {
            "transformations": [
                {
                    "type": "RemoveFields",
                    "field_pointers": [["**"]],
                    "condition": "{{ property|string == '' }}",
                }
            ]
        },
        "empty texts stay",
    ),
    (
        {
            "paginator": paged(
                {"type": "PageIncrement", "page_size": 2},
                option("page"),
                option("{{ config['nothing'] }}"),
            )
        },
        "has no name there",
    ),
]


@pytest.mark.parametrize(("parts", "says"), NEAR)
def test_what_differs_is_said(parts, says):
    (outcome,) = imported(stream(**parts)).outcomes
    assert outcome.state == "near"
    assert says in outcome.why


@pytest.mark.parametrize(
    ("name", "says"),
    [("FormIdPartitionRouter", "form_ids"), ("SurveyIdPartitionRouter", "survey_ids")],
)
def test_a_router_of_picked_parents_reads_all_of_them(name, says):
    config = {
        "type": "ParentStreamConfig",
        "stream": stream("forms"),
        "parent_key": "id",
        "partition_field": "form",
    }
    router = with_class(name, parent_stream_configs=[config])
    draft = imported(stream("forms"), stream("answers", "/{{ stream_slice.form }}", router=router))
    assert says in draft.outcomes[1].why
    each = draft.data["read"]["streams"][1]["forEach"]
    assert each == [{"parent": {"stream": "forms", "field": "id", "as": "form"}}]


def test_a_column_that_children_read_is_said_of_its_stream():
    def below(name, parent, field, path):
        config = {
            "type": "ParentStreamConfig",
            "stream": parent,
            "parent_key": "id",
            "partition_field": field,
        }
        router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}
        return stream(name, path, router=router)

    boards = below("boards", stream("teams"), "team", "/{{ stream_slice.team }}/boards")
    path = "/{{ stream_slice.parent_slice.team }}/{{ stream_slice.board }}"
    draft = imported(stream("teams"), boards, below("pins", boards, "board", path))
    assert [one.state for one in draft.outcomes] == ["same", "near", "same"]
    assert draft.outcomes[1].why == "a column slice_team is added, which its children read"
    streams = {one["name"]: one for one in draft.data["read"]["streams"]}
    assert streams["boards"]["fields"] == {"add": {"slice_team": "{{ item.team }}"}}
    assert "parent.slice_team" in json.dumps(draft.data["endpoints"])
