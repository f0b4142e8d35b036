"""A manifest's authenticators → auths of a spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector_assets.authoring.imports.airbyte.code import Const, joined
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused, chains_in
from connector_assets.authoring.imports.airbyte.request_parts import RequestParts
from connector_assets.authoring.imports.airbyte.requesters import Requester
from connector_assets.authoring.imports.airbyte.tokens import Auth, TokenAuthenticators
from connector_assets.spec.names import dates

_OF_OAUTH = {
    *("$parameters", "token_refresh_endpoint", "client_id", "client_secret", "refresh_token"),
    *("access_token_name", "expires_in_name", "grant_type", "refresh_request_body", "scopes"),
    *("refresh_token_updater", "token_expiry_date", "token_expiry_date_format", "name"),
}


class Authenticators(TokenAuthenticators):
    """Converts all authenticators of a manifest; `base` is the address of what they are for."""

    def __init__(self, reading: Reading, base: str = "") -> None:
        super().__init__(reading)
        self.base = base

    def auths(self, component: Any) -> list[Auth]:
        """The alternatives that `component` is; a single `none` where it sends nothing."""
        if component is None:
            return [{"type": "none"}]
        if not isinstance(component, Mapping):
            raise Refused("an authenticator that is no object")
        kind = str(component.get("type"))
        if kind == "SelectiveAuthenticator":
            return self._selected(component)
        make = _MAKERS.get(kind)
        if "class_name" in component:
            make = _known_class(str(component["class_name"]))
            if make is None and _is_oauth(component):
                make = Authenticators.oauth
                name = str(component["class_name"]).rpartition(".")[2]
                self.near.append(f"the authenticator {name} is taken for the OAuth of its fields")
        if make is None:
            raise Refused(f"the authenticator {component.get('class_name') or kind}")
        return [make(self, component)]

    def _selected(self, component: Mapping[str, Any]) -> list[Auth]:
        choices = component.get("authenticators")
        made: list[Auth] = []
        refused: list[str] = []
        for one in choices.values() if isinstance(choices, Mapping) else ():
            try:
                made += [auth for auth in self.auths(one) if auth not in made]
            except Refused as error:
                refused.append(str(error))
        if not made and refused:
            raise Refused(refused[0])
        self.near += [f"one way to authenticate is not there: {why}" for why in refused]
        # One without secrets would always be chosen, so it comes last.
        return sorted(made, key=lambda auth: auth["type"] == "none")

    def none(self, component: Mapping[str, Any]) -> Auth:
        del component
        return {"type": "none"}

    def api_key(self, component: Mapping[str, Any]) -> Auth:
        option = component.get("inject_into")
        place, name = "header", component.get("header")
        if isinstance(option, Mapping):
            place, name = str(option.get("inject_into")), option.get("field_name")
        where = {"request_parameter": "query", "header": "header"}.get(place, "body")
        token = component.get("api_token")
        if not token and isinstance(component.get("token_provider"), Mapping):
            raise Refused("a token provider of an API key")
        return self._keyed(where, self.texts.text(name or ""), token)

    def _keyed(self, where: str, name: str, token: Any) -> Auth:
        if not name:
            raise Refused("an API key without a name")
        prefix, ref = self._secret_text(token)
        made: Auth = {"type": "api_key", "name": name, "valueRef": ref}
        if where != "header":
            made["in"] = where
        usual = "Bearer " if where == "header" and name.lower() == "authorization" else ""
        if prefix or usual:
            made["prefix"] = prefix
        return made

    def _secret_text(self, token: Any) -> tuple[str, str]:
        """The text before a secret, and the template of the rest."""
        self.needs_secret(token)
        text = self.texts.text(token)
        head, brace, rest = text.partition("{{")
        if not brace:
            raise Refused("a credential that is written in the manifest")
        return (head, brace + rest) if rest.count("}}") == 1 else ("", text)

    def bearer(self, component: Mapping[str, Any]) -> Auth:
        token = component.get("api_token")
        prefix, ref = self._secret_text(token)
        if prefix:
            return {
                "type": "api_key",
                "name": "Authorization",
                "prefix": f"Bearer {prefix}",
                "valueRef": ref,
            }
        return {"type": "bearer", "tokenRef": ref}

    def basic(self, component: Mapping[str, Any]) -> Auth:
        name, password = component.get("username") or "", component.get("password") or ""
        if chains_in(str(password)):
            self.needs_secret(password)
        elif not any(
            one and one.secret
            for chain in chains_in(str(name))
            if chain.root == "config"
            for one in [self.reading.given.at(tuple(map(str, chain.keys)))]
        ):
            self.needs_secret(name)
        fixed = [one for one in (name, password) if one and not chains_in(str(one))]
        if fixed:
            return self._basic_of_parts(name, password)
        made: Auth = {"type": "basic"}
        if name:
            made["usernameRef"] = self.texts.text(name)
        if password:
            made["passwordRef"] = self.texts.text(password)
        return made

    def _basic_of_parts(self, name: Any, password: Any) -> Auth:
        """A user name with a password that the manifest writes out, as some APIs want it."""
        pair = joined([self.texts.one(name), Const(":"), self.texts.one(password)])
        if isinstance(pair, Const):
            raise Refused("a credential that is written in the manifest")
        ref = f"{{{{ ({pair.text}) | base64 }}}}"
        return {"type": "api_key", "name": "Authorization", "prefix": "Basic ", "valueRef": ref}

    def session(self, component: Mapping[str, Any]) -> Auth:
        login = component.get("login_requester")
        if not isinstance(login, Mapping):
            raise Refused("a session without a login")
        made: Auth = {"type": "session", "login": self._login(login)}
        path = component.get("session_token_path")
        steps = path if isinstance(path, list) else [path]
        made["tokenPath"] = ".".join(
            str(one) if str(one).isidentifier() else f'"{one}"' for one in steps
        )
        expires = component.get("expiration_duration")
        if isinstance(expires, str):
            span = dates.duration(expires)
            made["expiresSeconds"] = span.span.total_seconds() + span.months * 30 * 86_400
        return made | self._session_place(component.get("request_authentication"))

    def _session_place(self, sent: Any) -> Auth:
        if not isinstance(sent, Mapping) or sent.get("type") == "Bearer":
            return {}
        option = sent.get("inject_into")
        if not isinstance(option, Mapping):
            raise Refused("a session token that is put nowhere")
        place = str(option.get("inject_into"))
        where = {"request_parameter": "query", "header": "header"}.get(place, "body")
        made: Auth = {"name": self.texts.text(option.get("field_name"))}
        if where != "header":
            made["in"] = where
        template = sent.get("api_token")
        if isinstance(template, Mapping):
            template = template.get("value")
        prefix = str(template or "").partition("{{")[0]
        usual = made["name"].lower() == "authorization"
        return made | ({"prefix": prefix} if prefix or usual else {})

    def _login(self, requester: Mapping[str, Any]) -> dict[str, Any]:
        parts = RequestParts()
        Requester(self.reading, requester, parts).fill()
        for auth in self.auths(requester.get("authenticator")):
            self._logged_in_by(auth, parts)
        made = parts.endpoint()
        body = made.get("body")
        made["method"] = parts.method
        return {key: one for key, one in {**made, "body": body}.items() if one}

    def _logged_in_by(self, auth: Auth, parts: RequestParts) -> None:
        """A login has no auth of its own here: what it sends is written into its request."""
        if auth["type"] == "none":
            return
        if auth["type"] == "basic":
            user, word = auth.get("usernameRef", ""), auth.get("passwordRef", "")
            joined = f"{_inner(user)} ~ ':' ~ {_inner(word)}"
            parts.headers["Authorization"] = f"Basic {{{{ ({joined}) | base64 }}}}"
        elif auth["type"] == "bearer":
            parts.headers["Authorization"] = f"Bearer {auth['tokenRef']}"
        elif auth["type"] == "api_key":
            value = f"{auth.get('prefix', '')}{auth['valueRef']}"
            where = {"query": parts.params, "header": parts.headers}.get(auth.get("in", "header"))
            if where is None:
                raise Refused("a key in the body of a login")
            where[auth["name"]] = value
        else:
            raise Refused(f"a login that is authenticated by {auth['type']}")

    def legacy_session(self, component: Mapping[str, Any]) -> Auth:
        """A session by user name and password; a token that is given is no secret of it."""
        base = self.texts.text(component.get("api_url") or self.base)
        login = self.texts.text(component.get("login_url") or "")
        url = f"{base.rstrip('/')}/{login.lstrip('/')}" if base else login
        if not url.startswith(("http", "{{")):
            raise Refused("a session whose login has no address")
        self.needs_secret(component.get("password"))
        body = {
            "username": self.texts.text(component.get("username") or ""),
            "password": self.texts.text(component.get("password") or ""),
        }
        name = self.texts.text(component.get("header") or "")
        made: Auth = {
            "type": "session",
            "login": {"url": url, "body": {"json": body}},
            "tokenPath": self.texts.text(component.get("session_token_response_key")),
            "name": name,
        }
        if component.get("session_token"):
            self.near.append("a session token that is given is not used, but one is obtained")
        return made | ({"prefix": ""} if name.lower() == "authorization" else {})


_Make = Callable[[Authenticators, Mapping[str, Any]], Auth]
_MAKERS: dict[str, _Make] = {
    "NoAuth": Authenticators.none,
    "ApiKeyAuthenticator": Authenticators.api_key,
    "BearerAuthenticator": Authenticators.bearer,
    "BasicHttpAuthenticator": Authenticators.basic,
    "OAuthAuthenticator": Authenticators.oauth,
    "JwtAuthenticator": Authenticators.jwt,
    "SessionTokenAuthenticator": Authenticators.session,
    "LegacySessionTokenAuthenticator": Authenticators.legacy_session,
}


def _known_class(name: str) -> _Make | None:
    """Classes of connectors' own Python whose behaviour is public and simple."""
    if name.rpartition(".")[2] == "ServerToServerOauthAuthenticator":
        return Authenticators.account_credentials
    return None


def _is_oauth(component: Mapping[str, Any]) -> bool:
    """Whether a class of Python is given what the OAuth authenticator takes, and no more."""
    handed = component.get("$parameters")
    others = {"class_name", "type", *(handed if isinstance(handed, Mapping) else ())} - _OF_OAUTH
    given = {key for key, value in component.items() if value} - others
    return {"token_refresh_endpoint", "client_id", "client_secret"} <= given <= _OF_OAUTH


def _inner(ref: str) -> str:
    """A reference as an expression."""
    found = re.fullmatch(r"\{\{\s*(.+?)\s*\}\}", ref)
    if found:
        return f"({found[1]})" if " " in found[1] else found[1]
    if "{{" in ref:
        raise Refused("a login whose credentials are texts with values in them")
    return "'" + ref.replace("'", "\\'") + "'"
