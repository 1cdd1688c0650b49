"""Finds the running system that a command is about, and how a command fails."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import DatabaseAway, make_engine, service_url, transaction
from shared.embedded import EmbeddedError, running
from shared.keys import Keys
from shared.providers import providers
from shared.service import Context, Service
from shared.settings import PREFIX, Settings

DataDir = Annotated[Path, typer.Option("--data", envvar="CHUISHAO_DATA", help="数据目录 · data directory")]
Json = Annotated[bool, typer.Option("--json", help="给程序读的 JSON · JSON for programs")]

ADDRESS = Path("secrets") / "postgres.url"

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """A system as a command reaches it: the owner's database, the broker, its HTTP address, its keys."""

    postgres: str
    kafka: str
    base_url: str
    keys: Keys
    settings: Settings
    adjustable: bool
    """Whether its clock may be moved."""
    real_providers: bool = False
    """Whether messages leave the house."""

    def groups(self, services: Sequence[Service]) -> dict[str, list[str]]:
        """Consumer group -> topics, with prefix, of the services that hear anything."""
        prefix = self.settings.topic_prefix
        heard = {service.name: service.topics for service in services if service.topics}
        return {prefix + name: [prefix + topic for topic in topics] for name, topics in heard.items()}

    @asynccontextmanager
    async def service(self, name: str) -> AsyncIterator[Context]:
        """A service's surroundings, with its own rights in the database."""
        engine = make_engine(service_url(self.postgres, name, self.keys), pool=1, application="chuishao-cli")
        try:
            yield Context(name, engine, self.keys, self.settings, self.kafka)
        finally:
            await engine.dispose()


def read_settings(**given: Any) -> Settings:
    """The settings of this process, with what the command line gave; ends the command (exit code 2) if they are bad."""
    try:
        return Settings(**given)
    except ValidationError as error:
        names = ", ".join(f"{PREFIX}{str(each['loc'][0]).upper()}" for each in error.errors())
        fail(f"设置不对：{names}", f"these settings cannot be used: {names}", 2)
    except OSError as error:
        fail(f"读不了 {error.filename}（{error.strerror}）", "a file named by a setting cannot be read", 2)


def check_providers(settings: Settings) -> None:
    """Ends the command (exit code 2) when messages are to be really sent and cannot be."""
    try:
        providers(settings, Keys(bytes(32)))
    except ValueError as error:
        fail("真的发消息还缺服务商的凭据", str(error), 2)


def find(data: Path) -> Target:
    """The system running on `data`; else the one that CHUISHAO_POSTGRES and CHUISHAO_KAFKA name.

    Ends the command with exit code 1 when there is neither.
    """
    settings = read_settings(data=data)
    system = running(data)
    if system:
        keys = Keys.from_hex(settings.master_key) if settings.master_key else Keys.from_directory(data)
        base_url = str(system.facts.get("url") or settings.base_url)
        adjustable = system.facts.get("clock", settings.clock) == "adjustable"
        real = system.facts.get("providers", settings.providers) == "real"
        postgres = system.endpoints.postgres or _kept_address(data) or settings.postgres
        kafka = system.endpoints.kafka or str(system.facts.get("broker", settings.kafka))
        return Target(postgres, kafka, base_url, keys, settings, adjustable, real)
    if settings.postgres == "embedded" or settings.master_key is None:
        fail(
            f"没有找到正在运行的系统（{data}）。先运行 chuishao up --data {data}",
            "no running system found: start one with `chuishao up`, or name it with --data",
        )
    return Target(
        settings.postgres,
        settings.kafka,
        settings.base_url,
        Keys.from_hex(settings.master_key),
        settings,
        settings.clock == "adjustable",
        settings.providers == "real",
    )


def keep_address(data: Path, postgres: str) -> None:
    """Keeps the address of a database that is not ours, for the other commands; it may hold a password."""
    path = data / ADDRESS
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(0o600)
    path.write_text(postgres)


def _kept_address(data: Path) -> str | None:
    path = data / ADDRESS
    return path.read_text() if path.exists() else None


@asynccontextmanager
async def as_owner(target: Target, *, schema: str | None = None) -> AsyncIterator[AsyncConnection]:
    """One transaction as the owner, for what only an operator may do; `schema` leads its search path."""
    engine = make_engine(target.postgres, pool=1, application="chuishao-cli")
    try:
        async with transaction(engine) as conn:
            if schema:
                await conn.exec_driver_sql(f"SET LOCAL search_path = {schema}, public")
            yield conn
    finally:
        await engine.dispose()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work of a command; troubles a person can help are said in a line, exit code 1."""
    try:
        return uvloop.run(work)
    except EmbeddedError as error:
        fail(error.zh, error.en)
    except DatabaseAway:
        fail("数据库连不上，稍后再试", "the database cannot be reached, try again")
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}：读写不了（{error.strerror}）", "this file or folder cannot be used")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(zh: str, en: str, code: int = 1) -> NoReturn:
    """Says what is wrong on standard error and ends the command."""
    errors.print(f"[bold red]✗[/] {zh}\n  [dim]{en}[/]", soft_wrap=True)
    raise typer.Exit(code)
