"""A district to test the directory on: a database of its own, the directory's HTTP in process, no broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.directory.app import service
from services.directory.domain.workbook import Workbook
from services.directory.files import small_district
from services.directory.importing import ImportReport, import_workbook
from shared.auth import Principal, Role, issue_token
from shared.db import make_engine, service_url, transaction
from shared.embedded import Endpoints
from shared.runtime import build_app
from shared.service import Context
from shared.settings import Settings
from tests.world import KEYS, new_database

ROLES: tuple[Role, ...] = ("command", "admin", "auditor", "arbiter")


class District:
    """What a test does with a directory."""

    def __init__(self, url: str, owner: AsyncEngine, client: httpx2.AsyncClient) -> None:
        self.url, self.owner, self.http = url, owner, client

    async def start_over(self) -> None:
        """The small district, just imported, and nothing else."""
        tables = await self.rows(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('directory', 'vault') AND tablename <> 'migration'"
        )
        await self.rows(f"TRUNCATE {', '.join(table for (table,) in tables)}")
        await self.load(small_district())

    async def load(self, workbook: Workbook) -> ImportReport:
        return await import_workbook(self.owner, KEYS, workbook, lambda _: None)

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with transaction(self.owner) as conn:
            result = await conn.execute(text(statement), values)
            return result.all() if result.returns_rows else []

    async def scalar(self, statement: str, **values: Any) -> Any:
        return (await self.rows(statement, **values))[0][0]

    async def grid(self, code: str) -> UUID:
        return UUID(str(await self.scalar("SELECT id FROM directory.v1_grid WHERE code = :code", code=code)))

    async def person(self, no: str) -> UUID:
        return UUID(str(await self.scalar("SELECT id FROM directory.v1_person WHERE no = :no", no=no)))

    async def events(self, kind: str) -> list[tuple[UUID, int, dict[str, Any]]]:
        """Subject, seq and data of the events of a type that wait to be told, oldest first."""
        rows = await self.rows(
            "SELECT subject, seq, data FROM directory.outbox WHERE type LIKE '%.' || :kind || '.v1' ORDER BY id",
            kind=kind,
        )
        return [(row.subject, row.seq, row.data) for row in rows]

    async def call(
        self, method: str, path: str, who: str | UUID | None, *, key: str | None = None, **more: Any
    ) -> httpx2.Response:
        """`who` is a role, a number of the workbook, a resident's id, or None for a caller without a token."""
        headers = {"Authorization": f"Bearer {await self._token(who)}"} if who else {}
        if key:
            headers["Idempotency-Key"] = key
        return await self.http.request(method, path, headers=headers, **more)

    async def _token(self, who: str | UUID) -> str:
        if isinstance(who, UUID):
            return issue_token(KEYS, Principal(person=who))
        for role in ROLES:
            if who == role:
                return issue_token(KEYS, Principal(role=role))
        return issue_token(KEYS, Principal(person=await self.person(who), no=who))


@asynccontextmanager
async def empty_district(endpoints: Endpoints) -> AsyncIterator[District]:
    url = await new_database(endpoints)
    owner = make_engine(url)
    engine = make_engine(service_url(url, "directory", KEYS))
    app = build_app(Context("directory", engine, KEYS, Settings(), ""), service)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://directory") as client:
        yield District(url, owner, client)
    await engine.dispose()
    await owner.dispose()
