"""`deploy/helm`, rendered by Helm and checked against the schemas of Kubernetes."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chuishao.wiring import SERVICES
from shared.settings import PREFIX, Settings
from tests.system.composed import ROOT

KUBERNETES = ("1.30", "1.37")
OF_OTHERS = {"ScaledObject", "HTTPRoute"}
"""Kinds that KEDA and the Gateway API define: not in the schemas of Kubernetes."""
EVERYTHING = (
    "ingress.enabled=true",
    "ingress.tlsSecret=chuishao-tls",
    "gateway.enabled=true",
    "autoscaling.enabled=true",
    "networkPolicy.enabled=true",
    "photos.url=s3://chuishao/photos",
)
PHOTOS = ("photos.url=s3://chuishao/photos", "photos.accessKeyId=us")
SANDBOX = ("providers.mode=sandbox", "policy=demo", "district=small", "ingress.enabled=true")
Object = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("helm") or str(Path.home() / "go" / "bin" / "helm")
    if not Path(found).exists():
        wanted = os.environ.get("CI") == "true" and "CHUISHAO_WITHOUT_HELM" not in os.environ
        (pytest.fail if wanted else pytest.skip)("no helm (see deploy/helm/README.md)")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


@cache
def rendered(*settings: str) -> Sequence[Object]:
    done = helm("template", "here", str(ROOT / "deploy/helm"), *(f"--set={each}" for each in settings))
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def pods(*settings: str) -> dict[str, Object]:
    """Pod templates by the name of what makes them."""
    found = [each for each in rendered(*settings) if each["kind"] in ("Deployment", "Job")]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found}


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("settings", [(), EVERYTHING, SANDBOX], ids=["plain", "everything", "sandbox"])
def test_all_that_is_rendered_is_what_kubernetes_takes(settings: tuple[str, ...], version: str) -> None:
    for each in rendered(*settings):
        if each["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(each, version, strict=True)


def test_the_chart_passes_lint() -> None:
    done = helm("lint", "--strict", str(ROOT / "deploy/helm"))
    assert done.returncode == 0, done.stdout


def test_every_service_has_its_api_and_its_worker() -> None:
    started = {tuple(pod["containers"][0]["args"]) for pod in pods().values()}
    wanted = {("serve", s.name, "--role", role) for s in SERVICES for role in ("api", "worker") if s.name != "sandbox"}
    assert started == wanted | {("migrate",)}


def test_the_sandbox_runs_only_where_no_message_leaves_the_house() -> None:
    assert "here-sandbox-api" not in pods()
    assert "here-sandbox-api" in pods(*SANDBOX)


@pytest.mark.parametrize("settings", [(), SANDBOX, PHOTOS], ids=["real", "sandbox", "photos"])
def test_pods_get_settings_that_exist_and_secrets_as_files_only(settings: tuple[str, ...]) -> None:
    for name, pod in pods(*settings).items():
        (secrets,) = [each["projected"]["sources"] for each in pod["volumes"] if each["name"] == "secrets"]
        files = {item["path"] for each in secrets for item in each["secret"].get("items", [])}
        for variable in pod["containers"][0]["env"]:
            setting = variable["name"].removeprefix(PREFIX).removesuffix("_FILE").lower()
            assert setting in {*Settings.model_fields, "policy", "district"}, (name, variable)
            assert "secretKeyRef" not in variable.get("valueFrom", {}), (name, variable)
            if variable["name"].endswith("_FILE") and not any("items" not in each["secret"] for each in secrets):
                assert variable["value"].removeprefix("/run/secrets/") in files, (name, variable)


def test_only_migrations_own_the_database() -> None:
    owners = {name for name, pod in pods().items() if "postgres_url" in str(pod)}
    assert owners == {"here-migrate"}


def test_every_pod_is_bounded_watched_and_nobody_in_particular() -> None:
    for name, pod in pods().items():
        container = pod["containers"][0]
        assert container["resources"]["limits"]["memory"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["securityContext"]["runAsNonRoot"] is True
        if name != "here-migrate":
            assert container.keys() >= {"startupProbe", "livenessProbe", "readinessProbe"}


def test_migrations_run_before_the_new_version() -> None:
    (job,) = [each for each in rendered() if each["kind"] == "Job"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_every_route_leads_to_a_service_that_is_there() -> None:
    everything = rendered(*EVERYTHING)
    there = {each["metadata"]["name"] for each in everything if each["kind"] == "Service"}
    (ingress,) = [each for each in everything if each["kind"] == "Ingress"]
    paths = {each["path"]: each["backend"]["service"]["name"] for each in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert set(paths.values()) <= there
    assert set(paths) == {"/", *(f"/api/{s.name}/" for s in SERVICES if s.name != "sandbox")}
    (route,) = [each for each in everything if each["kind"] == "HTTPRoute"]
    assert {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]} <= there


@pytest.mark.parametrize(
    "bad", ["services.routing.worker=13", "postgres.url=postgresql+asyncpg://me:secret@db/x", "nonsense=1"]
)
def test_values_that_cannot_be_meant_are_refused(bad: str) -> None:
    done = helm("template", "here", str(ROOT / "deploy/helm"), f"--set={bad}")
    assert done.returncode != 0
    assert "values don't meet" in done.stderr
