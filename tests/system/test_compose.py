"""`docker-compose.yml`: what it promises, and the whole system started from it, each service a process of its own."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import psutil
import pytest
import pytest_asyncio
import yaml

from chuishao.wiring import SERVICES
from tests.system.composed import ROOT, Composed, Image, compose_file, free_ports, make_secrets

SPEC = compose_file({})
OURS = {name: each for name, each in SPEC["services"].items() if each["image"].startswith("chuishao")}
ONE_SHOT = {"migrate", "cli"}
BYTES = {"M": 2**20, "G": 2**30}


def test_the_file_is_what_the_compose_specification_says() -> None:
    schema = json.loads((ROOT / "tests/compose/compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def test_every_service_has_its_api_and_its_worker() -> None:
    started = {tuple(each["command"]) for each in OURS.values()}
    wanted = {("serve", s.name, "--role", role) for s in SERVICES for role in ("api", "worker") if s.name != "sandbox"}
    assert started - {("migrate",), ("doctor",)} == wanted | {("serve", "sandbox")}


@pytest.mark.parametrize("service", SPEC["services"])
def test_a_service_is_bounded_watched_and_started_again(service: str) -> None:
    spec = SPEC["services"][service]
    assert spec["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r":\d", spec["image"]), "an image needs a version"
    if service in ONE_SHOT:
        assert spec["restart"] == "no"
    else:
        assert spec["restart"] == "unless-stopped"
        assert spec["healthcheck"]["test"][0] == "CMD"


def test_no_password_stands_in_the_file() -> None:
    """Secrets are files; where a variable's name sounds like one, it names a file of /run/secrets."""
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|KEY(?!_ID)")
    for name, spec in SPEC["services"].items():
        for variable, value in spec.get("environment", {}).items():
            if secret.search(variable) or variable.endswith("_FILE"):
                assert variable.endswith("_FILE"), (name, variable)
                assert str(value).removeprefix("/run/secrets/") in spec["secrets"], (name, variable)
    assert re.search(r"//[^/\s@]+:[^/\s@]+@", (ROOT / "docker-compose.yml").read_text()) is None
    assert all(each["file"].startswith("./secrets/") for each in SPEC["secrets"].values())


def test_only_migrations_and_commands_own_the_database() -> None:
    owners = {name for name, spec in SPEC["services"].items() if "postgres_url" in spec.get("secrets", [])}
    assert owners == {"postgres", *ONE_SHOT}


def test_the_image_does_not_run_as_root_and_takes_only_what_is_locked() -> None:
    image = Image.read()
    assert image.user.split(":")[0] not in ("", "0", "root")
    text = (ROOT / "Dockerfile").read_text()
    assert text.count("pip install") == text.count("--require-hashes") + text.count("--no-deps")
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    copied = {name for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line
              for name in line.split()[1:-1]}  # fmt: skip
    assert {f"!{name.removesuffix('/')}" for name in copied} == {line for line in ignored if line.startswith("!")}


def test_the_image_holds_every_dependency_in_the_version_that_is_tested() -> None:
    def locked(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    image = locked("requirements-server.lock")
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split(r"[\[<>=; ]", each)[0] for each in wanted} <= image.keys()
    assert image.items() <= locked("requirements.lock").items()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def composed() -> AsyncIterator[Composed]:
    if shutil.which("caddy") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no caddy (apt-get install caddy)")
    await asyncio.to_thread(subprocess.run, [sys.executable, "web/build.py"], cwd=ROOT, check=True)
    (port,) = free_ports(1)
    wishes = {
        "COMPOSE_PROFILES": "demo",
        "CHUISHAO_PROVIDERS": "sandbox",
        "CHUISHAO_POLICY": "demo",
        "CHUISHAO_DISTRICT": "small",
        "CHUISHAO_SITE": f"http://127.0.0.1:{port}",
    }
    # Not pytest's own folder: the servers run under another account, and every run of pytest closes that folder to it.
    with tempfile.TemporaryDirectory(prefix="chuishao-compose-") as folder:
        async with Composed(Path(folder), wishes) as system:
            yield system


pytestmark = pytest.mark.system


async def test_services_start_in_the_order_of_what_they_need(composed: Composed) -> None:
    order = composed.order
    assert set(order[:2]) == {"postgres", "kafka"}
    assert order[2] == "migrate"
    assert order.index("proxy") > max(order.index(f"{s.name}-api") for s in SERVICES if s.name != "sandbox")
    assert composed.processes["migrate"].returncode == 0


async def test_the_story_is_played_through_the_proxy(composed: Composed) -> None:
    told = await asyncio.wait_for(composed.run("cli", "story"), 300)
    assert "用了" in told
    assert "✉ 居民的短信" in told
    assert "十二" in told


async def test_the_proxy_shows_pages_and_interfaces_and_keeps_figures_inside(composed: Composed) -> None:
    async with httpx2.AsyncClient(base_url=composed.site, trust_env=False) as http:
        page = await http.get("/report")
        assert "<!doctype html>" in page.text.lower()
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for service in SERVICES:
            mount = "/sandbox" if service.name == "sandbox" else f"/api/{service.name}"
            assert (await http.get(f"{mount}/readyz")).status_code == 200
            assert (await http.get(f"{mount}/metrics")).status_code == 404


async def test_the_doctor_finds_nothing_and_every_service_is_healthy_within_its_limits(composed: Composed) -> None:
    await composed.run("cli")
    for name, spec in composed.services.items():
        if name not in ONE_SHOT:
            assert await composed.check(name), name
        if name in composed.memory():
            limits: dict[str, Any] = spec["deploy"]["resources"]["limits"]
            most = int(limits["memory"][:-1]) * BYTES[limits["memory"][-1]]
            assert composed.memory()[name] < most / 2, name
            assert psutil.Process(composed.processes[name].pid).num_threads() < limits["pids"] / 2, name
    print({name: f"{used >> 20} MiB" for name, used in composed.memory().items()})
    assert list((composed.folder / "work").iterdir()) == [], "a container's file system is read-only"


async def test_without_the_providers_credentials_notify_refuses_to_start_and_names_them(composed: Composed) -> None:
    environment = {**composed.program("notify-api"), "CHUISHAO_PROVIDERS": "real"}
    process = await composed._spawn("refused", ["chuishao", "serve", "notify"], environment)
    assert await process.wait() == 2
    assert "SMS_ACCESS_KEY_SECRET" in composed.log("refused").read_text()


async def test_a_service_without_its_database_is_not_healthy(composed: Composed) -> None:
    (database,) = [child for child in composed._children if child.server.name == "postgres"]
    await database.stop()
    assert not await composed.check("intake-api")
    await database.start()
    async with asyncio.timeout(30):
        while not await composed.check("intake-api"):
            await asyncio.sleep(0.5)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    def make() -> dict[str, str]:
        make_secrets(tmp_path / "secrets")
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    first = make()
    assert make() == first
    assert {f"./secrets/{name}" for name in first} == {each["file"] for each in SPEC["secrets"].values()}
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
