"""OAuth and signed tokens: authenticators that obtain or make what they send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector_assets.authoring.imports.airbyte.code import Code, Const
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused, chains_in
from connector_assets.authoring.imports.airbyte.texts import Texts, braced

Auth = dict[str, Any]
_GRANTS = {"refresh_token": "refresh_token", "client_credentials": "client_credentials"}
_BASIC_HEADER = re.compile(r"^\s*Basic\b")


class TokenAuthenticators:
    """Converts authenticators that send tokens; `near` gathers what differs."""

    def __init__(self, reading: Reading) -> None:
        self.reading = replace(reading, certain=True)
        self.texts = Texts(self.reading)
        self.near: list[str] = []

    def oauth(self, component: Mapping[str, Any]) -> Auth:
        grant = str(self._constant(component.get("grant_type")) or "refresh_token")
        if component.get("send_refresh_request_as_query_params"):
            raise Refused("a token request with its parameters in the query")
        made: Auth = {"type": "oauth2", "tokenUrl": self._token_url(component)}
        extra: dict[str, Any] = {}
        made["grant"] = _GRANTS.get(grant, "client_credentials")
        if made["grant"] == "refresh_token" and not component.get("refresh_token"):
            raise Refused("an OAuth refresh without a refresh token")
        if grant not in _GRANTS:
            if not component.get("refresh_token"):
                extra["grant_type"] = braced(grant)
            else:
                made["grant"], extra["grant_type"] = "refresh_token", braced(grant)
        if component.get("use_profile_assertion"):
            return self._by_assertion(component, made)
        self._client(component, made, extra)
        self._renamed(component, extra)
        self._given_token(component)
        for name, value in (component.get("refresh_request_body") or {}).items():
            extra[self.texts.text(name)] = self.texts.param(value)
        scopes = component.get("scopes")
        if isinstance(scopes, list) and scopes:
            # As the CDK sends them: under this name, each by itself.
            extra["scopes"] = [self.texts.text(one) for one in scopes]
        self._token_request(component, made)
        if extra:
            made["extraParams"] = extra
        return made

    def _token_url(self, component: Mapping[str, Any]) -> str:
        url = component.get("token_refresh_endpoint")
        if not url:
            raise Refused("an OAuth authenticator without a token endpoint")
        # A base that must end in a slash there may not end in one here.
        return re.sub(r"^(\{\{[^{}]*\}\})(?=\w)", r"\1/", self.texts.text(url))

    def _client(self, component: Mapping[str, Any], made: Auth, extra: dict[str, Any]) -> None:
        headers = component.get("refresh_request_headers") or {}
        basic = [name for name in headers if name.lower() == "authorization"]
        for key, ref in (("client_id", "clientIdRef"), ("client_secret", "clientSecretRef")):
            if component.get(key):
                if key == "client_secret":
                    self.needs_secret(component[key])
                made[ref] = self.texts.text(component[key])
        if basic and "clientSecretRef" in made and _is_basic(headers[basic[0]]):
            # The header that the manifest writes out is what a spec says by itself.
            made["clientAuth"] = "basic"
            extra.setdefault("client_id", made["clientIdRef"])
            extra.setdefault("client_secret", made["clientSecretRef"])
        if made["grant"] == "refresh_token":
            self.needs_secret(component.get("refresh_token"))
            made["refreshTokenRef"] = self.texts.text(component.get("refresh_token") or "")

    def _renamed(self, component: Mapping[str, Any], extra: dict[str, Any]) -> None:
        """Parameters that this server calls by other names than RFC 6749."""
        for usual, value_key in (
            ("client_id", "client_id"),
            ("client_secret", "client_secret"),
            ("refresh_token", "refresh_token"),
            ("grant_type", "grant_type"),
        ):
            name = component.get(f"{usual}_name")
            if isinstance(name, str) and name not in ("", usual):
                value = component.get(value_key) or "refresh_token"
                extra[usual] = None
                extra[self.texts.text(name)] = self.texts.text(value)

    def _given_token(self, component: Mapping[str, Any]) -> None:
        value = component.get("access_token_value")
        if value:
            self.needs_secret(value)
            self.near.append("the access token that is given is not used, but one is obtained")

    def _token_request(self, component: Mapping[str, Any], made: Auth) -> None:
        names = (("access_token_name", "tokenPath"), ("expires_in_name", "expiresInPath"))
        for key, ours in names:
            text = component.get(key)
            if isinstance(text, str) and text not in ("", "access_token", "expires_in"):
                made[ours] = text if text.isidentifier() else f'"{text}"'
        headers = component.get("refresh_request_headers")
        sent = {}
        for name, value in (headers if isinstance(headers, Mapping) else {}).items():
            is_client = name.lower() == "authorization" and made.get("clientAuth") == "basic"
            if name.lower() == "content-type":
                made["tokenBody"] = "json" if "json" in str(value) else "form"
            elif not is_client:
                sent[name] = self.texts.text(value)
        if made.get("tokenBody") == "form":
            del made["tokenBody"]
        if sent:
            made["tokenHeaders"] = sent

    def _by_assertion(self, component: Mapping[str, Any], made: Auth) -> Auth:
        signer = component.get("profile_assertion")
        if not isinstance(signer, Mapping):
            raise Refused("an OAuth assertion without a signer")
        signed = self.jwt(signer)
        for key in ("algorithm", "keyRef", "claims", "headers", "lifetimeSeconds"):
            if key in signed:
                made[key] = signed[key]
        made["grant"] = "jwt_bearer"
        self._token_request(component, made)
        return made

    def jwt(self, component: Mapping[str, Any]) -> Auth:
        if component.get("passphrase"):
            raise Refused("a private key with a passphrase")
        if component.get("algorithm") == "ES256K":
            raise Refused("the algorithm ES256K")
        self.needs_secret(component.get("secret_key"))
        made: Auth = {
            "type": "jwt",
            "algorithm": component.get("algorithm"),
            "keyRef": self.texts.text(component.get("secret_key")),
            "lifetimeSeconds": component.get("token_duration") or 1200,
        }
        if component.get("base64_encode_secret_key") in (True, "true", "True"):
            inner = made["keyRef"].removesuffix("}}").rstrip()
            made["keyRef"] = f"{inner} | base64 }}}}"
        claims = self._mapping(component.get("jwt_payload"))
        claims |= self._mapping(component.get("additional_jwt_payload"))
        headers = self._mapping(component.get("jwt_headers"))
        headers |= self._mapping(component.get("additional_jwt_headers"))
        headers = {name: one for name, one in headers.items() if (name, one) != ("typ", "JWT")}
        for key, value in (("claims", claims), ("headers", headers)):
            if value:
                made[key] = value
        return self._placed_jwt(component, made)

    def _placed_jwt(self, component: Mapping[str, Any], made: Auth) -> Auth:
        prefix = component.get("header_prefix")
        made["prefix"] = f"{self.texts.text(prefix)} " if prefix else ""
        option = component.get("request_option")
        if isinstance(option, Mapping):
            place = str(option.get("inject_into"))
            made["in"] = {"request_parameter": "query", "header": "header"}.get(place, "body")
            made["name"] = self.texts.text(option.get("field_name"))
        return made

    def _mapping(self, given: Any) -> dict[str, Any]:
        found = given if isinstance(given, Mapping) else {}
        return {
            name: self.texts.json(value)
            for name, value in found.items()
            if name not in ("type", "$parameters") and value not in (None, "")
        }

    def account_credentials(self, component: Mapping[str, Any]) -> Auth:
        """Server-to-server OAuth by an account's id, as its one known class has it."""
        url = component.get("authorization_endpoint") or component.get("token_refresh_endpoint")
        if not url or not component.get("account_id"):
            raise Refused(f"the authenticator {component.get('class_name')}")
        self.needs_secret(component.get("client_secret"))
        return {
            "type": "oauth2",
            "grant": "client_credentials",
            "tokenUrl": self.texts.text(url),
            "clientIdRef": self.texts.text(component.get("client_id")),
            "clientSecretRef": self.texts.text(component.get("client_secret")),
            "clientAuth": "basic",
            "extraParams": {
                "grant_type": str(component.get("grant_type") or "account_credentials"),
                "account_id": self.texts.text(component["account_id"]),
            },
        }

    def _constant(self, text: Any) -> Any:
        found = self.texts.one(text) if isinstance(text, str) else Const(text)
        if isinstance(found, Code):
            raise Refused("a grant type that the user chooses")
        return found.value

    def needs_secret(self, token: Any) -> None:
        """Take what a credential is made of for a secret, where the manifest marks none of it."""
        given = self.reading.given
        paths = [
            tuple(map(str, chain.keys))
            for chain in chains_in(str(token or ""))
            if chain.root == "config" and chain.keys
        ]
        known = [given.at(path) for path in paths]
        if not any(one.secret for one in known if one):
            for path in paths:
                given.keep_as(path, "secret")


def _is_basic(value: Any) -> bool:
    text = str(value)
    return bool(_BASIC_HEADER.match(text)) and "client_id" in text and "client_secret" in text
