"""Lint of how a spec is written: what readers and other YAML tools would take otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

from connector_assets.spec.checks.bindings import text
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.lint.lint_findings import Remark, Rule, rule, texts
from connector_assets.spec.yaml.yaml_source import Path, YamlSource

_STATEMENT = re.compile(r"\{%|%\}|\{#")
ELSEWHERE = re.compile(
    r"(?i:y|n|yes|no|on|off)"  # booleans of YAML 1.1
    r"|[-+]?0[0-7_]+|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9][0-9_]*_[0-9_]*|\+[0-9.]+"  # and its numbers
    r"|[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?|[-+]?\.(?:inf|nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:.+Zz ]*)?",  # and its times
    re.IGNORECASE,
)


@rule("statement-in-template", "warning")
def statement_in_template(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """`{% … %}` and `{# … #}` are no templates here: they are sent to the server as they stand."""
    for path, value in texts(document.data):
        if path[-1] != "description" and _STATEMENT.search(value):
            yield Remark(
                path,
                "is sent with {% … %} in it, as templates have expressions only",
                "write {{ a if condition else b }}",
            )


@rule("unquoted-text", "info")
def unquoted_text(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """Text without quotes that other YAML readers take for a boolean, a number or a time.

    Here `no`, `2024-01-01` and `0x10` are text; to YAML 1.1 they are false, a date and 16.
    """
    for path, value in texts(document.data):
        if ELSEWHERE.fullmatch(value) and _is_plain(document, path, value):
            yield Remark(path, "is read as text here, and otherwise by other tools", "quote it")


@rule("no-docs-url", "info")
def no_docs_url(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """`docsUrl` is missing: nobody can look up what the spec was written from."""
    if not text(document.data.get("docsUrl")):
        yield Remark(("id",), "has no docsUrl beside it", "name the page of the vendor's reference")


@rule("no-description", "info")
def no_description(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """`description` is missing: it is what Dagster shows of the connector's assets."""
    if not text(document.data.get("description")).strip():
        yield Remark(("id",), "has no description beside it", "say in a sentence what it reads")


def _is_plain(document: YamlSource, path: Path, value: str) -> bool:
    """Whether the text stands in the document without quotes."""
    line, column = document.position(path)
    return document.lines[line - 1][column - 1 :].startswith(value)


RULES: tuple[Rule, ...] = (
    statement_in_template,
    unquoted_text,
    no_docs_url,
    no_description,
)
