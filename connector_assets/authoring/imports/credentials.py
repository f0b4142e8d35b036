"""Credentials in a recorded request, taken out: what they are becomes the auth, their values stay.

Better one secret too many than one in a file: a header, a parameter or a field that is called like
a secret is one, and so is a value that looks like a key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.imports.draft import AsWritten, template_text
from connector_assets.authoring.imports.secret_values import camel, is_secret_name, looks_secret
from connector_assets.authoring.imports.spec_parts import Parts, less

Pairs = Sequence[tuple[str, str]]

USUAL_HEADERS = re.compile(
    r"accept.*|user-agent|referer|origin|host|connection|content-length|cache-control|pragma|dnt|te"
    r"|priority|upgrade-insecure-requests|sec-.*|if-none-match|if-modified-since|:.*|expect|range",
    re.IGNORECASE,
)
"""Headers that every client sends of itself."""
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?|%([A-Za-z_]\w*)%|<([A-Za-z_][\w -]*)>")
_ONE_VARIABLE = re.compile(rf"^(?:{_VARIABLE.pattern})$")


@dataclass
class Credentials:
    """What of requests is secret, as the auth and as templates."""

    parts: Parts
    auth: list[dict[str, Any]] = field(default_factory=list)

    def headers(self, given: Pairs) -> dict[str, Any]:
        """The headers to send, without those of the auth and those that browsers add.

        Authorization is taken first: what else is secret is sent beside it.
        """
        kept: dict[str, Any] = {}
        for name, value in sorted(given, key=lambda pair: pair[0].lower() != "authorization"):
            if name.lower() == "authorization":
                self._authorization(value)
            elif name.lower() == "cookie" and not isinstance(value, AsWritten):
                self._cookies(value, kept)
            elif name.lower() == "content-type":
                if not re.match(r"application/(?:json|x-www-form-urlencoded)|multipart/", value):
                    kept[name] = template_text(value)
            elif USUAL_HEADERS.fullmatch(name):
                continue
            elif is_secret_name(name) or looks_secret(value):
                self._key("header", name, value, kept)
            else:
                kept[name] = self.text(value)
        return kept

    def params(self, given: Pairs) -> dict[str, Any]:
        """The parameters of a query, without the auth's key; a name that repeats has a list."""
        kept: dict[str, Any] = {}
        for name, value in given:
            if is_secret_name(name) or looks_secret(value):
                self._key("query", name, value, kept)
            elif name in kept:
                before = kept[name]
                kept[name] = [*(before if isinstance(before, list) else [before]), self.text(value)]
            else:
                kept[name] = self.text(value)
        return kept

    def body(self, body: Any, name: str = "") -> Any:
        """A JSON body or a form with secrets as templates."""
        if isinstance(body, Mapping):
            return {str(key): self.body(one, str(key)) for key, one in body.items()}
        if isinstance(body, list):
            return [self.body(one, name) for one in body]
        if not isinstance(body, str):
            return body
        if body and (is_secret_name(name) or looks_secret(body)):
            return AsWritten(self.secret(name or "key", body))
        return self.text(body)

    def text(self, value: str) -> Any:
        """A text as a template that gives it; what a shell would fill in is a value to be given."""
        if isinstance(value, AsWritten):
            return value
        found = _ONE_VARIABLE.match(value)
        if found:
            name = self.parts.value(camel(next(filter(None, found.groups()))), {})
            return AsWritten(f"{{{{{name}}}}}")
        return AsWritten(template_text(value))

    def basic(self, user: str, password: str, *, digest: bool = False) -> None:
        """User name and password."""
        username = self.secret("username", user, "The user name") if user else ""
        made = {"type": "digest" if digest else "basic", "usernameRef": username}
        if password or not user:
            made["passwordRef"] = self.secret("password", password, "The password")
        self._add(less(made))

    def bearer(self, token: str) -> None:
        """A token in the Authorization header."""
        self._add({"type": "bearer", "tokenRef": self.secret("token", token, "The API token")})

    def _cookies(self, sent: str, kept: dict[str, Any]) -> None:
        """Cookies: one is the auth's key, several are a header as a whole."""
        given = [one.strip().partition("=") for one in sent.split(";") if one.strip()]
        if len(given) != 1:
            self._key("header", "Cookie", sent, kept)
            return
        name, _, value = given[0]
        beside: dict[str, Any] = {}
        self._key("cookie", name, value, beside)
        if beside:
            kept["Cookie"] = AsWritten(f"{template_text(name)}={beside[name]}")

    def secret(self, name: str, value: str, about: str = "") -> str:
        """The template that reads a secret; a variable in its place names it."""
        if isinstance(value, AsWritten):
            return str(value)
        found = _ONE_VARIABLE.match(value)
        if found:
            name, value = next(filter(None, found.groups())), ""
        return self.parts.secret(camel(name), about or f"What was sent as {name}", value)

    def _authorization(self, value: str) -> None:
        if isinstance(value, AsWritten):
            kind, _, rest = value.partition(" ")
            ref = rest or value
            if kind.lower() == "bearer":
                self._add({"type": "bearer", "tokenRef": ref})
            else:
                prefix = f"{kind} " if rest else ""
                self._add(_in_authorization(ref, prefix))
            return
        kind, _, rest = value.partition(" ")
        if kind.lower() == "basic" and (pair := _decoded(rest)):
            self.basic(*pair)
        elif kind.lower() == "bearer" and rest:
            self.bearer(rest)
        elif rest and re.fullmatch(r"[A-Za-z][\w-]{0,30}", kind):
            inner = re.match(r"(token=)[\"']?", rest)
            prefix = f"{kind} {inner[1] if inner else ''}"
            key = rest[inner.end() :].strip("\"'") if inner else rest
            self._add(_in_authorization(self.secret("apiKey", key, "The API key"), prefix))
        elif value:
            self._add(_in_authorization(self.secret("apiKey", value, "The API key"), ""))

    def _key(self, place: str, name: str, value: str, kept: dict[str, Any]) -> None:
        """A key as the auth; where there is one already, as a template in its own place."""
        ref = self.secret(name, value)
        made = {"type": "api_key", "in": place, "name": name, "valueRef": ref}
        if place == "header":
            del made["in"]
        if not self.auth or made in self.auth:
            self._add(made)
        else:
            kept[name] = AsWritten(ref)

    def _add(self, made: dict[str, Any]) -> None:
        if made in self.auth:
            return
        self.auth.append(made)
        if len(self.auth) > 1:
            kinds = " or ".join(dict.fromkeys(str(one["type"]) for one in self.auth))
            says = (
                f"requests are signed in more than one way ({kinds}), and a load takes one for all"
            )
            self.parts.say("question", "", "auth", says)


def _in_authorization(ref: str, prefix: str) -> dict[str, Any]:
    return {"type": "api_key", "name": "Authorization", "valueRef": ref, "prefix": prefix}


def _decoded(text: str) -> tuple[str, str] | None:
    if _ONE_VARIABLE.match(text):
        return None
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (user, password) if colon else None
