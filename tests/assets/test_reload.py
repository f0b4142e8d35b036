"""A running code location takes what was created meanwhile: by a file, a tool, or in the process."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget

from connector_assets.assets.factory import build_definitions
from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.errors import SpecError
from connector_assets.plugins.registry import connector_registry
from tests.shop import shop_spec

SPEC = shop_spec("""
endpoints: [{id: items, url: "https://api.example.com/items"}]
read: {primary: items}
""")


@pytest.fixture
def location(project):
    """Has Dagster load the code location again, in this process; the keys of its assets."""
    project.write("specs/first.yaml", SPEC.replace("id: shop", "id: first"))
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(module_name="connector_assets.definitions"),
        location_name="connectors",
    )
    target = InProcessWorkspaceLoadTarget(origin)
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):

        def reloaded():
            workspace.refresh_code_location("connectors")
            found = workspace.create_request_context().get_code_location("connectors")
            (repository,) = found.get_repositories().values()
            nodes = repository.get_asset_node_snaps()
            return {one.asset_key.to_user_string() for one in nodes if one.is_materializable}

        yield reloaded


@pytest.fixture
def registered():
    yield
    for name in ("shop", "other"):
        connector_registry.unregister(name)


def test_a_connector_that_a_tool_creates_is_there_after_a_reload(project, location, registered):
    assert location() == {"first/items"}
    folder = SpecsFolder(project.root / "specs")
    folder.create(SPEC)
    assert location() == {"first/items", "shop/items"}
    folder.create(SPEC.replace("items", "orders"), overwrite=True)
    assert location() == {"first/items", "shop/orders"}
    with pytest.raises(SpecError):
        folder.create(SPEC.replace("primary: items", "primary: itms"), overwrite=True)
    assert location() == {"first/items", "shop/orders"}
    (project.root / "specs" / "shop.yaml").unlink()
    assert location() == {"first/items"}


def test_what_is_registered_anew_in_the_process_is_what_definitions_show(project, registered):
    def keys():
        return {
            key.to_user_string()
            for one in build_definitions().assets
            if isinstance(one, dg.AssetsDefinition)
            for key in one.keys
        }

    project.write("specs/first.yaml", SPEC.replace("id: shop", "id: first"))
    connector_registry.register_yaml(SPEC)
    assert keys() == {"first/items", "shop/items"}
    connector_registry.register_yaml(SPEC.replace("items", "orders"), replace=True)
    assert keys() == {"first/items", "shop/orders"}
    connector_registry.unregister("shop")
    assert keys() == {"first/items"}
