"""A small world for tests: a database of its own with the small district, every service running on real Kafka, and a
clock that moves when the test says so. It is built and looked at through public interfaces."""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import make_url, text

from chuishao.settling import Settling
from chuishao.target import Target
from chuishao.wiring import SERVICES, Parts, assembled, make_server, make_topics, put_district, put_policy
from services.directory.files import small_district
from services.directory.importing import import_workbook
from shared.auth import Principal, Role, issue_token
from shared.db import make_engine, transaction
from shared.embedded import Endpoints
from shared.embedded.kafka import free_ports
from shared.keys import Keys
from shared.migrate import migrate
from shared.settings import Settings

# Roles belong to the whole cluster, so every database of a run must derive the same passwords.
KEYS = Keys(b"tests have keys of their own ...")
C = "150902-01-01"
U1, U2, U3 = (f"{C}-L1-M1-S1-U{n}" for n in (1, 2, 3))
FORGOTTEN = (
    "notify.message",
    "notify.attempt",
    "notify.receipt",
    "notify.inbound",
    "notify.spoken",
    "sandbox.ledger",
    "sandbox.report",
    "deliberation.cases",
    "deliberation.topics",
    "deliberation.meetings",
    "deliberation.seats",
    "deliberation.bookings",
    "deliberation.tasks",
    "deliberation.history",
)
TEMPLATE = "chuishao_template"
_templated = asyncio.Lock()
_have_template = False


def database_url(endpoints: Endpoints, name: str) -> str:
    return make_url(endpoints.postgres).set(database=name).render_as_string(hide_password=False)


async def new_database(endpoints: Endpoints) -> str:
    """URL of a fresh, migrated database."""
    global _have_template
    admin = make_engine(endpoints.postgres, pool=1)
    name = f"t_{secrets.token_hex(6)}"
    try:
        async with admin.connect() as conn:
            conn = await conn.execution_options(isolation_level="AUTOCOMMIT")
            async with _templated:
                if not _have_template:
                    await conn.execute(text(f"CREATE DATABASE {TEMPLATE}"))
                    owner = make_engine(database_url(endpoints, TEMPLATE), pool=1)
                    await migrate(owner, SERVICES, KEYS)
                    await owner.dispose()
                    _have_template = True
            await conn.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    finally:
        await admin.dispose()
    url = database_url(endpoints, name)
    # The search paths of the roles lie on the database they were set for, not on its copies.
    owner = make_engine(url, pool=1)
    await migrate(owner, SERVICES, KEYS)
    await owner.dispose()
    return url


class World:
    """What a test does with the system."""

    def __init__(self, parts: Parts, target: Target, client: httpx2.AsyncClient) -> None:
        self.parts = parts
        self.target = target
        self.http = client
        self.owner = parts.owner

    # -- clock ------------------------------------------------------------------------------------------
    async def now(self) -> datetime:
        return await self.scalar("SELECT clock_now()")

    async def at(self, when: str) -> None:
        """Sets the clock to a time of Asia/Shanghai, such as `2026-11-24 10:00`, and settles."""
        await self.sql(
            "UPDATE clock_shift SET shift ="
            " CAST(CAST(:when AS text) AS timestamp) AT TIME ZONE 'Asia/Shanghai' - now()",
            when=when,
        )
        await self.settle()

    async def reset(self, when: str = "2026-11-24 10:00") -> None:
        """Forgets every issue, message and ledger entry, and sets the clock: a test starts as if it were the first.
        Time never runs backwards in front of a rule that way."""
        await self.settle()
        await self.sql(
            "TRUNCATE routing.cases, routing.hops, routing.history, routing.answers, routing.notes, intake.issue,"
            f" {', '.join(FORGOTTEN)} CASCADE"
        )
        await self.at(when)

    async def advance(self, **by: float) -> None:
        """Moves the clock forward like an outage of that length, and settles."""
        await self.sql("UPDATE clock_shift SET shift = shift + CAST(:by AS interval)", by=timedelta(**by))
        await self.settle()

    async def settle(self) -> None:
        """Until nothing is due, every event is heard and every message is out."""
        async with asyncio.timeout(60), Settling(self.target) as settling:
            while await settling.still_moving():
                await self.run_jobs()

    async def run_jobs(self) -> None:
        """The jobs of all services at once: a test need not wait for their next look."""
        for service in SERVICES:
            for job in service.jobs:
                with contextlib.suppress(OSError):
                    await job(self.parts.contexts[service.name])
        await asyncio.sleep(0.01)

    # -- database ---------------------------------------------------------------------------------------
    async def sql(self, statement: str, **values: Any) -> None:
        async with transaction(self.owner) as conn:
            await conn.execute(text(statement), values)

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with transaction(self.owner) as conn:
            return (await conn.execute(text(statement), values)).mappings().all()

    async def scalar(self, statement: str, **values: Any) -> Any:
        async with transaction(self.owner) as conn:
            return (await conn.execute(text(statement), values)).scalar_one()

    async def person(self, no: str) -> UUID:
        return UUID(str(await self.scalar("SELECT id FROM directory.v1_person WHERE no = :no", no=no)))

    async def without_grid(self, code: str) -> None:
        """Imports the small district without a grid; what lay under it hangs on its parent."""
        book = small_district()
        gone = next(grid for grid in book.grids if grid.code == code)
        grids = tuple(
            replace(grid, parent=gone.parent) if grid.parent == code else grid
            for grid in book.grids
            if grid.code != code
        )
        rest = {
            name: tuple(row for row in getattr(book, name) if row.grid != code)
            for name in ("posts", "seats", "venues", "bindings")
        }
        await import_workbook(self.owner, KEYS, replace(book, grids=grids, **rest), lambda _: None)
        await self.settle()

    # -- callers ----------------------------------------------------------------------------------------
    async def token(self, who: str) -> str:
        """For `P016`, `command`, `admin`, `auditor`, `arbiter`, `department:CODE`, or a resident's phone."""
        if who in ("command", "admin", "auditor", "arbiter"):
            role: Role = who  # type: ignore[assignment]
            return issue_token(KEYS, Principal(role=role))
        if who.startswith("P"):
            return issue_token(KEYS, Principal(person=await self.person(who), no=who))
        if who.startswith("department:"):
            code = who.partition(":")[2]
            officer = (
                await self.rows(
                    "SELECT p.id, p.no FROM directory.v1_officer o JOIN directory.v1_person p ON p.id = o.person"
                    " WHERE o.department = :code ORDER BY p.no LIMIT 1",
                    code=code,
                )
            )[0]
            return issue_token(KEYS, Principal(person=officer["id"], no=officer["no"], department=code))
        return issue_token(KEYS, Principal(person=await self.resident(who)))

    async def resident(self, phone: str) -> UUID:
        e164 = f"+86{phone}"
        key, wrapped = KEYS.new_person_key()
        sealed = KEYS.seal(key, {"name": None, "phone": e164, "openid": None, "wecom": None})
        return UUID(
            str(
                await self.scalar(
                    "SELECT vault.v1_person_by_phone(:i, :w, :s)",
                    i=KEYS.phone_index(e164),
                    w=wrapped,
                    s=sealed,
                )
            )
        )

    async def call(
        self, method: str, path: str, who: str | None = None, key: str | None = None, **more: Any
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {await self.token(who)}"} if who else {}
        if key:
            headers["Idempotency-Key"] = key
        return await self.http.request(method, path, headers=headers, **more)

    # -- the story of a case ------------------------------------------------------------------------------
    async def report(
        self,
        place: str = U1,
        category: str = "FAC.light",
        who: str | None = None,
        phone: str | None = None,
        **more: Any,
    ) -> "Issue":
        """Reports an issue; anonymous callers get a phone. Settles."""
        body: dict[str, Any] = {
            "category": category,
            "text": "楼道灯不亮了",
            "place": {"grid": place},
            **more,
        }
        if who is None:
            body["phone"] = phone or f"1380013{secrets.randbelow(10_000):04}"
        answer = await self.call("POST", "/api/intake/issues", who, json=body)
        assert answer.status_code == 201, answer.text
        await self.settle()
        return Issue(self, **answer.json())

    async def messages(self, issue: "Issue | None" = None) -> list[dict[str, Any]]:
        """Messages as notify tells them (role command), oldest first."""
        query = f"?issue={issue.id}&limit=200" if issue else "?limit=200"
        answer = await self.call("GET", f"/api/notify/messages{query}", "command")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])


class Issue:
    """A reported issue as its reporter and its handlers see it."""

    def __init__(self, world: World, id: str, number: str, track: str, **_: Any) -> None:
        self.world, self.id, self.number, self.code = world, id, number, track

    async def case(self, who: str = "command") -> dict[str, Any]:
        answer = await self.world.call("GET", f"/api/routing/cases/{self.id}", who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def track(self) -> dict[str, Any]:
        answer = await self.world.call("GET", f"/api/routing/track/{self.id}?code={self.code}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def try_act(self, act: str, who: str, **body: Any) -> httpx2.Response:
        """An act at the present version (unless one is given), without settling."""
        body.setdefault("version", (await self.case())["version"])
        key = body.pop("key", None)
        return await self.world.call("POST", f"/api/routing/cases/{self.id}/{act}", who, key=key, json=body)

    async def act(self, act: str, who: str, **body: Any) -> dict[str, Any]:
        answer = await self.try_act(act, who, **body)
        assert answer.status_code == 200, answer.text
        await self.world.settle()
        return dict(answer.json())

    async def say(self, act: str, **body: Any) -> dict[str, Any]:
        """An act of the resident by the issue's code."""
        answer = await self.try_say(act, **body)
        assert answer.status_code == 200, answer.text
        await self.world.settle()
        return dict(answer.json())

    async def try_say(self, act: str, **body: Any) -> httpx2.Response:
        return await self.world.http.post(f"/api/routing/cases/{self.id}/{act}?code={self.code}", json=body)

    async def holder(self) -> str:
        """Number of the person, or grid code of the desk, that has it now."""
        return str((await self.case())["holder"]["id"])

    async def told(self) -> list[tuple[str, str]]:
        """(reason, person) of each message that went out, oldest first; a reporter is `resident`."""
        return [
            (m["reason"], m["person"] if str(m["person"]).startswith("P") else "resident")
            for m in await self.world.messages(self)
            if m["state"] in ("sent", "delivered")
        ]


@asynccontextmanager
async def world(
    endpoints: Endpoints,
    *,
    policy: str = "default",
    district: str = "small",
    at: str | None = "2026-11-24 10:00",
) -> AsyncIterator[World]:
    """All services in this process on a database and topics of their own; by default on a working Tuesday, 10:00."""
    url = await new_database(endpoints)
    (port,) = free_ports(1)
    prefix = f"t{secrets.token_hex(4)}."
    photos = tempfile.mkdtemp(prefix="chuishao-photos-")
    settings = Settings(
        clock="adjustable",
        port=port,
        topic_prefix=prefix,
        postgres=url,
        kafka=endpoints.kafka,
        photos=photos,
        limit_caller=0,  # a test is busier than any person
        limit_phone=0,
    )
    owner = make_engine(url, pool=1)
    await put_policy(owner, policy)
    await put_district(owner, KEYS, district, lambda _: None)
    await owner.dispose()
    await make_topics(endpoints.kafka, prefix)
    names = [service.name for service in SERVICES]
    target = Target(url, endpoints.kafka, settings.base_url, KEYS, settings, True)
    async with assembled(settings, KEYS, url, endpoints.kafka, names, "all") as parts:
        server = make_server(parts.app, settings)
        serving = asyncio.create_task(server.serve())
        async with httpx2.AsyncClient(base_url=settings.base_url, timeout=20) as client:
            while not server.started:
                await asyncio.sleep(0.01)
            found = World(parts, target, client)
            await (found.at(at) if at else found.settle())
            yield found
        server.should_exit = True
        await serving
    shutil.rmtree(photos)
