"""`--secrets-file`: YAML, JSON or NAME=VALUE lines."""

from __future__ import annotations

import json

import pytest

from connector_assets.cli.secrets_file import read_secrets_file
from connector_assets.errors import ConfigError
from tests.cli.conftest import SECRET


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("token: abc\npin: 0123\nflag: no\n", {"token": "abc", "pin": "0123", "flag": "no"}),
        ('{"token": "a=b", "other": "c: d"}', {"token": "a=b", "other": "c: d"}),
        (
            "TOKEN=abc\n# comment\n\nexport B='c d'\nC=x=y\n",
            {"TOKEN": "abc", "B": "c d", "C": "x=y"},
        ),
        ("url=https://u:p@h/\n", {"url": "https://u:p@h/"}),
        ("key: |\n  -----BEGIN\n  abc\n", {"key": "-----BEGIN\nabc\n"}),
        ("A=b: c\n", {"A": "b: c"}),
        ("\ufefftoken: abc\n", {"token": "abc"}),
        ("", {}),
    ],
)
def test_every_form_gives_names_and_text(tmp_path, text, values):
    file = tmp_path / "secrets"
    file.write_text(text)
    assert read_secrets_file(file) == values


@pytest.mark.parametrize("text", ["s3cr3t-only", "- s3cr3t-a\n- b\n", "token: [s3cr3t-x]\n"])
def test_no_error_quotes_the_file(tmp_path, text):
    file = tmp_path / "secrets"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_secrets_file(file)
    assert "s3cr3t" not in str(raised.value)


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(ConfigError, match="gone: cannot be read: no such file or directory"):
        read_secrets_file(tmp_path / "gone")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_secrets_file(tmp_path / "binary")


def test_secrets_by_name_or_variable_reach_the_request_and_the_last_file_wins(
    cli, shop_project, monkeypatch
):
    monkeypatch.delenv("SHOP__TOKEN")
    (shop_project / "old.env").write_text("SHOP__TOKEN=stale\n")
    (shop_project / "new.env").write_text(f"SHOP__TOKEN={SECRET}\n")
    (shop_project / "by_name.json").write_text(json.dumps({"token": SECRET}))
    for files in (("old.env", "new.env"), ("old.env", "by_name.json")):
        options = [word for file in files for word in ("--secrets-file", file)]
        assert cli("read", "shop", "items", "--limit", "1", *options).code == 0


def test_the_command_line_wins_over_a_file(cli, shop_project):
    (shop_project / "old.yaml").write_text("token: stale\n")
    options = ("--secrets-file", "old.yaml", "--secret", f"token={SECRET}")
    assert cli("read", "shop", "items", "--limit", "1", *options).code == 0


def test_a_pair_without_equals_is_wrong_use_and_is_not_quoted(cli, shop_project):
    done = cli("read", "shop", "items", "--secret", "oops-a-value")
    assert (done.code, done.err) == (2, "--secret: is not NAME=VALUE\n")
