"""The system as it is deployed: every service a process of its own, on real Kafka and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.running import COMMAND
from bench.servers import KEYS, Bench
from chuishao.settling import Settling
from chuishao.target import Target
from chuishao.wiring import SERVICES
from shared.db import make_engine, transaction
from shared.embedded.kafka import free_ports
from shared.settings import Settings

PROVIDERS = {"sms": "alibaba", "wechat": "wechat", "wecom": "wecom"}
DAYTIME = text(
    "UPDATE clock_shift SET shift = date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai'"
    " + interval '1 day 10 hours' - now()"
)
ADVANCE = text("UPDATE clock_shift SET shift = shift + CAST(CAST(:by AS text) AS interval)")
SESSIONS = text("SELECT pid, usename FROM pg_stat_activity WHERE usename LIKE 'chuishao_%'")


@dataclass(frozen=True)
class Deployed:
    """A running system: the owner's engine, and process and port of each service."""

    owner: AsyncEngine
    target: Target
    services: dict[str, tuple[psutil.Process, int]]

    def port(self, service: str) -> int:
        return self.services[service][1]

    async def processor(self) -> dict[str, float]:
        """Seconds of processor time so far, by service: its process, and `NAME/sql` its sessions in PostgreSQL."""
        found = {name: _seconds(process) for name, (process, _) in self.services.items()}
        async with transaction(self.owner) as conn:
            rows = (await conn.execute(SESSIONS)).all()
        for pid, role in rows:
            name = role.removeprefix("chuishao_") + "/sql"
            found[name] = found.get(name, 0.0) + _seconds(psutil.Process(pid))
        return found

    async def settle(self, seconds: float) -> None:
        """Until nothing is due, every event is heard and every message is out. Raises TimeoutError."""
        async with asyncio.timeout(seconds), Settling(self.target) as settling:
            while await settling.still_moving():
                await asyncio.sleep(0.5)

    async def advance(self, by: str) -> None:
        """Moves the clock."""
        async with transaction(self.owner) as conn:
            await conn.execute(ADVANCE, {"by": by})


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@asynccontextmanager
async def deployed(bench: Bench, policy: str = "default") -> AsyncIterator[Deployed]:
    """Every service up, at ten in the morning."""
    kafka, prefix = await bench.broker()
    async with bench.district(policy) as url, AsyncExitStack() as stack:
        owner = make_engine(url, pool=1)
        stack.push_async_callback(owner.dispose)
        async with transaction(owner) as conn:
            await conn.execute(DAYTIME)
        given = {"kafka": kafka, "topic_prefix": prefix, "clock": "adjustable"}
        given |= {"limit_caller": "0", "limit_address": "0", "limit_phone": "0"}
        services: dict[str, tuple[psutil.Process, int]] = {}
        # Notify has to know where the sandbox is, and the sandbox where receipts go.
        ports = dict(zip(("notify", "sandbox"), free_ports(2), strict=True))
        sandbox = f"http://127.0.0.1:{ports['sandbox']}/sandbox"
        given |= {f"{kind}_url": f"{sandbox}/{path}" for kind, path in PROVIDERS.items()}
        given |= {"public_url": f"http://127.0.0.1:{ports['notify']}"}
        for service in SERVICES:
            command = (str(COMMAND), "serve", service.name)
            port = {"port": str(ports[service.name])} if service.name in ports else {}
            services[service.name] = await stack.enter_async_context(bench.process(url, *command, **given, **port))
        settings = Settings(topic_prefix=prefix, clock="adjustable")
        target = Target(url, kafka, "", KEYS, settings, True)
        yield Deployed(owner, target, services)
