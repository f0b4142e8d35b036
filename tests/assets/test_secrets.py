"""Where Python and `defs.yaml` say that secrets are: names that are looked up in the step."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets import ConnectorComponent
from connector_assets.errors import ConfigError
from connector_assets.spec.component import with_variables
from tests.assets.conftest import SECRET
from tests.assets.test_component import component, dg_project, load  # noqa: F401 - a fixture

ITEMS = dg.AssetKey(["shop", "items"])


def runs(definitions, key):
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=[key], raise_on_error=False).success


def test_an_env_var_of_dagster_is_looked_up_in_the_step(shop_project, monkeypatch):
    monkeypatch.delenv("SHOP__TOKEN")
    definitions = shop_project.definitions(secrets={"shop": {"token": dg.EnvVar("OTHER_TOKEN")}})
    again = shop_project.definitions(secrets={"shop": {"token": dg.EnvVar("OTHER_TOKEN")}})
    assert again is definitions
    assert not runs(definitions, ITEMS)
    monkeypatch.setenv("OTHER_TOKEN", SECRET)
    assert runs(definitions, ITEMS)
    assert len(shop_project.rows("shop.items")) == 12


def test_code_goes_before_the_connection_and_may_name_a_file(shop_project):
    shop_project.write("token", f"{SECRET}\n")
    shop_project.write(
        "connections/shop.yaml",
        'kind: connection\nversion: "1.0"\nid: shop\nconnector: shop\nsecrets: {token: {env: NO_SUCH}}\n',
    )
    assert runs(shop_project.definitions(secrets={"shop": {"token": {"file": "token"}}}), ITEMS)


@pytest.mark.parametrize(
    ("secrets", "fault"),
    [
        ({"shop": {"token": SECRET}}, "shop: secrets.token is no place of a secret"),
        ({"shop": {"token": {"env": "A", "file": "b"}}}, "secrets.token is no place of a secret"),
        (
            {"shop": {"tokn": dg.EnvVar("A")}},
            'shop: "tokn" is not a secret of shop; use one of tok',
        ),
        ({"shpo": {"token": dg.EnvVar("A")}}, '"shpo" is not a connection; known are: shop'),
    ],
)
def test_what_is_no_place_is_an_error_that_does_not_quote_it(shop_project, secrets, fault):
    with pytest.raises(ConfigError, match=fault) as raised:
        shop_project.definitions(secrets=secrets)
    assert SECRET not in str(raised.value)


def test_a_component_in_python_takes_an_env_var(dg_project, api, monkeypatch):  # noqa: F811 - a fixture
    monkeypatch.setenv("EU_TOKEN", SECRET)
    dg_project.write(
        "orders_project/defs/eu.py",
        "import dagster as dg\nfrom connector_assets import ConnectorComponent\n\n"
        "@dg.component_instance\ndef eu(context):\n    return ConnectorComponent(id='eu', connector='shop',\n"
        f"        secrets={{'token': dg.EnvVar('EU_TOKEN')}}, config={{'base_url': '{api.origin}'}})\n",
    )
    assert runs(load(dg_project), dg.AssetKey(["eu", "items"]))
    with pytest.raises(ValueError, match="secrets"):
        ConnectorComponent(id="eu", connector="shop", secrets={"token": SECRET})


@pytest.mark.parametrize("written", ["{{ env.EU_TOKEN }}", "{{ env('EU_TOKEN') }}"])
def test_a_variable_in_defs_yaml_is_not_read_as_the_project_loads(
    dg_project,  # noqa: F811 - a fixture
    api,
    monkeypatch,
    written,
):
    text = f'  id: eu\n  connector: shop\n  secrets: {{token: "{written}"}}\n  config: {{base_url: {api.origin}}}\n'
    component(dg_project, "eu", text)
    definitions = load(dg_project)
    monkeypatch.setenv("EU_TOKEN", SECRET)  # there only after the definitions are
    assert runs(definitions, dg.AssetKey(["eu", "items"]))


def test_a_secret_that_a_template_wrote_out_is_refused_and_not_shown(dg_project, monkeypatch):  # noqa: F811 - a fixture
    monkeypatch.setenv("EU_TOKEN", SECRET)
    component(
        dg_project,
        "eu",
        "  id: eu\n  connector: shop\n  secrets: {token: \"{{ env('EU_TOKEN', 'x') }}\"}\n",
    )
    told = "\n".join(str(one) for one in load(dg_project).resolve_all_asset_specs())
    assert "a secret is never written here" in told
    assert SECRET not in told


def test_variables_of_a_proxy_are_named_too():
    network = {"proxy": {"url": "{{ env.PROXY }}", "password": "{{ env.PASSWORD }}"}}
    assert with_variables({"network": network})["network"]["proxy"] == {
        "url": "{{ env.PROXY }}",
        "password": {"env": "PASSWORD"},
    }
