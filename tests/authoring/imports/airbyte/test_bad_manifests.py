"""What is no manifest is refused with its place; what is odd in one refuses one stream."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.cli.app import run
from connector_assets.errors import ConfigError
from connector_assets.spec.document import parse_connector
from tests.authoring.imports.airbyte.cases import asks, field_, manifest, option, paged, stream


def imported(made):
    text = made if isinstance(made, str) else yaml.safe_dump(made, sort_keys=False)
    return import_spec("airbyte", Source("manifest.yaml", text.encode()), WantedDraft())


_CIRCLE = """
type: DeclarativeSource
streams: ['#/definitions/a']
definitions: {a: {$ref: '#/definitions/b'}, b: {$ref: '#/definitions/a'}}
"""
REFUSED = {
    "not YAML": ("streams: [", "is neither JSON nor YAML"),
    "empty": ("", "is empty"),
    "a list": ("- a\n- b\n", "is not an Airbyte manifest"),
    "another document": ("kind: connector\nversion: '1.0'\n", "is not an Airbyte manifest"),
    "a connector's spec": ("type: Spec\nstreams: []\n", "is not an Airbyte manifest"),
    "no streams": ("type: DeclarativeSource\nstreams: []\n", "has no list to draft"),
    "a circle": (
        _CIRCLE,
        "leads back to itself",
    ),
    "a reference to nothing": (
        "type: DeclarativeSource\nstreams: ['#/definitions/gone']\n",
        "names nothing in the manifest",
    ),
    "a reference that is no text": (
        "type: DeclarativeSource\nstreams: [{$ref: [1]}]\n",
        "has a $ref that is not of the form",
    ),
    "nested too deep": (
        "type: DeclarativeSource\nstreams: " + "[" * 300 + "]" * 300,
        "nested more than",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_manifest_is_an_error_with_its_place(name, tmp_path, capsys):
    text, says = REFUSED[name]
    with pytest.raises(ConfigError, match=says.replace(".", r"\.").replace("$", r"\$")):
        imported(text)
    file, target = tmp_path / "manifest.yaml", tmp_path / "spec.yaml"
    file.write_text(text)
    assert run(["import", "airbyte", str(file), "--out", str(target)]) == 1
    assert says in capsys.readouterr().err
    assert not target.exists()


def test_references_that_grow_without_end_are_refused():
    layers = {f"l{n}": [f"#/definitions/l{n + 1}"] * 10 for n in range(9)}
    made = {"type": "DeclarativeSource", "streams": ["#/definitions/l0"]}
    with pytest.raises(ConfigError, match="is too large once its references are written out"):
        imported({**made, "definitions": {**layers, "l9": "x" * 10}})


def test_python_is_refused_by_stream_and_class_and_the_rest_is_drafted():
    custom = stream("custom", requester={"authenticator": {"class_name": "source.Odd"}})
    extracted = stream("extracted", selector={"extractor": {"class_name": "source.components.Own"}})
    child = stream(
        "child",
        router={
            "type": "SubstreamPartitionRouter",
            "parent_stream_configs": [
                {
                    "type": "ParentStreamConfig",
                    "stream": extracted,
                    "parent_key": "id",
                    "partition_field": "x",
                }
            ],
        },
    )
    draft = imported(manifest(stream(), custom, extracted, child))
    told = {one.stream: (one.state, one.why) for one in draft.outcomes}
    assert told["items"] == ("same", "")
    assert told["custom"] == ("refused", "the authenticator source.Odd")
    assert told["extracted"] == ("refused", "the extractor source.components.Own")
    assert told["child"] == (
        "refused",
        "its parent extracted is refused: the extractor source.components.Own",
    )
    assert [one.name for one in parse_connector(draft.text).streams] == ["items"]


ODD = {
    "a pipe in a value": {"requester": {"path": "/x/{{ config['a'] | unknown }}"}},
    "a method": {"requester": {"path": "/{{ config['a'].__class__ }}"}},
    "no path": {"requester": {"url_base": ""}},
    "a number for a requester": {"retriever": {"requester": 5}},
    "a list for a paginator": {"paginator": [1]},
    "an odd strategy": {"paginator": {"type": "DefaultPaginator", "pagination_strategy": 5}},
    "an odd router": {"router": {"type": "ListPartitionRouter", "values": {}}},
    "a broken template": {"requester": {"path": "/{{ config['a' }}"}},
    "an endless template": {"requester": {"path": "/{{ " + "(" * 400 + "1" + ")" * 400 + " }}"}},
    "an odd filter": {"selector": {"record_filter": {"type": "RecordFilter", "condition": "x"}}},
    "odd transformations": {"transformations": [{"type": "AddFields", "fields": [{"path": 5}]}]},
    "an odd cursor": {"incremental_sync": {"type": "DatetimeBasedCursor"}},
    "an odd name": {"name": "../../etc/passwd\n# x: {{ y }}"},
    "an odd field": {"primary_key": ['a"b', "x y", "{{ z }}"]},
    "an odd decoder": {"retriever": {"decoder": {"type": "Strange"}}},
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_stream_is_refused_or_drafted_and_spoils_no_other(name):
    draft = imported(manifest(stream("plain"), stream(**copy.deepcopy(ODD[name]))))
    states = [one.state for one in draft.outcomes]
    assert states[0] == "same"
    assert len(states) == 2
    assert parse_connector(draft.text).streams[0].name == "plain"


def test_values_that_a_manifest_holds_stay_out_of_the_draft_where_they_are_secrets():
    made = manifest(
        stream(requester={"authenticator": {"type": "BearerAuthenticator", "api_token": "s3cret"}}),
        stream("other"),
    )
    draft = imported(made)
    assert "s3cret" not in draft.text + json.dumps(draft.plain())
    assert draft.outcomes[0].why == "a credential that is written in the manifest"


def test_json_report_tells_each_stream_and_the_file_is_valid(tmp_path, capsys):
    file, target = tmp_path / "manifest.yaml", tmp_path / "acme.yaml"
    near = stream("near", incremental_sync=None, transformations=[{"type": "KeysToSnakeCase"}])
    file.write_text(yaml.safe_dump(manifest(stream(), near)))
    command = ["import", "airbyte", str(file), "--out", str(target), "--json"]
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["source"], one["state"]) for one in told["streams"]] == [
        ("items", "same"),
        ("near", "near"),
    ]
    assert told["file"] == str(target)
    assert run(["validate", str(target)]) == 0
    target.write_text("edited: by hand\n")
    assert run(command) == 1
    assert target.read_text() == "edited: by hand\n"
    assert run([*command, "--replace"]) == 0
    assert parse_connector(target.read_text()).streams[0].name == "items"


def test_values_of_the_user_are_config_and_secrets_by_their_use():
    spec = asks(
        credentials={
            "type": "object",
            "properties": {
                "client_id": field_(description="Where to find it"),
                "token": field_(),
                "host": field_(secret=True, description="The account's host"),
            },
        },
        start=field_(default="2024-01-01"),
        size=field_("integer", default=5),
        unused=field_(),
    )
    made = stream(
        requester={
            "url_base": "https://{{ config['credentials']['host'] }}.example.com",
            "authenticator": {
                "type": "BearerAuthenticator",
                "api_token": "{{ config['credentials']['token'] }}",
            },
            "request_parameters": {"id": "{{ config['credentials']['client_id'] }}"},
        },
        paginator=paged(
            {"type": "PageIncrement", "page_size": "{{ config['size'] }}"}, option("p"), option("n")
        ),
    )
    data = parse_connector(imported(manifest(made, spec=spec)).text)
    assert set(data.secrets) == {"token"}
    assert set(data.config) == {"client_id", "host", "size"}
    assert data.config["size"].default == 5
    assert data.config["client_id"].description == "Where to find it"
