"""Lint of what is declared and never read, and of what is read and not declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.spec.checks.bindings import RESERVED, at, keys
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.lint.lint_findings import (
    Remark,
    Rule,
    endpoints,
    requests,
    rule,
    streams,
)
from connector_assets.spec.templates.refs import templates_in
from connector_assets.spec.templates.template import Template
from connector_assets.spec.yaml.yaml_source import Path, YamlSource


@rule("unused-endpoint", "warning")
def unused_endpoint(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """An endpoint that no stream reads."""
    read = [one for each in (*spec.streams, *spec.read.dynamic) for one in (each, each.at_first)]
    used = {spec.endpoint_of(stream).id for stream in read}
    used |= {listed.from_ for listed in spec.read.dynamic}
    for path, endpoint in endpoints(document.data):
        if at(endpoint, "id") not in used:
            yield Remark((*path, "id"), "is read by no stream", "add a stream, or remove it")


@rule("unused-config", "warning")
def unused_config(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A config value is declared and no template reads it: setting it changes nothing."""
    read = _names(spec)
    for name in keys(document.data.get("config")):
        if not read & {name, f"config.{name}"}:
            path: Path = ("config", name)
            yield Remark(path, "is read by no template", "use it, or remove it", on_key=True)


@rule("unused-secret", "warning")
def unused_secret(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A secret is declared and nothing reads it, so people are asked for it in vain."""
    read = _names(spec)
    for name in keys(document.data.get("secrets")):
        if f"secrets.{name}" not in read:
            path: Path = ("secrets", name)
            yield Remark(path, "is read by no template", "use it, or remove it", on_key=True)


@rule("unused-variable", "warning")
def unused_variable(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A variable of a stream that neither the stream nor its endpoint reads."""
    shared: dict[str, set[str]] = {}
    for path, stream in streams(document.data):
        if not at(stream, "vars"):
            continue
        model = spec.stream(at(stream, "name"))
        endpoint = spec.endpoint_of(model)
        if endpoint.id not in shared:
            shared[endpoint.id] = _names(endpoint, spec.auth)
        own = _names(model)
        for name in keys(at(stream, "vars")):
            if name not in own and name not in shared[endpoint.id]:
                where = (*path, "vars", name)
                yield Remark(where, "is read by no template", "use it, or remove it", on_key=True)


@rule("unused-let", "warning")
def unused_let(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A local name of a stream that no template of the stream or its endpoint reads."""
    for path, stream in streams(document.data):
        if not keys(at(stream, "let")):
            continue
        read = {name.split(".")[0] for name in _read_for(spec, at(stream, "name"))}
        for name in keys(at(stream, "let")):
            if name not in read:
                where = (*path, "let", name)
                yield Remark(where, "is read by no template", "use it, or remove it", on_key=True)


@rule("unread-item", "warning")
def unread_item(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A stream is read for each of many items, and nothing reads the item.

    Each request is the one before, so every row comes once for each item.
    """
    for path, stream in streams(document.data):
        model = spec.stream(at(stream, "name"))
        for number, each in enumerate(model.for_each if at(stream, "forEach") else ()):
            read = _read_for(spec, model.name)
            batch = "item.values" if each.batch else f"item.{each.bound}"
            mine = {each.bound, "item", batch}
            if not any(_is_below(name, mine) for name in read):
                yield Remark(
                    (*path, "forEach", number),
                    f'asks the same for each item: no template reads "{each.bound}"',
                    "read it, or remove the dimension",
                )


@rule("unread-position", "warning")
def unread_position(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A stream keeps a position that no request asks for, so every load reads all rows."""
    compared = {
        parent.stream
        for stream in spec.streams
        for each in stream.for_each
        for parent in each.parents
        if parent.changed is True
    }
    for path, stream in streams(document.data):
        incremental = at(stream, "incremental")
        sent = ("startParam", "endParam", "clientFilter", "tokenField")
        if incremental is None or any(at(incremental, key) for key in sent):
            continue
        read = _read_for(spec, at(stream, "name"))
        if at(stream, "name") not in compared and not any(
            _is_below(name, {"window", "cursor"}) for name in read
        ):
            yield Remark(
                (*path, "incremental"),
                "keeps a position that no request asks for: every load reads all rows",
                "give startParam, or clientFilter: true",
                on_key=True,
            )


def _read_for(spec: ConnectorSpec, name: str) -> set[str]:
    """The whole names that the templates of a stream, its endpoint and the auth read."""
    stream = spec.stream(name)
    parts = (stream, spec.endpoint_of(stream), spec.endpoint_of(stream.at_first), spec.auth)
    return {name for part in parts for one in templates_in(part) for name in one.names}


def _is_below(name: str, known: set[str]) -> bool:
    return name in known or any(name.startswith(f"{one}.") for one in known - {"item"})


@rule("undeclared-config", "info")
def undeclared_config(spec: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A template reads a bare name that `config` does not declare.

    It is a required value of any text: a misspelt name would be one, too.
    """
    every = (*spec.streams, *spec.read.dynamic)
    bound = {name for stream in every for name in stream.vars} | {"stream", "resourceType"}
    bound |= {each.bound for stream in every for each in stream.for_each}
    bound |= {name for one in every for name in (*one.let, *one.at_first.vars)}
    seen = {*spec.config, *bound, *RESERVED}
    for path, part in requests(document.data):
        for key in ("url", "baseUrl", "params", "headers", "body"):
            for name in sorted(_bare(at(part, key)) - seen):
                seen.add(name)
                yield Remark(
                    (*path, key), f'reads "{name}", which is not declared', "add it to config"
                )


def _names(*parts: Any) -> set[str]:
    """The names that templates read, cut to what a declaration names: `config.x`, `x`."""
    found = {name for part in parts for one in templates_in(part) for name in one.names}
    return {".".join(name.split(".")[: 2 if name.startswith(_SPACES) else 1]) for name in found}


_SPACES = ("config.", "secrets.")


def _bare(value: Any) -> set[str]:
    """The names without a dot that templates in plain data read."""
    if isinstance(value, str):
        return {name for name in Template(value).names if "." not in name and name != "cursor"}
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name for one in below for name in _bare(one)}


RULES: tuple[Rule, ...] = (
    unused_endpoint,
    unused_config,
    unused_secret,
    unused_variable,
    unused_let,
    unread_item,
    unread_position,
    undeclared_config,
)
