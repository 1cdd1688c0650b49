"""The embedded system: real PostgreSQL 18 and real Apache Kafka without Docker, Java or root."""

from shared.embedded.errors import DirectoryInUse, EmbeddedError, JarRefused, PortTaken, StartFailed
from shared.embedded.system import Embedded, Endpoints, System, check_port, running

__all__ = [
    "DirectoryInUse",
    "Embedded",
    "EmbeddedError",
    "Endpoints",
    "JarRefused",
    "PortTaken",
    "StartFailed",
    "System",
    "check_port",
    "running",
]
