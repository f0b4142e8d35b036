"""The files of examples/deploy: what Kubernetes, Helm and Dagster take, without a cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config

from connector_assets.project.settings import DEFAULTS
from tests.third_party.environments import python_environment

DEPLOY = Path(__file__).parents[1] / "examples" / "deploy"
OF_DUCKDB = {"MEMORY", "PLUGINS"}
VERSIONS = ("1.30", "1.37")
RESOURCES = [
    pytest.param(one, id=f"{file.stem}-{one['kind']}-{one['metadata']['name']}")
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for one in yaml.safe_load_all(file.read_text())
]
VALUES = yaml.safe_load((DEPLOY / "helm/values.yaml").read_text())
CHART = "DAGSTER_CHART"


def pods():
    return [one.values[0] for one in RESOURCES if one.values[0]["kind"] == "Deployment"]


def resource(kind, name):
    found = [one.values[0] for one in RESOURCES if one.values[0]["kind"] == kind]
    return next(one for one in found if one["metadata"]["name"] == name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", RESOURCES)
def test_kubernetes_takes_each_manifest(one, version):
    kubernetes_validate.validate(one, version, strict=True)


def test_a_manifest_with_a_misspelt_key_would_be_refused():
    one = json.loads(json.dumps(pods()[0]).replace('"replicas"', '"replica"'))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)


def test_the_manifests_mean_each_other():
    templates = {one["metadata"]["name"]: one["spec"]["template"] for one in pods()}
    for kind, of in (("Service", "selector"), ("Deployment", "selector")):
        for one in (each.values[0] for each in RESOURCES if each.values[0]["kind"] == kind):
            wanted = one["spec"][of]
            wanted = wanted.get("matchLabels", wanted)
            template = templates[one["metadata"]["name"]]
            assert wanted == template["metadata"]["labels"]
            named = {port["name"] for port in template["spec"]["containers"][0].get("ports", ())}
            assert {port["targetPort"] for port in one["spec"].get("ports", ())} <= named
    for template in templates.values():
        for volume in template["spec"]["volumes"]:
            assert resource("ConfigMap", volume["configMap"]["name"])
        account = template["spec"].get("serviceAccountName", "dagster")
        assert resource("ServiceAccount", account)
    instance = resource("ConfigMap", "dagster-instance")["data"]
    server = yaml.safe_load(instance["workspace.yaml"])["load_from"][0]["grpc_server"]
    assert server["port"] in [
        one["port"] for one in resource("Service", server["host"])["spec"]["ports"]
    ]
    launcher = yaml.safe_load(instance["dagster.yaml"])["run_launcher"]["config"]
    code = templates["connectors"]["spec"]["containers"][0]
    assert launcher["job_image"] == code["image"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_helm_puts_into_pods_is_what_kubernetes_takes(version):
    """The chart's two kinds of pods: the code server as its template has it, and a run."""
    (code,) = VALUES["dagster-user-deployments"]["deployments"]
    run = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    for security in (code["podSecurityContext"], run["podSpecConfig"]["securityContext"]):
        kubernetes_validate.validate(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": "run"},
                "spec": {
                    **run["jobSpecConfig"],
                    "template": {
                        "spec": {
                            "restartPolicy": "Never",
                            "securityContext": security,
                            "volumes": code["volumes"],
                            "containers": [
                                {
                                    "name": "run",
                                    "image": code["image"]["repository"],
                                    "env": code["env"],
                                    "envFrom": [{"secretRef": one} for one in code["envSecrets"]],
                                    "volumeMounts": code["volumeMounts"],
                                    "resources": code["resources"],
                                }
                            ],
                        }
                    },
                },
            },
            version,
            strict=True,
        )


OF_THE_CHART = {
    (): {
        "dagster-user-deployments",
        "runLauncher",
        "dagsterDaemon",
        "generatePostgresqlPasswordSecret",
        "postgresql",
    },
    ("runLauncher",): {"type", "config"},
    ("runLauncher", "config", "k8sRunLauncher"): {
        "imagePullPolicy",
        "jobNamespace",
        "loadInclusterConfig",
        "envConfigMaps",
        "envSecrets",
        "envVars",
        "volumeMounts",
        "volumes",
        "labels",
        "resources",
        "securityContext",
        "runK8sConfig",
    },
    ("runLauncher", "config", "k8sRunLauncher", "runK8sConfig"): {
        "containerConfig",
        "podSpecConfig",
        "podTemplateSpecMetadata",
        "jobSpecConfig",
        "jobMetadata",
    },
    ("dagster-user-deployments", "deployments", 0): {
        "name",
        "image",
        "dagsterApiGrpcArgs",
        "port",
        "includeConfigInLaunchedRuns",
        "env",
        "envConfigMaps",
        "envSecrets",
        "annotations",
        "podSecurityContext",
        "securityContext",
        "resources",
        "volumeMounts",
        "volumes",
    },
    ("dagsterDaemon", "runMonitoring"): {"enabled", "startTimeoutSeconds"},
    ("dagsterDaemon", "runRetries"): {"enabled", "maxRetries"},
    ("postgresql",): {"enabled", "postgresqlHost", "postgresqlUsername", "postgresqlDatabase"},
}
"""Keys that the chart's schema has; where it refuses others, one too many ends an install."""


@pytest.mark.parametrize("path", OF_THE_CHART, ids=lambda one: ".".join(map(str, one)) or "all")
def test_the_values_say_only_what_the_chart_knows(path):
    part = VALUES
    for key in path:
        part = part[key]
    assert part.keys() <= OF_THE_CHART[path]


@pytest.mark.parametrize("where", ["celery", "kubernetes"])
def test_dagster_takes_the_instances(where, tmp_path, monkeypatch):
    text = (DEPLOY / "celery/dagster.yaml").read_text()
    if where == "kubernetes":
        text = resource("ConfigMap", "dagster-instance")["data"]["dagster.yaml"]
    (tmp_path / "dagster.yaml").write_text(text)
    monkeypatch.setenv("DAGSTER_NAMESPACE", "data")
    monkeypatch.setenv("DAGSTER_POSTGRES", "postgresql://")
    dagster_instance_config(str(tmp_path))


def test_every_setting_in_the_files_is_one():
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    texts = [path.read_text() for path in files]
    named = set(chain.from_iterable(re.findall(r"CONNECTOR_ASSETS_([A-Z_]+)", t) for t in texts))
    assert named
    assert named - {*DEFAULTS, *OF_DUCKDB} == set()


LAUNCHER = """
import json, sys
from dagster._config import process_config
from dagster._config.field_utils import Shape
from dagster_k8s import K8sRunLauncher
done = process_config(Shape(K8sRunLauncher.config_type()), json.load(sys.stdin))
sys.exit("\\n".join(error.message for error in done.errors or []) or None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
def test_the_launcher_takes_its_config(wrong):
    """By dagster-k8s itself, which has an environment of its own."""
    instance = resource("ConfigMap", "dagster-instance")["data"]["dagster.yaml"]
    config = yaml.safe_load(instance)["run_launcher"]["config"]
    if wrong:
        config["job_nmespace"] = config.pop("job_namespace")
    python = python_environment("machines") / "python"
    done = subprocess.run(
        [python, "-W", "ignore", "-c", LAUNCHER],
        input=json.dumps(config),
        env={**os.environ, "DAGSTER_NAMESPACE": "data"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode != 0) == wrong, done.stderr
    assert not wrong or "job_nmespace" in done.stderr


A_RUN = """
import json, sys
from dagster_k8s.container_context import K8sContainerContext
launcher, code = json.load(sys.stdin)
said = K8sContainerContext.create_from_config({"k8s": {"run_k8s_config": launcher}})
merged = said.merge(K8sContainerContext.create_from_config({"k8s": code}))
print(json.dumps(merged.run_k8s_config.to_dict(), default=str))
"""


@pytest.mark.slow
def test_a_run_of_the_chart_has_what_its_steps_need():
    """As dagster-k8s puts it together; the chart hands a deployment's own part to its runs."""
    (code,) = VALUES["dagster-user-deployments"]["deployments"]
    assert code["includeConfigInLaunchedRuns"]["enabled"]
    handed = {
        "image_pull_policy": code["image"]["pullPolicy"],
        "env": code["env"],
        "env_secrets": [one["name"] for one in code["envSecrets"]],
        "volume_mounts": code["volumeMounts"],
        "volumes": code["volumes"],
        "resources": code["resources"],
    }
    said = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    named = {re.sub("([A-Z])", r"_\1", key).lower(): one for key, one in said.items()}
    python = python_environment("machines") / "python"
    command = [python, "-W", "ignore", "-c", A_RUN]
    done = subprocess.run(
        command, input=json.dumps([named, handed]), capture_output=True, text=True, check=True
    )
    run = json.loads(done.stdout)
    container = run["container_config"]
    assert container["resources"]["limits"]["memory"] == "4Gi"
    assert container["volume_mounts"] == [{"name": "staging", "mount_path": "/staging"}]
    assert {"secret_ref": {"name": "connectors"}} in container["env_from"]
    assert run["pod_spec_config"]["security_context"] == {"fs_group": 1000}
    assert run["pod_spec_config"]["volumes"][0]["name"] == "staging"


@pytest.mark.slow
def test_the_official_chart_renders_with_the_values(tmp_path):
    """Where the chart is: it is in no package. Its own schema is held by `helm template`."""
    helm = shutil.which("helm")
    if helm is None or CHART not in os.environ:
        pytest.skip(f"needs helm, and a folder or archive of Dagster's chart in {CHART}")
    command = [helm, "template", "dagster", os.environ[CHART], "-f", DEPLOY / "helm/values.yaml"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    rendered = [one for one in yaml.safe_load_all(made.stdout) if one]
    for one in rendered:
        kubernetes_validate.validate(one, VERSIONS[-1])
    assert any(one["kind"] == "Deployment" for one in rendered)
