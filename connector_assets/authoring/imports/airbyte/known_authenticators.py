"""Authenticators of connectors' own Python whose meaning is known, in the words of the format.

What each asks for is read of its published class; none of that code is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Component = Mapping[str, Any]
NOT_LATIN = "a user name or password is sent as UTF-8, not as Latin-1"


def alternatives(*names: str) -> Callable[[Component, Any], Component]:
    """A class that chooses between the authenticators it is given by what the user gives."""

    def means(component: Component, _: Any) -> Component:
        found = {name: component[name] for name in names if component.get(name)}
        return {"type": "SelectiveAuthenticator", "authenticators": found}

    return means


def basic(component: Component, _: Any) -> Component:
    """Basic authentication, whose text is made of other bytes where it is not ASCII."""
    names = ("username", "password", "$parameters")
    kept = {name: component[name] for name in names if name in component}
    return {"type": "BasicHttpAuthenticator", **kept}


def client_in_header(component: Component, _: Any) -> Component:
    """An OAuth refresh whose client is in the header, as RFC 6749 would have it."""
    kept = {key: one for key, one in component.items() if key != "class_name"}
    # What the header is made of is not read, only that it is the client's.
    header = {"Authorization": "Basic client_id:client_secret"}
    return {**kept, "type": "OAuthAuthenticator", "refresh_request_headers": header}


def client_in_query(component: Component, _: Any) -> Component:
    """Client credentials, whose grant and scope are in the query of the token request."""
    body = component.get("refresh_request_body") or {}
    login = {
        "url_base": component.get("token_refresh_endpoint"),
        "authenticator": {
            "type": "BasicHttpAuthenticator",
            "username": component.get("client_id"),
            "password": component.get("client_secret"),
        },
        "request_parameters": {"grant_type": "client_credentials", **body},
    }
    return session(component, login)


def short_lived(component: Component, _: Any) -> Component:
    """A token of a GET with the client as user name and password."""
    login = {
        "url_base": component.get("url"),
        "http_method": "GET",
        "authenticator": {
            "type": "BasicHttpAuthenticator",
            "username": component.get("client_id"),
            "password": component.get("secret_key"),
        },
    }
    lifetime = component.get("lifetime") or "PT3600S"
    field = str(component.get("token_key") or "access_token")
    return session(component, login, field, expiration_duration=lifetime)


def looker(component: Component, _: Any) -> Component:
    """A login with the client in a form, whose token has a scheme of its own."""
    form = {name: f"{{{{ config['{name}'] }}}}" for name in ("client_id", "client_secret")}
    login = {
        "url_base": "https://{{ config['domain'] }}/api/4.0/login",
        "request_body_data": form,
    }
    sent = {
        "type": "ApiKey",
        "inject_into": {"inject_into": "header", "field_name": "Authorization"},
        "api_token": {"value": "token {{ session_token }}"},
    }
    return session(component, login, request_authentication=sent)


def younium(component: Component, _: Any) -> Component:
    """The password grant, with the company as a parameter of its own."""
    names = ("username", "password", "legal_entity", "grant_type", "client_id", "scope")
    host = "younium-identity-server"
    base = f"https://{{{{ '{host}-sandbox' if config['playground'] else '{host}' }}}}"
    login = {
        "url_base": f"{base}.azurewebsites.net/connect/token",
        "request_body_data": {name: component.get(name) for name in names},
    }
    return session(component, login, sends_headers={"Content-Type": "application/json"})


def my_hours(component: Component, _: Any) -> Component:
    """A login by mail address and password, with the version of the API in a header."""
    body = {
        "email": component.get("email"),
        "password": component.get("password"),
        "grantType": "password",
        "clientId": "api",
    }
    login = {
        "url_base": "https://api2.myhours.com/api/tokens/login",
        "request_headers": {"api-version": "1.0"},
        "request_body_json": body,
    }
    sent = {"Accept": "application/json", "api-version": "1.0"}
    return session(component, login, "accessToken", sends_headers=sent)


def session(
    component: Component, login: dict[str, Any], field: str = "access_token", **more: Any
) -> Component:
    """The token in a field of a login's answer, sent as a bearer where `more` says nothing else."""
    return {
        "type": "SessionTokenAuthenticator",
        "$parameters": component.get("$parameters") or {},
        "login_requester": {"type": "HttpRequester", "http_method": "POST", **login},
        "session_token_path": [field],
        "request_authentication": {"type": "Bearer"},
        **more,
    }
