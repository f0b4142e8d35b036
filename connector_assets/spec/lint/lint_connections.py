"""Lint of connections: values that belong elsewhere, and secrets that may not be found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from connector_assets.spec.checks.bindings import at, keys, text
from connector_assets.spec.lint.lint_findings import Remark, Rule, rule, texts
from connector_assets.spec.lint.lint_requests import is_public_http, looks_secret
from connector_assets.spec.yaml.yaml_source import Path, YamlSource


@rule("secret-in-config", "error")
def secret_in_config(_: Any, document: YamlSource) -> Iterator[Remark]:
    """A connection's value is named like a secret and looks like one."""
    for path, value in _values(document):
        if looks_secret(str(path[-1]), value):
            yield Remark(
                path,
                "looks like a secret, and anyone with this file has it",
                "let the connector declare it, and write {env: NAME} under secrets",
            )


@rule("plain-http-in-config", "warning")
def plain_http_in_config(_: Any, document: YamlSource) -> Iterator[Remark]:
    """A connection's value is a public address that begins with `http://`.

    Who is on the way reads and changes everything.
    """
    for path, value in _values(document):
        if is_public_http(value):
            yield Remark(path, "is read without encryption", "write https://")


@rule("relative-secret-file", "warning")
def relative_secret_file(_: Any, document: YamlSource) -> Iterator[Remark]:
    """A secret's file is looked for below the folder in which a process happens to run."""
    for name in keys(document.data.get("secrets")):
        file = text(at(document.data, "secrets", name, "file"))
        if file and not File(file).is_absolute():
            where = ("secrets", name, "file")
            yield Remark(where, "depends on where a run is begun", "write the whole path")


def _values(document: YamlSource) -> Iterator[tuple[Path, str]]:
    """The texts that templates are given: the connection's own, and those of its streams."""
    data = document.data
    for part in ("config", "vars"):
        yield from texts(data.get(part), (part,))
    for name in keys(data.get("streams")):
        yield from texts(at(data, "streams", name, "vars"), ("streams", name, "vars"))


RULES: tuple[Rule, ...] = (secret_in_config, plain_http_in_config, relative_secret_file)
