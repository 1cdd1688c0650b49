"""Notify and the sandbox alone, over real HTTP, every job run by hand: what happens between two steps shows."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import text

from chuishao.wiring import Parts, assembled, make_server, put_district, put_policy
from sandbox.addresses import address_digest
from sandbox.receipts import report
from sandbox.store import Arrived, ledger
from services.notify import policies
from services.notify.commands import use_policy
from services.notify.jobs import deliver, find_out
from services.notify.telling import tell_people
from shared.auth import Principal, issue_token
from shared.contracts import Contract
from shared.contracts import case as c
from shared.db import make_engine, transaction
from shared.embedded import Endpoints
from shared.embedded.kafka import free_ports
from shared.ids import new_id
from shared.messaging.events import Event
from shared.providers import providers
from shared.service import Context
from shared.settings import Settings
from tests.world import KEYS, new_database

LEADER, SMS_ONLY = "P016", "P018"
PHONES = {"P016": "19900000016", "P018": "19900000018"}
OPENID = "oTEST0016"


class Notifying:
    """What a test does with it."""

    def __init__(self, parts: Parts, http: httpx2.AsyncClient) -> None:
        self.notify: Context = parts.contexts["notify"]
        self.sandbox: Context = parts.contexts["sandbox"]
        self.providers = providers(self.notify.settings, KEYS)
        self.owner = parts.owner
        self.http = http

    async def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        async with transaction(self.owner) as conn:
            result = await conn.execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    async def advance(self, **by: float) -> None:
        await self.rows("UPDATE public.clock_shift SET shift = shift + CAST(:by AS interval)", by=timedelta(**by))

    async def use(self, **changed: Any) -> None:
        """The default policy with some settings changed."""
        async with transaction(self.owner) as conn:
            await use_policy(conn, {**policies.named("default"), **changed})

    async def mood(self, provider: str, behaviour: str, **more: Any) -> None:
        token = issue_token(KEYS, Principal(role="admin"))
        answer = await self.http.post(
            "/sandbox/control",
            json={"provider": provider, "behaviour": behaviour, **more},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text

    async def person(self, no: str) -> UUID:
        (row,) = await self.rows("SELECT id FROM directory.v1_person WHERE no = :no", no=no)
        return UUID(str(row["id"]))

    async def assign(self, no: str, urgency: str = "ordinary") -> UUID:
        """A case that opens with this person; returns its id. Nothing is sent yet."""
        case, (grid,) = new_id(), await self.rows("SELECT id FROM directory.v1_grid WHERE rank = 1 LIMIT 1")
        place = UUID(str(grid["id"]))
        data = c.CaseOpened(
            number="20261124-00001",
            category="FAC.light",
            urgency=urgency,
            place=place,
            phase="assigned",
            level="micro",
            grid=place,
            hop=1,
            holder_kind="person",
            holder_person=await self.person(no),
            reporter=await self.person(no),
            own=False,
            policy="p",
        )
        await self.hear(case, data)
        # Only the holder's message matters here.
        await self.rows("UPDATE notify.message SET state = 'expired', next_attempt_at = NULL WHERE reason = 'received'")
        return case

    async def hear(self, subject: UUID, data: Contract, seq: int = 1) -> None:
        """An event of another service. Nothing is sent yet."""
        event = Event(data.topic, subject, seq, data.type, datetime.now(UTC), data)
        async with transaction(self.notify.engine) as conn:
            await tell_people(conn, [event])

    async def grid(self, code: str) -> UUID:
        (row,) = await self.rows("SELECT id FROM directory.v1_grid WHERE code = :code", code=code)
        return UUID(str(row["id"]))

    async def run(self, receipts: bool = True) -> None:
        """Sends, asks and reports until nothing moves."""
        for _ in range(3):
            await deliver(self.notify)
            await find_out(self.notify)
            if receipts:
                await report(self.sandbox)

    async def message(self, case: UUID) -> Mapping[str, Any]:
        (row,) = await self.rows("SELECT * FROM notify.message WHERE issue = :i AND reason = 'assigned'", i=case)
        return row

    async def attempts(self, case: UUID) -> list[tuple[str, int, str, str | None]]:
        rows = await self.rows(
            "SELECT a.channel, a.n, a.state, a.error FROM notify.attempt a JOIN notify.message m ON m.id = a.message"
            " WHERE m.issue = :i ORDER BY a.id",
            i=case,
        )
        return [(row["channel"], row["n"], row["state"], row["error"]) for row in rows]

    async def arrived(self, case: UUID) -> list[Arrived]:
        """What the sandbox accepted for this case's message."""
        message = await self.message(case)
        async with transaction(self.owner) as conn:
            return [entry for entry in await ledger(conn) if UUID(entry.out_id) == message["id"]]

    async def at_phone(self, address: str) -> list[Arrived]:
        async with transaction(self.owner) as conn:
            return await ledger(conn, [address_digest(KEYS, address)])

    async def events(self, case: UUID) -> list[tuple[str, int]]:
        rows = await self.rows("SELECT type, seq FROM notify.outbox WHERE subject = :i ORDER BY id", i=case)
        return [(row["type"].split(".")[-2], row["seq"]) for row in rows]


@asynccontextmanager
async def notifying(instance: Endpoints) -> AsyncIterator[Notifying]:
    """The small district at ten in the morning; no worker runs."""
    url = await new_database(instance)
    (port,) = free_ports(1)
    settings = Settings(clock="adjustable", port=port, postgres=url)
    owner = make_engine(url, pool=1)
    await put_policy(owner, "default")
    await put_district(owner, KEYS, "small", lambda _: None)
    async with transaction(owner) as conn:
        await conn.execute(text("UPDATE public.clock_shift SET shift = timestamptz '2026-11-24 10:00+08' - now()"))
    await owner.dispose()
    async with assembled(settings, KEYS, url, "", ["notify", "sandbox"], "api") as parts:
        server = make_server(parts.app, settings)
        serving = asyncio.create_task(server.serve())
        async with httpx2.AsyncClient(base_url=settings.base_url, timeout=20) as http:
            while not server.started:
                await asyncio.sleep(0.01)
            yield Notifying(parts, http)
        server.should_exit = True
        await serving
