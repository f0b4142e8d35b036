"""Values for what a spec leaves to its user: config values and secrets that are made up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from connector_assets.authoring.simulator.patterns import as_text
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.connector import ConfigField, ConnectorSpec
from connector_assets.spec.templates.refs import templates_in

_BY_TYPE = {
    "integer": "7",
    "number": "7",
    "boolean": "true",
    "date": "2024-01-01",
    "datetime": "2024-01-01T00:00:00Z",
    "list": "one",
    "object": '{"one": "two"}',
}
_TRIED = ("demo", "a1", "7", "https://demo.example.com", "2024-01-01", "abcdef0123456789", "A", "0")
_NOT_CONFIG = {"stream", "record", "response", "headers", "status", "cursor", "item", "parent"}
# A key of HMAC has 32 bytes at least.
_LONG = "0123456789abcdef0123456789abcdef"
_NAME = re.compile(r"[A-Za-z_]\w*")


def config_of(spec: ConnectorSpec, given: Mapping[str, str]) -> dict[str, str]:
    """A value for each config value of `spec`; CannotSimulate names those that must be given."""
    wanted = {k: f for k, f in spec.config.items() if f.needed or f.default is not None}
    values = {name: given.get(name) or _made(name, one) for name, one in wanted.items()}
    undeclared = {name: given.get(name, "demo") for name in _bare_names(spec) - spec.config.keys()}
    return {**undeclared, **values, **given}


def _made(name: str, field: ConfigField) -> str:
    for value in (field.default, field.example):
        if value is not None:
            return json.dumps(value) if isinstance(value, list | dict) else as_text(value)
    if field.enum:
        return as_text(field.enum[0])
    tried = (_BY_TYPE.get(field.type, name), *_TRIED)
    found = next((one for one in tried if _fits(field.pattern, one)), None)
    if found is None:
        raise CannotSimulate(
            f"config.{name} has a pattern; give it an example or a value: --config {name}=…"
        )
    return found


def _fits(pattern: str | None, value: str) -> bool:
    return pattern is None or re.fullmatch(pattern, value) is not None


def _bare_names(spec: ConnectorSpec) -> set[str]:
    """Names that templates of requests read and nothing binds: undeclared config values."""
    bound = {name for one in spec.streams for name in (*one.vars, *one.let)}
    bound |= {each.bound for one in spec.streams for each in one.for_each}
    read = {
        name.removeprefix("config.")
        for part in (spec.endpoints, spec.defaults, spec.auth, *(one.vars for one in spec.streams))
        for name in names_in(part)
        if "." not in name or name.startswith("config.")
    }
    return {
        name
        for name in read - bound - _NOT_CONFIG
        if _NAME.fullmatch(name) and name != "resourceType"
    }


def names_in(part: Any) -> Iterator[str]:
    """The names that the templates in a part of a spec read."""
    if isinstance(part, Mapping):
        part = tuple(part.values())
    if isinstance(part, list | tuple):
        for one in part:
            yield from names_in(one)
        return
    for template in templates_in(part):
        yield from template.names


def secrets_of(auths: tuple[Auth, ...]) -> dict[str, str]:
    """A value for each secret that the auths read; keys that sign are real keys."""
    asked = {name for one in auths for name in one.names() if name.startswith("secrets.")}
    made = {name: f"sim-{name.removeprefix('secrets.')}-{_LONG}" for name in asked}
    for one in auths:
        algorithm = getattr(one, "algorithm", "")
        if algorithm[:2] in ("RS", "PS", "ES"):
            key = private_key(algorithm.startswith("ES"))
            made |= dict.fromkeys(names_in(getattr(one, "key_ref", None) or ()), key)
    return {name.removeprefix("secrets."): value for name, value in made.items()}


@cache
def private_key(elliptic: bool) -> str:
    """A new private key in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key: Any = (
        ec.generate_private_key(ec.SECP256R1())
        if elliptic
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()
