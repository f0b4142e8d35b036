"""The JSON Schema that editors use: it takes what the parser takes, and names what it does not."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from connector_assets.spec.checks.jsonschema import known_keys, known_values, schema_of
from connector_assets.spec.connection import ConnectionDocument
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.yaml.yaml_source import read_yaml
from tests.spec.documents import SEED, with_
from tests.spec.test_connection import FULL


@pytest.fixture(scope="module")
def connector():
    return Draft202012Validator(schema_of(ConnectorSpec))


@pytest.mark.parametrize("model", [ConnectorSpec, ConnectionDocument])
def test_the_schema_is_a_schema_with_a_description_of_the_document(model):
    Draft202012Validator.check_schema(schema_of(model))
    assert schema_of(model)["description"] == model.__doc__


def test_every_document_of_the_repository_fits_its_schema(connector, pytestconfig):
    for path in sorted((pytestconfig.rootpath / "specs").glob("*.yaml")):
        assert not list(connector.iter_errors(read_yaml(path.read_bytes()).data)), path
    connection = Draft202012Validator(schema_of(ConnectionDocument))
    for path in sorted((pytestconfig.rootpath / "connections").glob("*.yaml")):
        assert not list(connection.iter_errors(read_yaml(path.read_bytes()).data)), path
    assert not list(connection.iter_errors(read_yaml(FULL).data))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q: all", "q: [a, 1, 1.5, true, null]"),
        ("q: all", "q: 5"),
        ("pageSize: 200", "maxPages: unlimited"),
        ("method: GET", "auth: []"),
        ("    params:", "    body: {json: {a: [1]}}\n    params:"),
    ],
)
def test_what_the_parser_takes_fits_the_schema(connector, old, new):
    assert not list(connector.iter_errors(read_yaml(with_(old, new)).data))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cursorField", "cursorfield"),
        ("type: cursor", "type: keyset"),
        ("pageSize: 200", "pageSize: 0"),
        ("q: all", "q: {a: b}"),
        ("displayName: Shop\n", ""),
        ("type: none", "type: bearer"),
    ],
)
def test_what_the_parser_refuses_does_not_fit_the_schema(connector, old, new):
    assert list(connector.iter_errors(read_yaml(with_(old, new)).data))


def test_known_keys_are_those_of_the_member_that_is_meant():
    data = read_yaml(SEED).data
    path = ("endpoints", 0, "pagination")
    assert "cursorField" in known_keys(ConnectorSpec, path, data)
    assert "offsetParam" not in known_keys(ConnectorSpec, path, data)
    assert known_keys(ConnectorSpec, ("endpoints", 0, "params"), data) == []
    assert known_values(ConnectorSpec, ("auth", 0), "type", {"auth": [{}]})[:2] == [
        "none",
        "api_key",
    ]
