"""Lint of requests: secrets that show, plain text on the wire, limits and errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

from connector_assets.spec.checks.bindings import at, items, keys, text
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import ErrorRule
from connector_assets.spec.lint.lint_findings import Remark, Rule, endpoints, requests, rule
from connector_assets.spec.yaml.yaml_source import Path, YamlSource

_HOST = re.compile(r"http://(?:\[(?P<six>[^\]]+)\]|(?P<host>[^/?#:\s]+))", re.IGNORECASE)
_PRIVATE_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[-_.])(?:api[-_]?key|access[-_]?key|token|secret|password|passwd|authorization)$"
)
_SECRET_VALUE = re.compile(
    r"(?=.*[0-9])[^\s{}]{12,}|(?:Bearer|Basic|Token) +[^\s{}]{8,}", re.IGNORECASE
)
_PASSWORD_NAME = re.compile(
    r"(?:^|[-_.\[]|(?<=[a-z0-9])(?=[A-Z]))(?i:pass(?:word|wd|phrase|code)?|pwd|client[-_]?secret)\]?$"
)
# In a body that is one text, as a form or JSON written out.
_PASSWORD_WITHIN = re.compile(
    r'(?i)(?:\bpass(?:word|wd)=|"pass(?:word|wd)"\s*:\s*"|<pass(?:word|wd)>)\s*(?!\{\{)[^\s&"<]'
)
_HARMLESS = "lets a whole kind of failure pass as an empty list"
_GRAVE = {401, 402, 403, 407, 429}


@rule("secret-in-query", "warning")
def secret_in_query(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A secret is sent in the URL, in a parameter or the path; servers and proxies log those.

    Where the API takes it in no other way, allow the rule with a comment that says so.
    """
    for path, auth in _auths(document.data):
        if at(auth, "in") == "query":
            yield Remark((*path, "in"), _IN_URL, "use in: header, if the API takes it there")
    for path, part in requests(document.data):
        for name in keys(at(part, "params")):
            if "secrets." in text(at(part, "params", name)):
                where = (*path, "params", name)
                yield Remark(where, _IN_URL, "move it to auth, into a header")
        for key in ("url", "baseUrl"):
            if "secrets." in text(at(part, key)):
                yield Remark((*path, key), _IN_URL, "move it to auth, into a header")


_IN_URL = "puts a secret into the URL, which is written to logs"


@rule("literal-secret", "error")
def literal_secret(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A header, parameter or part of a body that is named like a secret holds what looks like one.

    Of a login, and of the further parameters of a token request, too. A password may look like
    anything: whatever stands under such a name is one, unless it is a template.
    """
    for path, value in _sent(document):
        name = next((key for key in reversed(path) if isinstance(key, str)), "")
        if looks_secret(name, value) or _is_password(name, value) or _PASSWORD_WITHIN.search(value):
            yield Remark(
                path,
                "looks like a secret, and anyone with this file has it",
                "declare it under secrets, and write {{secrets.NAME}}",
            )


def _sent(document: YamlSource) -> Iterator[tuple[Path, str]]:
    """Every text that is sent beside the URL, with its path."""
    for path, part in requests(document.data):
        for key in ("params", "headers", "body"):
            yield from _scalars(at(part, key), (*path, key))
    for path, auth in _auths(document.data):
        yield from _scalars(at(auth, "extraParams"), (*path, "extraParams"))
        for key in ("params", "headers", "body"):
            yield from _scalars(at(auth, "login", key), (*path, "login", key))


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Texts, and numbers as texts: a PIN is no less a secret."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _scalars(item, (*path, number))
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield path, str(value)


def _is_password(name: str, value: str) -> bool:
    return bool(value.strip() and "{{" not in value and _PASSWORD_NAME.search(name))


@rule("plain-http", "warning")
def plain_http(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """A public address begins with `http://`: who is on the way reads and changes everything."""
    data = document.data
    for path, part in requests(data):
        for key in ("url", "baseUrl"):
            if is_public_http(text(at(part, key))):
                yield Remark((*path, key), "is read without encryption", "write https://")
    for number, origin in enumerate(items(data.get("origins"))):
        if is_public_http(text(origin)):
            yield Remark(("origins", number), "is read without encryption", "write https://")


@rule("no-rate-limit", "info")
def no_rate_limit(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """Endpoints without a `rateLimit` are read as fast as the server answers, until it refuses."""
    data = document.data
    if data.get("rateLimit") or at(data.get("defaults"), "rateLimit"):
        return
    without = [path for path, one in endpoints(data) if not at(one, "rateLimit")]
    if without:
        yield Remark(without[0], "has no rateLimit", "set the vendor's limit, here or at top level")


@rule("broad-ignore", "warning")
def broad_ignore(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """An `errors` rule takes a whole class of failures, or a refusal, for "no rows".

    A revoked token or a renamed path would empty the table, and the load would succeed.
    """
    for path, number, found in _rules(document):
        bare = found.contains is None and found.when is None
        if found.action in ("ignore", "end") and bare and any(map(_is_grave, found.statuses)):
            yield Remark(
                (*path, "errors", number),
                _HARMLESS,
                "name the one status, such as 404, or add contains or when",
            )


_COMPARED = 100
"""Rules that later ones are compared with; nobody reads more of them."""


@rule("shadowed-error-rule", "warning")
def shadowed_error_rule(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """An `errors` rule that is never reached: an earlier one matches all that it does."""
    before: dict[Path, list[tuple[int, ErrorRule]]] = {}
    for path, number, found in _rules(document):
        earlier = before.setdefault(path, [])
        near = earlier[:_COMPARED]
        shadow = next((at for at, other in near if _covers(other, found)), None)
        earlier.append((number, found))
        if shadow is not None:
            yield Remark(
                (*path, "errors", number),
                f"is never reached, as errors.{shadow} matches first",
                "put it before that one",
            )


@rule("writing-method", "warning")
def writing_method(_: ConnectorSpec, document: YamlSource) -> Iterator[Remark]:
    """An endpoint that streams read uses a method that changes what it reads."""
    for path, part in requests(document.data):
        if text(at(part, "method")).upper() in ("PUT", "PATCH", "DELETE"):
            yield Remark((*path, "method"), "changes data with every load", "use GET or POST")


def _auths(data: Any) -> Iterator[tuple[Path, Any]]:
    for path, part in (((), data), *endpoints(data)):
        for number, auth in enumerate(items(at(part, "auth"))):
            yield (*path, "auth", number), auth


def looks_secret(name: str, value: str) -> bool:
    """Whether a value has the name and the looks of a secret."""
    return bool(_SECRET_NAME.search(name) and _SECRET_VALUE.fullmatch(value))


def is_public_http(url: str) -> bool:
    """Whether an address is out on the network, and asked without encryption."""
    found = _HOST.match(url)
    if not found or "{{" in found[0]:
        return False
    host = (found["six"] or found["host"]).lower()
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_PRIVATE_NAMES)


def _rules(document: YamlSource) -> Iterator[tuple[Path, int, ErrorRule]]:
    for path, part in requests(document.data):
        for number, one in enumerate(items(at(part, "errors"))):
            yield path, number, ErrorRule.model_validate(one)


def _is_grave(status: int | str) -> bool:
    return status in _GRAVE or str(status) == "4xx" or str(status).startswith("5")


def _covers(first: ErrorRule, later: ErrorRule) -> bool:
    """Whether all that `later` matches, `first` has matched before."""
    if first.when is not None and first.when != later.when:
        return False
    if first.contains is not None and first.contains not in (later.contains or ""):
        return False
    if not first.statuses:
        return True
    return bool(later.statuses) and all(_among(one, first.statuses) for one in later.statuses)


def _among(status: int | str, known: Sequence[int | str]) -> bool:
    return status in known or f"{str(status)[0]}xx" in known


RULES: tuple[Rule, ...] = (
    secret_in_query,
    literal_secret,
    plain_http,
    no_rate_limit,
    broad_ignore,
    shadowed_error_rule,
    writing_method,
)
