"""Versions: one clear fault for one that is not known, and the way to the one that is."""

from __future__ import annotations

import pytest

from connector_assets.errors import SpecError
from connector_assets.spec.document import parse_connector
from connector_assets.spec.migrate import Edit, Migration, migrate
from tests.spec.documents import SEED, lines, with_


@pytest.mark.parametrize("version", ["1.1", "2.0", "10.3"])
def test_a_newer_version_is_one_fault_whatever_else_it_says(version):
    text = with_('"1.0"', f'"{version}"').replace("auth:", "credentials:")
    [line] = lines(text)
    assert line == (
        f'version: must be "1.0"; this document is of format {version}: '
        "it needs a newer connector-assets"
    )


def test_an_older_version_is_to_be_migrated():
    assert lines(with_('"1.0"', '"0.9"')) == [
        'version: must be "1.0"; this document is of format 0.9: run connector-assets migrate'
    ]


def test_what_is_up_to_date_stays_as_it_is():
    done = migrate(SEED)
    assert (done.text, done.steps) == (SEED, ())


@pytest.mark.parametrize(
    "written", ["1.0", "1", "'1'", '"1"', "v1.0", "1.00", "1.0   # of the format", '"v1"']
)
def test_a_loose_version_is_written_as_it_must_be(written):
    text = with_('version: "1.0"', f"# which format\nversion: {written}")
    done = migrate(text)
    _, _, comment = written.partition("   ")
    comment = f"   {comment}" if comment else ""
    assert done.text == with_('version: "1.0"', f'# which format\nversion: "1.0"{comment}')
    assert done.steps == ('version is written "1.0"',)
    parse_connector(done.text)
    assert migrate(done.text).steps == ()


def test_line_ends_and_flow_style_are_kept():
    text = "{kind: connection, version: 1.0, id: a, connector: b} # mine\r\n# end\r\n"
    assert migrate(text).text == text.replace("1.0,", '"1.0",')


@pytest.mark.parametrize("version", ['"2.0"', '"0.3"', "soon"])
def test_an_unknown_version_is_not_guessed(version):
    with pytest.raises(SpecError, match="is not a version this build can migrate"):
        migrate(with_('"1.0"', version))


@pytest.mark.parametrize("text", ["id: a\n", "- a\n", "version:\n", "version: true\n"])
def test_a_document_without_a_version_says_so(text):
    with pytest.raises(SpecError, match="version: is required"):
        migrate(text)


def rename(key, old, new):
    def edits(document):
        line, column = document.key_position((*key, old))
        return [Edit(line, column, old, new)]

    return edits


def test_a_chain_goes_version_by_version_and_keeps_comments():
    chain = {
        "0.8": Migration("0.9", "name is displayName", rename((), "name", "displayName")),
        "0.9": Migration("1.0", "kind is category", rename((), "sort", "category")),
    }
    old = with_("displayName:", "name:", with_("category: crm", "sort: crm  # what it is about"))
    done = migrate(with_('"1.0"', '"0.8"', old), chain=chain)
    assert done.text == with_("category: crm", "category: crm  # what it is about")
    assert done.steps == ("0.9: name is displayName", "1.0: kind is category")
    half = migrate(with_('"1.0"', '"0.9"', old.replace("name:", "displayName:")), chain=chain)
    assert half.text == done.text
