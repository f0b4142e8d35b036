"""Code locations in processes of their own take new, changed, faulty and removed specs."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import pytest

from tests.assets.served import MODULE, asking, developing, free_port, started, until
from tests.assets.test_reload import SPEC

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ASSETS = """{ assetNodes { isExecutable assetKey { path } description } }"""
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
RELOAD = """mutation ($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"""
LAUNCH = """mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"

AT_ONCE = "run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}\n"
"""No daemon is needed then for a run to begin."""


class Location:
    """A code location behind a UI."""

    def __init__(self, ask, restart=None):
        self.ask, self._restart = ask, restart
        until(lambda: self._entry() and self._entry()["loadStatus"] == "LOADED")

    def _entry(self):
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return entries[0] if entries else None

    def reload(self):
        """Take what is there now; a server that holds its definitions for good is started anew."""
        if self._restart:
            self._restart()
        until(self._loaded)

    def _loaded(self):
        self.ask(RELOAD, name=self._entry()["name"])
        found = self._entry()["locationOrLoadError"]
        return found and found["__typename"] == "RepositoryLocation"

    def assets(self):
        found = self.ask(ASSETS)["assetNodes"]
        return {
            "/".join(one["assetKey"]["path"]): one["description"]
            for one in found
            if one["isExecutable"]
        }

    def shows(self, *keys):
        until(lambda: self.assets().keys() == {*keys})
        loaded = self._entry()["locationOrLoadError"]
        assert loaded["__typename"] == "RepositoryLocation", loaded

    def materialize(self, *path):
        """The status with which a run of one asset ends."""
        run = {
            "mode": "default",
            "runConfigData": {},
            "selector": {
                "repositoryLocationName": self._entry()["name"],
                "repositoryName": "__repository__",
                "jobName": "__ASSET_JOB",
                "assetSelection": [{"path": path}],
            },
        }
        told = self.ask(LAUNCH, run=run)["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        ended = ("SUCCESS", "FAILURE", "CANCELED")

        def status():
            found = self.ask(STATUS, id=told["run"]["runId"])["runOrError"]["status"]
            return found if found in ended else None

        return until(status)


@contextmanager
def in_dev(root):
    """As on a desk, with a daemon beside it."""
    with developing(root) as ask:
        yield Location(ask)


@contextmanager
def behind(root, *command, restarts):
    """A server of definitions, and a UI that knows its address."""
    code, ui = free_port(), free_port()
    with (root / "dagster_home" / "dagster.yaml").open("a") as file:
        file.write(AT_ONCE)
    (root / "workspace.yaml").write_text(
        f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {code}, location_name: shops}}}}]\n"
    )
    serve = (*command, *MODULE, "-h", "127.0.0.1", "-p", str(code))
    with ExitStack() as ui_ends, ExitStack() as code_ends:

        def start():
            code_ends.close()
            code_ends.enter_context(started(root, "dagster", *serve))

        start()
        given = ("-w", "workspace.yaml", "-p", str(ui))
        ui_ends.enter_context(started(root, "dagster-webserver", *given))
        ask = asking(ui)
        until(lambda: ask("{ version }"))
        until(lambda: Location(ask).assets())
        yield Location(ask, start if restarts else None)


@pytest.fixture(params=["dev", "code-server", "grpc"])
def location(request, shop_project):
    ways = {
        "dev": in_dev,
        "code-server": lambda root: behind(root, "code-server", "start", restarts=False),
        # Its definitions are those it began with, as on Kubernetes, where a rollout starts it anew.
        "grpc": lambda root: behind(root, "api", "grpc", restarts=True),
    }
    with ways[request.param](shop_project.root) as found:
        yield found


def test_what_changes_in_the_folder_is_there_after_a_reload(shop_project, location):
    own = ("shop/items", "shop/v1_odd_name")
    location.shows(*own)
    spec = shop_project.write("specs/other.yaml", SPEC.replace("id: shop", "id: other"))
    location.reload()
    location.shows(*own, "other/items")
    changed = spec.read_text().replace("items", "orders")
    spec.write_text(changed)
    location.reload()
    location.shows(*own, "other/orders")
    # A fault: the location stays up, the asset says where it is, and the others run.
    spec.write_text(changed.replace("primary: orders", "primary: ordrs"))
    location.reload()
    location.shows(*own, "other/invalid_spec")
    text = location.assets()["other/invalid_spec"]
    assert "other.yaml" in text
    assert "ordrs" in text
    assert location.materialize("shop", "items") == "SUCCESS"
    assert len(shop_project.rows("shop.items")) == 12
    spec.unlink()
    location.reload()
    location.shows(*own)
