"""One real PostgreSQL and one real Kafka for a whole test run: embedded, or containers where asked for."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from shared.embedded import Embedded, Endpoints
from shared.embedded.jars import KAFKA
from shared.embedded.kafka import free_ports

STACK = os.environ.get("CHUISHAO_TEST_STACK", "embedded")
# Beyond what the owner may do in production: tests make a database per module.
TEST_RIGHTS = "ALTER ROLE chuishao CREATEDB"


@asynccontextmanager
async def _embedded() -> AsyncIterator[Endpoints]:
    with tempfile.TemporaryDirectory(prefix="chuishao-test-", ignore_cleanup_errors=True) as folder:
        system = Embedded(Path(folder), progress=print)
        endpoints = await system.start()
        try:
            connection = await asyncpg.connect(host=f"{folder}/postgres/socket", user="postgres")
            await connection.execute(TEST_RIGHTS)
            await connection.close()
            yield endpoints
        finally:
            await system.stop()


def _require_docker() -> None:
    """Skip when no Docker engine answers; under CI=true an absent tool is a failure."""
    import docker

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent(f"no Docker engine for STACK=containers: {error}")


@asynccontextmanager
async def _containers() -> AsyncIterator[Endpoints]:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    _require_docker()
    database = PostgresContainer("postgres:18", username="postgres", driver=None)
    database.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
    # A client is sent to the advertised address, so the port outside has to be known before the start.
    (port,) = free_ports(1)
    broker = DockerContainer("apache/kafka:4.3.1").with_bind_ports(9092, port)
    for name, value in _kafka_environment(broker.get_container_host_ip(), port).items():
        broker.with_env(name, value)
    broker.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with database, broker:
        connection = await asyncpg.connect(database.get_connection_url())
        await connection.execute("CREATE ROLE chuishao LOGIN CREATEROLE")
        await connection.execute(TEST_RIGHTS)
        await connection.execute("CREATE DATABASE chuishao OWNER chuishao")
        await connection.close()
        host, outside = database.get_container_host_ip(), database.get_exposed_port(5432)
        yield Endpoints(
            postgres=f"postgresql+asyncpg://chuishao@{host}:{outside}/chuishao",
            kafka=f"{broker.get_container_host_ip()}:{port}",
        )


def _kafka_environment(host: str, port: int) -> dict[str, str]:
    """Our own server.properties, as the image of Apache Kafka takes them."""
    lines = (KAFKA / "server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    settings |= {
        "listeners": "BROKER://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"BROKER://{host}:{port},CONTROLLER://localhost:9093",
        "controller.quorum.voters": "1@localhost:9093",
    }
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def instance() -> AsyncIterator[Endpoints]:
    """The servers of this run; a test module makes its own database and topic prefix on them."""
    async with _containers() if STACK == "containers" else _embedded() as endpoints:
        yield endpoints
