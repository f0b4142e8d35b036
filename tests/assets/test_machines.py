"""Executors that settings name, and what steps on several machines are told to share."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg
import pytest

from connector_assets import ConfigError
from connector_assets.assets.machines import elsewhere, unshared_by
from connector_assets.definitions import defs
from tests.assets.conftest import SHOP

POOL = """
import dagster as dg

@dg.executor(name="remote", config_schema={"broker": dg.StringSource},
             requirements=dg.multiple_process_executor_requirements())
def remote(init):
    return dg.in_process_executor.executor_creation_fn(init)

shared = {"mail": dg.ResourceDefinition.hardcoded_resource("mail")}
number = 7
"""
REDIS, POSTGRES = "redis://127.0.0.1/0", "postgresql://127.0.0.1/tables"
S3 = "s3://bucket/staging"


@pytest.fixture
def pool(project, monkeypatch, request):
    """A module in the project's folder, with a name of its own for each test."""
    name = f"pool_{abs(hash(request.node.nodeid))}"
    project.write(f"{name}.py", POOL)
    project.write("specs/shop.yaml", SHOP)
    monkeypatch.syspath_prepend(project.root)
    return name


@pytest.fixture
def sets(monkeypatch):
    def with_values(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"CONNECTOR_ASSETS_{name}", value)

    return with_values


def test_without_settings_steps_are_forked_here(pool):
    assert defs().executor.name == "multi_or_in_process_executor"
    assert defs() is defs()


@pytest.mark.parametrize("how", ["file", "text"])
def test_settings_name_an_executor_and_its_config(pool, project, sets, how, monkeypatch):
    text = "{broker: {env: BROKER}}"
    config = str(project.write("remote.yaml", text)) if how == "file" else text
    sets(
        EXECUTOR=f"{pool}:remote",
        EXECUTOR_CONFIG=config,
        STATE=REDIS,
        DESTINATION=POSTGRES,
        SPECS=str(Path("specs").resolve()),
    )
    made = defs()
    assert made.executor.name == "remote"
    assert made is defs()
    job = made.resolve_implicit_global_asset_job_def()
    monkeypatch.setenv("BROKER", "redis://b")
    # As it is configured, a run needs to say nothing of it.
    said = dg.validate_run_config(job, {})["execution"]
    assert said == {"remote": {"broker": "redis://b"}}


def test_a_config_that_the_executor_does_not_take_is_an_error(pool, sets):
    sets(
        EXECUTOR=f"{pool}:remote",
        EXECUTOR_CONFIG="{brokr: x}",
        STATE=REDIS,
        DESTINATION=POSTGRES,
        SPECS=str(Path("specs").resolve()),
    )
    job = defs().resolve_implicit_global_asset_job_def()
    with pytest.raises(dg.DagsterInvalidConfigError, match="brokr"):
        dg.validate_run_config(job, {})


def test_settings_name_resources(pool, sets):
    sets(RESOURCES=f"{pool}:shared")
    assert "mail" in defs().resources
    assert defs() is defs()


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("EXECUTOR", "no_such_module:x", 'module "no_such_module" is not found'),
        ("EXECUTOR", "POOL:nothing", 'has no "nothing"'),
        ("EXECUTOR", "POOL:number", "is no Dagster executor"),
        ("EXECUTOR", "POOL", "write module:name"),
        ("RESOURCES", "POOL:number", "is no mapping of names to resources"),
    ],
)
def test_a_name_of_nothing_says_what_to_do(pool, sets, setting, value, says):
    sets(**{setting: value.replace("POOL", pool)})
    with pytest.raises(ConfigError, match=f"CONNECTOR_ASSETS_{setting}: .*{says}"):
        defs()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("nowhere.yaml", "nowhere.yaml: no such file"),
        ("{broker: [", "is not YAML"),
        ("list.yaml", "is no mapping"),
    ],
)
def test_a_config_that_cannot_be_read_says_so(pool, project, sets, config, says):
    project.write("list.yaml", "[1]")
    sets(EXECUTOR=f"{pool}:remote", EXECUTOR_CONFIG=config)
    with pytest.raises(ConfigError, match=f"CONNECTOR_ASSETS_EXECUTOR_CONFIG: .*{says}"):
        defs()


def test_definitions_warn_of_what_machines_would_not_share(pool, sets):
    sets(EXECUTOR=f"{pool}:remote", EXECUTOR_CONFIG="{broker: x}")
    with pytest.warns(UserWarning, match="steps are run by") as warned:
        defs()
    told = [str(one.message) for one in warned]
    assert len(told) == 4
    assert "CONNECTOR_ASSETS_SPECS: steps are run by" in told[3]
    assert "CONNECTOR_ASSETS_STAGING: steps are run by" in told[2]
    assert 'CONNECTOR_ASSETS_STATE: steps are run by the executor "remote"' in told[0]
    assert "set it to redis://" in told[0]
    assert "CONNECTOR_ASSETS_DESTINATION" in told[1]


@pytest.mark.parametrize(
    ("executor", "state", "url", "staging", "lacks"),
    [
        (None, "folder", "duckdb:///a.duckdb", "folder", []),
        (dg.multi_or_in_process_executor, "folder", "duckdb:///a.duckdb", "folder", []),
        (dg.in_process_executor, "folder", "duckdb:///a.duckdb", "folder", []),
        ("remote", "folder", POSTGRES, S3, ["STATE"]),
        ("remote", REDIS, "duckdb:///a.duckdb", "folder", ["DESTINATION", "STAGING"]),
        ("remote", REDIS, POSTGRES, "folder", []),
    ],
)
def test_who_lacks_what(executor, state, url, staging, lacks):
    if executor == "remote":
        executor = dg.ExecutorDefinition(
            "remote", requirements=dg.multiple_process_executor_requirements()
        )
    told = unshared_by(elsewhere(executor, None), state, url, staging)
    assert [one.partition(":")[0].removeprefix("CONNECTOR_ASSETS_") for one in told] == lacks


LAUNCHER = "run_launcher: {module: %s, class: %s, config: {}}\n"


@pytest.mark.parametrize(
    ("module", "launcher", "lacks"),
    [
        ("dagster._core.launcher", "DefaultRunLauncher", []),
        ("dagster_k8s", "K8sRunLauncher", ["STATE", "DESTINATION", "STAGING", "SPECS"]),
        ("dagster_docker", "DockerRunLauncher", ["STATE", "DESTINATION", "STAGING", "SPECS"]),
        (
            "dagster_celery_k8s",
            "CeleryK8sRunLauncher",
            ["STATE", "DESTINATION", "STAGING", "SPECS"],
        ),
    ],
)
def test_definitions_warn_of_a_launcher_elsewhere(shop_project, module, launcher, lacks, tmp_path):
    """Without the package of the launcher, which the machine that only loads may not have."""
    with (tmp_path / "dagster_home" / "dagster.yaml").open("a") as file:
        file.write(LAUNCHER % (module, launcher))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert shop_project.definitions().assets
    told = [str(one.message) for one in warned if "are run by" in str(one.message)]
    assert [one.partition(":")[0].removeprefix("CONNECTOR_ASSETS_") for one in told] == lacks
    assert all(f'the launcher "{launcher}"' in one for one in told)


def test_an_instance_that_cannot_be_read_is_told_by_dagster_and_not_here(shop_project, tmp_path):
    (tmp_path / "dagster_home" / "dagster.yaml").write_text("run_launcher: {modul: x}\n")
    assert shop_project.definitions().assets


@pytest.mark.parametrize(
    ("module", "launcher", "lacks"),
    [
        ("dagster._core.launcher", "DefaultRunLauncher", 0),
        ("dagster_k8s", "K8sRunLauncher", 3),
        ("tests.nowhere", "OwnLauncher", 3),
    ],
)
def test_a_launcher_elsewhere_is_told_in_the_log_of_the_step(
    shop_project, module, launcher, lacks, tmp_path
):
    """By its name alone: a step's machine need not have what it takes to launch a run."""
    home = tmp_path / "dagster_home"
    with (home / "dagster.yaml").open("a") as file:
        file.write(LAUNCHER % (module, launcher))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job = shop_project.definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        ran = job.execute_in_process(
            asset_selection=[dg.AssetKey(["shop", "items"])], instance=instance
        )
        logged = [
            one.user_message
            for one in instance.all_logs(ran.run_id)
            if one.level == 30 and one.step_key
        ]
    assert ran.success
    assert len(logged) == lacks
    assert all(f'the launcher "{launcher}"' in one for one in logged)
