"""`ctx.http` of a plugin: the requests that a spec would send, asked for in Python."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr

from connector_assets.errors import BlockedError, ConfigError, SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.project.connection import Connection
from connector_assets.runtime.runtime import HttpRuntime
from tests.loopback import serving
from tests.timeline import Now

KEY = "k3y-0f-th3-sh0p"
HTTP = {
    "defaults": {"baseUrl": "{{base}}", "retry": {"maxAttempts": 2}},
    "auth": [{"type": "api_key", "name": "X-Key", "valueRef": "{{secrets.apiKey}}"}],
    "rateLimit": {"requestsPerSecond": 500},
}


class Config(BaseModel):
    base: str
    page: int = 2


def shop(request):
    if request.headers.get("x-key") != KEY:
        return 401, {}
    if request.path == "/moved":
        return 302, {}, {"Location": "http://other.example/steal"}
    return {"rows": [{"id": 1}], "path": request.path, "page": request.query.get("page")}


def read(ctx):
    answer = ctx.http.get("/prices", params={"page": ctx.config.page}).json()
    yield {"path": answer["path"], "page": answer["page"]}


def plugin(read=read, **given):
    return define_connector(
        **{
            "id": "shop",
            "display_name": "Shop",
            "config_schema": Config,
            "http": HTTP,
            "read": read,
            **given,
        }
    )


def rows(connector, api, **environ):
    with HttpRuntime(allow_private=[api.host], clock=Now()) as runtime:
        connector = connector.with_runtime(runtime)
        values = {"SHOP__BASE": api.origin, "SHOP__API_KEY": KEY, **environ}
        reading = Connection("shop", connector, environ=values).open("shop")
        found = [row for batch in connector.read(reading) for row in batch.rows]
        return found, reading.stats


def test_requests_are_signed_counted_and_read_the_models_values():
    with serving(shop) as api:
        found, stats = rows(plugin(), api)
    assert found == [{"path": "/prices", "page": "2"}]
    assert stats.calls == 1


def test_a_failure_is_tried_again_within_its_rules():
    failing = iter([True, False])
    with serving(lambda request: (503, {}) if next(failing) else shop(request)) as api:
        found, stats = rows(plugin(), api)
    assert found
    assert stats.retries == 1


@pytest.mark.parametrize("url", ["http://other.example/x", "/moved"])
def test_it_sends_to_its_own_origins_only(url):
    with serving(shop) as api, pytest.raises(BlockedError):
        rows(plugin(lambda ctx: [ctx.http.get(url).json()]), api)


def test_its_secrets_are_those_of_the_connection():
    connection = Connection("shop", plugin(), environ={})
    with pytest.raises(ConfigError) as raised:
        connection.open("shop")
    assert str(raised.value) == "shop: values are missing; set SHOP__BASE, SHOP__API_KEY"


def test_a_secret_of_the_model_may_sign():
    class Secret(Config):
        api_key: SecretStr

        model_config = {"alias_generator": lambda name: "apiKey" if name == "api_key" else name}

    with serving(shop) as api:
        assert rows(plugin(config_schema=Secret), api)[0]


@pytest.mark.parametrize(
    ("http", "fault"),
    [
        ({}, "http.defaults.baseUrl: is required: where requests go"),
        ({**HTTP, "endpoints": []}, "http.endpoints: is not known; use one of auth, config, "),
        ({**HTTP, "auth": [{"type": "apikey"}]}, 'http.auth.0.type: "apikey" is not known'),
        ({**HTTP, "rateLimit": {"perSecond": 5}}, "http.rateLimit.perSecond: is not a known key"),
        ("https://x.example", "http: must be an object, as a spec has it"),
    ],
)
def test_what_a_spec_could_not_say_is_refused(http, fault):
    with pytest.raises(SpecError) as raised:
        plugin(http=http)
    assert fault in str(raised.value)
