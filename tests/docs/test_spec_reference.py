"""The reference of the spec: every key is described, and what is in the repository is what is made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # has no types

from connector_assets.authoring.llms_txt import llms_txt
from connector_assets.authoring.spec_reference import of_spec
from connector_assets.spec.checks.jsonschema import schema_of
from connector_assets.spec.connection import ConnectionDocument
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.dynamic import Lock
from connector_assets.spec.yaml.yaml_source import read_yaml
from tests.docs.pages import ROOT

REFERENCE = ROOT / "docs" / "reference"
MODELS = {"connector": ConnectorSpec, "connection": ConnectionDocument, "lock": Lock}
FOUNDING = ROOT / "specs" / "salesforce_rest.yaml"
DOCUMENTS = [
    *((path, "connector") for path in sorted((ROOT / "specs").rglob("*.yaml"))),
    *((path, "connection") for path in sorted((ROOT / "connections").glob("*.yaml"))),
]
_MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def keys(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping of a document as `Name`, and every key as `Name.key`, with what is said of it."""
    for name, mapping in {"document": schema, **schema["$defs"]}.items():
        if "properties" in mapping:
            yield name, mapping
            yield from ((f"{name}.{key}", of) for key, of in mapping["properties"].items())


@pytest.mark.parametrize("model", MODELS.values())
def test_every_key_has_a_description(model: type) -> None:
    bare = [name for name, said in keys(schema_of(model)) if not said.get("description")]
    assert bare == [], "write a docstring under the field, other than that of its class"


def test_the_reference_is_what_the_models_say() -> None:
    made = (REFERENCE / "spec.md").read_text("utf-8")
    assert made == of_spec(), "run: connector-assets docs spec > docs/reference/spec.md"


def test_the_index_for_models_names_every_page() -> None:
    made = (ROOT / "docs" / "llms.txt").read_text("utf-8")
    assert made == llms_txt(ROOT / "docs"), "run: connector-assets docs llms > docs/llms.txt"


@pytest.mark.parametrize("kind", MODELS)
def test_the_schema_for_editors_is_that_of_the_models(kind: str) -> None:
    path = REFERENCE / f"{kind}.schema.json"
    again = f"run: connector-assets schema {kind} > docs/reference/{path.name}"
    assert json.loads(path.read_text("utf-8")) == schema_of(MODELS[kind]), again


@pytest.mark.parametrize(("path", "kind"), DOCUMENTS, ids=lambda one: getattr(one, "name", one))
def test_a_document_fits_the_schema_that_its_editor_finds(path: Any, kind: str) -> None:
    text = path.read_text("utf-8")
    schema = REFERENCE / f"{kind}.schema.json"
    if path != FOUNDING:  # which stays as it was given
        named = _MODELINE.match(text)
        assert named, "begin with # yaml-language-server: $schema=…"
        assert (path.parent / named[1]).resolve() == schema
    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    assert [error.message for error in validator.iter_errors(read_yaml(text).data)] == []
