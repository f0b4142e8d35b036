"""How a connection's requests leave: what its document says, else the project's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from connector_assets.errors import ConfigError
from connector_assets.project.settings import setting, variable
from connector_assets.runtime.http.network import Network, Proxy
from connector_assets.spec.network import NetworkSettings, ProxySettings, SecretSource

Given = Callable[[SecretSource, str], str]
"""The value of a secret, with the name to call it by where it has none."""


def network_of(
    settings: NetworkSettings | None,
    environ: Mapping[str, str],
    given: Given,
    folder: Path | None = None,
    chosen: Mapping[str, str] | None = None,
) -> Network:
    """The network of a connection; `folder` holds its document, whose paths are relative to it.

    `chosen` are settings by name that go before the document's, as options of a command do. Of
    proxy, CA bundle and client certificate each is taken as a whole from one place: no credentials
    of one proxy reach another. Raises ConfigError.
    """
    said, chosen = settings or NetworkSettings(), chosen or {}
    options = {variable(name): value for name, value in chosen.items()}
    in_document = folder or Path()
    if "PROXY" in chosen:
        direct = {variable("NO_PROXY"): environ.get(variable("NO_PROXY"), "")}
        proxies = _proxies_set(options | direct, environ)
    elif said.proxy is not None:
        proxies = _proxies_said(said.proxy, environ, given)
    else:
        proxies = _proxies_set(environ)
    bundle = setting("CA_BUNDLE", options) or (said.ca_bundle and str(in_document / said.ca_bundle))
    if "CLIENT_CERTIFICATE" in chosen:
        client = _client_set(options | {_PASSWORD: environ.get(_PASSWORD, "")})
    elif said.client_certificate is not None:
        client = _client_said(said, given, in_document)
    else:
        client = _client_set(environ)
    return Network(*proxies, bundle or setting("CA_BUNDLE", environ), *client)


_PASSWORD = variable("CLIENT_KEY_PASSWORD")
_Proxies = tuple[Proxy | None, Proxy | None, tuple[str, ...]]


def _proxies_said(proxy: ProxySettings | str, environ: Mapping[str, str], given: Given) -> _Proxies:
    if isinstance(proxy, str):
        return _proxies_set({variable("PROXY"): proxy}, environ)
    username = given(proxy.username, "network.proxy.username") if proxy.username else ""
    password = given(proxy.password, "network.proxy.password") if proxy.password else ""
    one = _parsed(proxy.url, "network.proxy", username, password, proxy.resolve == "proxy")
    return one, one, proxy.except_


def _proxies_set(environ: Mapping[str, str], outer: Mapping[str, str] | None = None) -> _Proxies:
    """What the settings say; the operator's environment may hold a password in a URL."""
    url, direct = setting("PROXY", environ), _listed(setting("NO_PROXY", environ))
    if url == "environment":
        return _proxies_of_others(environ if outer is None else outer)
    if not url or url == "none":
        return None, None, ()
    user, password = setting("PROXY_USERNAME", environ), setting("PROXY_PASSWORD", environ)
    one = _parsed(url, variable("PROXY"), user, password, True)
    return one, one, direct


def _proxies_of_others(environ: Mapping[str, str]) -> _Proxies:
    """HTTP_PROXY and its like, as other programs read them: in lower case first."""
    found = {
        name: environ.get(f"{name}_proxy") or environ.get(f"{name}_proxy".upper(), "")
        for name in ("http", "https", "all", "no")
    }
    http, https = (
        _parsed(url, f"{name.upper()}_PROXY", "", "", True) if url else None
        for name in ("http", "https")
        for url in (found[name] or found["all"],)
    )
    return http, https, _listed(found["no"])


def _parsed(url: str, where: str, username: str, password: str, resolves: bool) -> Proxy:
    try:
        return Proxy.parse(url, username=username, password=password, resolves=resolves)
    except ValueError:
        # Never the URL itself, nor what Python says of it: there may be a password in it.
        what = "is not the URL of a proxy"
        raise ConfigError(what, where=where, fix="write http://host:port") from None


def _client_said(said: NetworkSettings, given: Given, folder: Path) -> tuple[str, str, str]:
    key, secret = "", said.client_key
    if secret is not None and secret.file is not None:
        key = str(folder / secret.file)
    elif secret is not None:
        key = given(secret, "network.clientKey")
    word = said.client_key_password
    password = given(word, "network.clientKeyPassword") if word else ""
    return str(folder / (said.client_certificate or "")), key, password


def _client_set(environ: Mapping[str, str]) -> tuple[str, str, str]:
    names = ("CLIENT_CERTIFICATE", "CLIENT_KEY", "CLIENT_KEY_PASSWORD")
    certificate, key, password = (setting(name, environ) for name in names)
    return (certificate, key, password) if certificate else ("", "", "")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())
