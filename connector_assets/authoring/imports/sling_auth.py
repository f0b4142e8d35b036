"""Sling's authentication, and credentials in its headers, as the auth of a draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.draft import template_text
from connector_assets.authoring.imports.secret_values import camel, is_secret_name
from connector_assets.authoring.imports.sling_expression import (
    default_of,
    expression,
    mapping,
    pieces,
    scoped,
)
from connector_assets.authoring.imports.spec_parts import Parts, less


class SlingAuth:
    """Makes the auth of what a spec says; values that stand there are taken out."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def of(self, said: Mapping[str, Any]) -> list[Any]:
        kind = str(said.get("type") or ("static" if said.get("headers") else ""))
        if kind == "static":
            self.of_headers(mapping(said.get("headers")))
            return []
        if kind == "basic":
            user = self.secret(said.get("username"), "username")
            return [{"type": "basic", "usernameRef": user,
                     "passwordRef": self.secret(said.get("password"), "password")}]  # fmt: skip
        if kind == "oauth2":
            return [self._oauth2(said)]
        if kind == "aws-sigv4":
            made = {"type": "aws_sigv4", "region": self._plain(said.get("aws_region"), "region")}
            made["service"] = self._plain(said.get("aws_service"), "service")
            key = self.secret(said.get("aws_access_key_id"), "accessKeyId")
            secret = self.secret(said.get("aws_secret_access_key"), "secretAccessKey")
            return [made | {"accessKeyIdRef": key, "secretAccessKeyRef": secret}]
        if kind:
            self.parts.say("question", "", "auth", f"the authentication {kind} has to be written")
        return []

    def of_headers(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        """Headers less those that are credentials, which become the auth."""
        kept: dict[str, Any] = {}
        for name, value in headers.items():
            text = str(value)
            refs = [s for is_one, t in pieces(text) if is_one and (s := scoped(t))]
            secret = is_secret_name(name) or any(scope == "secrets" for scope, _ in refs)
            if not secret or default_of(expression(value) or "") is not None:
                kept[name] = value
                continue
            self._add_auth(name, text)
        return kept

    def _add_auth(self, name: str, text: str) -> None:
        first, *rest = pieces(text) or [(False, "")]
        prefix = first[1] if not first[0] and rest else ""
        ref = self.secret(text[len(prefix) :], name)
        if name.lower() == "authorization" and prefix.strip().lower() == "bearer":
            made: dict[str, Any] = {"type": "bearer", "tokenRef": ref}
        else:
            made = {"type": "api_key", "name": name, "valueRef": ref}
            if prefix or name.lower() == "authorization":
                made["prefix"] = prefix
        if made not in self.parts.auth:
            self.parts.auth.append(made)

    def _oauth2(self, said: Mapping[str, Any]) -> Any:
        flow = str(said.get("flow") or "client_credentials")
        grants = {"client_credentials": "client_credentials", "password": "password",
                  "refresh_token": "refresh_token"}  # fmt: skip
        made: dict[str, Any] = {"type": "oauth2", "grant": grants.get(flow)}
        url = said.get("authentication_url")
        made["tokenUrl"] = url if str(url).startswith("https://") else None
        scopes = said.get("scopes")
        made["scopes"] = [str(one) for one in scopes] if isinstance(scopes, list) else None
        made["clientIdRef"] = self.secret(said.get("client_id"), "clientId")
        made["clientSecretRef"] = self.secret(said.get("client_secret"), "clientSecret")
        if flow == "password":
            made["usernameRef"] = self.secret(said.get("username"), "username")
            made["passwordRef"] = self.secret(said.get("password"), "password")
        question = "" if grants.get(flow) else f"the flow {flow} needs a first refresh token"
        if question:
            self.parts.say("question", "", "auth", question)
        return Noted(less(made), open=[question] if question else [])

    def secret(self, value: Any, name: str) -> str:
        """The template of a secret: what the spec calls it, or a name for what stood there."""
        found = scoped(expression(value) or "")
        if found:
            return self.parts.secret(camel(found[1]), f"What Sling has as {found[0]}.{found[1]}")
        held = str(value) if value is not None else None
        return self.parts.secret(camel(name), f"What was sent as {name}", held)

    def _plain(self, value: Any, name: str) -> str:
        found = scoped(expression(value) or "")
        if found and found[0] == "secrets":
            return f"{{{{{self.parts.value(camel(found[1]), {})}}}}}"
        return template_text(str(value)) if value else f"{{{{{self.parts.value(name, {})}}}}}"
