"""Components whose streams have no table to compare: named by discovery, signed, begun by an export."""

from __future__ import annotations

import json

import pytest
import yaml

from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.runtime.rows.records import transform_of
from connector_assets.spec.document import read_connector
from tests.authoring.imports.airbyte.cases import asks, by_time, field_, manifest, stream


def imported(made):
    text = yaml.safe_dump(made, sort_keys=False)
    return import_spec("airbyte", Source("manifest.yaml", text.encode()), WantedDraft())


def dynamic(resolver, **more):
    template = stream("template", "/tables/x/rows", **more)
    one = {
        "type": "DynamicDeclarativeStream",
        "name": "tables",
        "stream_template": template,
        "components_resolver": resolver,
    }
    return {**manifest(stream()), "dynamic_streams": [one]}


MAPPING = [
    {
        "type": "ComponentMappingDefinition",
        "field_path": ["name"],
        "value": "{{ components_values['label'] }}",
    },
    {
        "type": "ComponentMappingDefinition",
        "field_path": ["retriever", "requester", "path"],
        "value": "/tables/{{ components_values['id'] }}/rows",
    },
]


def test_streams_that_an_endpoint_lists_are_named_by_discovery():
    resolver = {
        "type": "HttpComponentsResolver",
        "retriever": stream("tables", "/tables", rows=("tables",))["retriever"],
        "components_mapping": MAPPING,
    }
    draft = imported(dynamic(resolver))
    (found,) = draft.data["read"]["dynamic"]
    assert found["name"] == "{{ record.label | default(none) }}"
    assert found["from"] == "tables_listed"
    assert found["vars"] == {"component_id": "{{ record.id }}"}
    urls = {one["id"]: one["url"] for one in draft.data["endpoints"]}
    assert urls[found["endpoint"]] == "{{ config.base }}/tables/{{ component_id }}/rows"
    assert [one.state for one in draft.outcomes] == ["same", "near"]


@pytest.mark.parametrize("kind", ["parameters", "config"])
def test_streams_that_the_manifest_lists_are_written_out(kind):
    listed = [{"label": "a", "id": 1}, {"label": "b", "id": 2}]
    if kind == "parameters":
        resolver = {
            "type": "ParametrizedComponentsResolver",
            "stream_parameters": {
                "type": "StreamParametersDefinition",
                "list_of_parameters_for_stream": listed,
            },
            "components_mapping": MAPPING,
        }
        made = dynamic(resolver)
    else:
        resolver = {
            "type": "ConfigComponentsResolver",
            "stream_config": {"type": "StreamConfig", "configs_pointer": ["tables"]},
            "components_mapping": MAPPING,
        }
        made = {**dynamic(resolver), "spec": asks(tables=field_("array", default=listed))}
    draft = imported(made)
    assert [(one.source, one.state) for one in draft.outcomes] == [
        ("items", "same"),
        ("a", "same"),
        ("b", "same"),
    ]
    urls = {one["id"]: one["url"] for one in draft.data["endpoints"]}
    assert urls["a"] == "{{ config.base }}/tables/1/rows"
    assert urls["b"] == "{{ config.base }}/tables/2/rows"


def test_streams_that_the_user_would_list_are_refused():
    resolver = {
        "type": "ConfigComponentsResolver",
        "stream_config": {"type": "StreamConfig", "configs_pointer": ["tables"]},
        "components_mapping": MAPPING,
    }
    draft = imported(dynamic(resolver))
    assert draft.outcomes[-1].state == "same"
    assert draft.outcomes[0].state == "refused"
    assert "the user lists in config" in draft.outcomes[0].why


def test_a_stream_begins_with_the_whole_list_and_goes_on_with_what_is_new():
    made = {
        "type": "StateDelegatingStream",
        "name": "items",
        "full_refresh_stream": stream("items", "/all"),
        "incremental_stream": stream("items", "/events", incremental_sync=by_time()),
    }
    draft = imported(manifest(made, spec=asks(start=field_())))
    (found,) = draft.data["read"]["streams"]
    assert found["initial"] == {
        "endpoint": "items_all",
        "incremental": {"cursorField": "updated"},
    }
    urls = {one["id"]: one["url"] for one in draft.data["endpoints"]}
    assert urls == {
        "items": "{{ config.base }}/events",
        "items_all": "{{ config.base }}/all",
    }


def test_a_signed_token_has_the_claims_and_headers_of_the_manifest():
    signer = {
        "type": "JwtAuthenticator",
        "secret_key": "{{ config['key'] }}",
        "algorithm": "RS256",
        "token_duration": 600,
        "header_prefix": "Bearer",
        "jwt_headers": {"kid": "{{ config['kid'] }}", "typ": "JWT"},
        "jwt_payload": {"iss": "{{ config['kid'] }}", "aud": "api"},
        "additional_jwt_payload": {"scope": "read"},
    }
    made = manifest(
        stream(requester={"authenticator": signer}), spec=asks(key=field_(), kid=field_())
    )
    assert imported(made).data["auth"] == [
        {
            "type": "jwt",
            "algorithm": "RS256",
            "keyRef": "{{ secrets.key }}",
            "lifetimeSeconds": 600,
            "claims": {"iss": "{{ config.kid }}", "aud": "api", "scope": "read"},
            "headers": {"kid": "{{ config.kid }}"},
            "prefix": "Bearer ",
        }
    ]


def test_a_budget_is_the_rate_limit_of_all():
    budget = {
        "type": "HTTPAPIBudget",
        "policies": [
            {
                "type": "MovingWindowCallRatePolicy",
                "rates": [{"type": "Rate", "limit": 60, "interval": "PT1M"}],
                "matchers": [],
            }
        ],
    }
    draft = imported({**manifest(stream()), "api_budget": budget})
    assert draft.data["rateLimit"] == {"requestsPerSecond": 1.0, "burstSize": 60}


FLATTENED = [
    ({"delete_origin_value": True}, {"a": 1, "b": "x", "id": 7}),
    (
        {"key_transformation": {"type": "KeyTransformation", "prefix": "props_"}},
        {"id": 7, "props": {"a": 1, "b": "x"}, "props_a": 1, "props_b": "x"},
    ),
    (
        {
            "key_transformation": {"type": "KeyTransformation", "prefix": "p_", "suffix": "_s"},
            "delete_origin_value": True,
        },
        {"id": 7, "p_a_s": 1, "p_b_s": "x"},
    ),
]


@pytest.mark.parametrize(("said", "row"), FLATTENED, ids=["bare", "prefixed and kept", "renamed"])
def test_an_object_that_moves_up_keeps_or_loses_itself_and_gets_its_keys(said, row):
    step = {"type": "DpathFlattenFields", "field_path": ["props"], **said}
    draft = imported(manifest({**stream(), "transformations": [step]}))
    spec = read_connector(draft.text).spec
    (one,) = spec.streams
    lines, _ = transform_of(one)(b'{"id":7,"props":{"a":1,"b":"x"}}\n', {})
    assert json.loads(lines) == row
    assert [one.state for one in draft.outcomes] == ["near"]
    assert "objects within props are moved up, too" in draft.outcomes[0].why
