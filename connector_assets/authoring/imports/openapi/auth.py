"""The security schemes of a document as the auth of a spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector_assets.authoring.imports.commented import Noted, bare
from connector_assets.authoring.imports.lists.columns import phrase
from connector_assets.authoring.imports.lists.operation import Operation, plain
from connector_assets.authoring.imports.openapi.document import Api
from connector_assets.authoring.imports.secret_values import camel
from connector_assets.authoring.imports.spec_parts import Parts, less
from connector_assets.spec.names.url import join

_PREFIX = re.compile(
    r"(?:[`\"']|Authorization\s*:\s*[`\"']?)(?P<prefix>[A-Z][A-Za-z-]{1,29}(?: token=| +))"
    r"(?=[\[<{$]|(?:your|my|the|api|private|secret|x{3}|[a-z_-]*(?:key|token))\b)",
)
"""A word before what stands for a key, at the begin of a quotation: `SSWS {API Token}`."""
_NO_PASSWORD = re.compile(
    r"password (?:can be |is |should be )?(?:left )?(?:blank|empty|ignored)|no password"
    r"|not need to provide a password",
    re.IGNORECASE,
)


class Auths:
    """What the document says of credentials, as far as a spec can say it."""

    def __init__(self, api: Api, parts: Parts, base: str) -> None:
        self.api, self.parts, self.base = api, parts, base
        self.sent: set[str] = set()
        """Names of headers and parameters that carry credentials, without case and marks."""
        self.headers: dict[str, str] = {}
        """Credentials beside the auth, where a request needs several."""

    def of(self, operations: list[Operation]) -> list[Any]:
        """The alternatives in the order of the document."""
        schemes = self._schemes()
        wanted = self._wanted(operations, schemes)
        if not wanted:
            return self._asked(schemes)
        made: list[Any] = []
        for names in wanted:
            one = self._all_of([(name, schemes[name]) for name in names])
            if len(names) > 1 and len(wanted) > 1:
                says = (
                    f"{' and '.join(names[1:])} is needed with {names[0]} only, and sent with all"
                )
                self.parts.say("question", "", "auth", says)
            if one is not None and bare(one) not in map(bare, made):
                made.append(one)
        return made

    def _schemes(self) -> dict[str, Mapping[str, Any]]:
        if self.api.version == "2.0":
            declared = self.api.at(self.api.root.get("securityDefinitions"))
        else:
            components = self.api.at(self.api.root.get("components"))
            of = components.get("securitySchemes") if isinstance(components, Mapping) else None
            declared = self.api.at(of)
        found = declared.items() if isinstance(declared, Mapping) else []
        views = ((str(name), self.api.at(one)) for name, one in found)
        return {name: one for name, one in views if isinstance(one, Mapping)}

    def _wanted(
        self, operations: list[Operation], schemes: Mapping[str, Any]
    ) -> list[tuple[str, ...]]:
        """The alternatives: those of the document, else of its operations, else all there are."""
        own = [one.extra.get("security") for one in operations]
        for said in ([self.api.root.get("security")], own):
            found = [names for some in said for names in _alternatives(some, schemes)]
            if found:
                return list(dict.fromkeys(found))
        return [(name,) for name in schemes]

    def _asked(self, schemes: Mapping[str, Any]) -> list[Any]:
        what = "declares no security scheme" if not schemes else "declares none that is known here"
        question = f"the document {what}: say how requests are signed, or that they are not"
        self.parts.say("question", "", "auth", question, "bearer", "api_key", "basic", "none")
        return []

    def _all_of(self, schemes: list[tuple[str, Mapping[str, Any]]]) -> Any:
        """One alternative: its first scheme is the auth, further keys go along as headers."""
        first, *rest = schemes
        made = self._one(*first)
        if made is None:
            return None
        for name, said in rest:
            self.sent.add(plain(str(said.get("name", ""))))
            if said.get("type") == "apiKey" and said.get("in") == "header":
                secret = self.parts.secret(camel(name), phrase(said.get("description")) or name)
                self.headers[str(said.get("name"))] = secret
            else:
                self.parts.say("question", "", "auth", f"{name} is needed beside {first[0]}")
        return made

    def _one(self, name: str, said: Mapping[str, Any]) -> Any:
        kind = str(said.get("type", "")).lower()
        if kind == "http":
            kind = str(said.get("scheme", "")).lower()
        make = _KINDS.get(kind)
        if make is None:
            self.parts.say("question", "", "auth", f"{name} is {kind or 'of no type'}; not drafted")
            return None
        return make(self, name, said)

    def bearer(self, name: str, said: Mapping[str, Any]) -> Any:
        about = phrase(said.get("description")) or f"The token that the document calls {name}"
        return {"type": "bearer", "tokenRef": self.parts.secret("token", about)}

    def basic(self, name: str, said: Mapping[str, Any]) -> Any:
        about = phrase(said.get("description")) or name
        made = {
            "type": "basic",
            "usernameRef": self.parts.secret("username", f"User name: {about}"),
        }
        if _NO_PASSWORD.search(str(said.get("description") or "")):
            return Noted(made, "the text says that the password is empty")
        made["passwordRef"] = self.parts.secret("password", f"Password: {about}")
        return made

    def digest(self, name: str, _: Mapping[str, Any]) -> Any:
        made = {
            "type": "digest",
            "usernameRef": self.parts.secret("username", f"User name: {name}"),
        }
        return made | {"passwordRef": self.parts.secret("password", f"Password: {name}")}

    def api_key(self, name: str, said: Mapping[str, Any]) -> Any:
        sent, place = str(said.get("name") or "Authorization"), str(said.get("in") or "header")
        self.sent.add(plain(sent))
        about = phrase(said.get("description")) or f"The key that the document calls {name}"
        made: dict[str, Any] = {"type": "api_key"}
        if place in ("query", "cookie"):
            made["in"] = place
        made |= {"name": sent, "valueRef": self.parts.secret("apiKey", about)}
        if plain(sent) != "authorization":
            return made
        prefix = _prefix(said)
        if prefix is not None:
            return Noted({**made, "prefix": prefix}, f"{prefix.strip()} is from the scheme's text")
        question = "nothing says what stands before the key in Authorization, as Bearer or Token"
        self.parts.say("question", "", "auth", question, "Bearer ", "Token ", "")
        return Noted({**made, "prefix": ""}, open=[question])

    def oauth2(self, name: str, said: Mapping[str, Any]) -> Any:
        flow, detail = self._flow(said)
        if flow is None:
            self.parts.say("question", "", "auth", f"{name} has no flow that is known")
            return None
        made: dict[str, Any] = {"type": "oauth2"}
        made["grant"] = _GRANTS.get(flow)
        made["authorizeUrl"] = self._url(detail.get("authorizationUrl"))
        token = self._url(detail.get("tokenUrl"))
        made["tokenUrl"] = token if flow != "implicit" else None
        scopes = detail.get("scopes")
        names = list(scopes) if isinstance(scopes, Mapping) else []
        questions = []
        if names:
            questions.append(
                f"choose the scopes; there are {len(names)}: {', '.join(map(str, names))[:120]}"
            )
        if flow != "implicit" and not token:
            made["grant"] = "access_token"
            questions.append("no tokenUrl that is https: the token is given and never renewed")
        if made["grant"] != "access_token":
            made["clientIdRef"] = self.parts.secret("clientId", "The OAuth client's id")
            made["clientSecretRef"] = self.parts.secret("clientSecret", "The OAuth client's secret")
        if made["grant"] == "password":
            made["usernameRef"] = self.parts.secret("username", "The user's name")
            made["passwordRef"] = self.parts.secret("password", "The user's password")
        for one in questions:
            self.parts.say("question" if "tokenUrl" in one else "note", "", "auth", one)
        return Noted(less(made), f"the flow {flow} of {name}", questions)

    def _flow(self, said: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
        if self.api.version == "2.0":
            flows = {_FLOWS_OF_2.get(str(said.get("flow")), ""): said}
        else:
            given = self.api.at(said.get("flows"))
            flows = dict(given) if isinstance(given, Mapping) else {}
        for name in ("authorizationCode", "clientCredentials", "password", "implicit"):
            detail = self.api.at(flows.get(name))
            if isinstance(detail, Mapping):
                return name, detail
        return None, {}

    def _url(self, url: Any) -> str | None:
        if not isinstance(url, str) or not url:
            return None
        whole = url if "://" in url else join(f"{self.base}/", url) if "{{" not in self.base else ""
        return whole if whole.startswith("https://") and "{" not in whole else None

    def open_id(self, name: str, said: Mapping[str, Any]) -> Any:
        self.parts.say(
            "question", "", "auth", f"{name} is OpenID Connect: its token is taken as a bearer's"
        )
        return Noted(self.bearer(name, said), "OpenID Connect: its token as a bearer's")

    def mutual_tls(self, name: str, _: Mapping[str, Any]) -> Any:
        self.parts.say(
            "note", "", "auth", f"{name}: set network.clientCertificate in the connection"
        )
        return None


_KINDS: dict[str, Callable[[Auths, str, Mapping[str, Any]], Any]] = {
    "bearer": Auths.bearer,
    "basic": Auths.basic,
    "digest": Auths.digest,
    "apikey": Auths.api_key,
    "oauth2": Auths.oauth2,
    "openidconnect": Auths.open_id,
    "mutualtls": Auths.mutual_tls,
}
_GRANTS = {
    "clientCredentials": "client_credentials",
    "password": "password",
    "implicit": "access_token",
}
_FLOWS_OF_2 = {
    "accessCode": "authorizationCode",
    "application": "clientCredentials",
    "password": "password",
    "implicit": "implicit",
}


def _alternatives(said: Any, schemes: Mapping[str, Any]) -> list[tuple[str, ...]]:
    found = []
    for one in said if isinstance(said, list) else []:
        names = tuple(str(name) for name in one) if isinstance(one, Mapping) else ()
        if names and all(name in schemes for name in names):
            found.append(names)
    return found


def _prefix(said: Mapping[str, Any]) -> str | None:
    """The words before a key in Authorization, by the scheme's text or its example's first word.

    Of an example no more than that is taken: the rest may be somebody's key.
    """
    shown = said.get("x-default")
    text = f"{said.get('description') or ''} `{shown if isinstance(shown, str) else ''}`"
    found = _PREFIX.search(text)
    if found and found["prefix"].strip() != "Authorization":
        prefix = found["prefix"]
        return prefix if prefix.endswith("=") else f"{prefix.strip()} "
    return "Bearer " if re.search(r"\bBearer\b", text) else None
