"""One process that answers three routes alike (same server, edge and pool): our report, the same two rows through an
SQLModel session, and a route that does nothing. `python -m bench.report_server`, with the settings of a service."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from fastapi import APIRouter
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col, select
from starlette.applications import Starlette
from starlette.routing import Mount

from chuishao.serving import serving, until_signalled
from chuishao.wiring import make_context
from services.intake.app import service as intake
from services.intake.catalogue import catalogue
from services.intake.schemas import ReportedOut, ReportIn
from services.intake.tables import Issue
from shared.contracts.issue import IssueReported
from shared.db import clock_now
from shared.http import Caller, Ctx, Route
from shared.ids import new_id
from shared.keys import Keys
from shared.runtime import build_app
from shared.service import Context, Service
from shared.settings import Settings
from shared.telemetry import configure_logging


class Outbox(SQLModel, table=True):
    """An event that waits to be sent."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True)
    topic: str
    subject: UUID
    seq: int
    type: str
    at: datetime
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class Grid(SQLModel, table=True):
    """A grid as the directory publishes it."""

    __tablename__ = "v1_grid"
    __table_args__ = {"schema": "directory"}

    id: UUID = Field(primary_key=True)
    code: str


class Numbers:
    """Numbers of issues, counted in the process: this side need not ask for them."""

    last = 0

    @classmethod
    def next(cls) -> str:
        cls.last += 1
        return f"B{cls.last:07}"


sqlmodel_router = APIRouter(route_class=Route)
empty_router = APIRouter()


@sqlmodel_router.post("/issues", status_code=201, response_model_exclude_none=True)
async def post_issue(body: ReportIn, context: Ctx, caller: Caller) -> ReportedOut:
    """What one writes first: a session, the grid, two objects, a commit."""
    report, item = body.report(), catalogue().find(body.category)
    assert item
    assert caller.person
    async with AsyncSession(context.engine, expire_on_commit=False) as session, session.begin():
        place = (await session.execute(select(Grid.id).where(col(Grid.code) == report.place.grid))).scalar_one()
        now = await clock_now(await session.connection())
        issue = Issue(
            id=new_id(),
            number=Numbers.next(),
            category=report.category,
            text=report.text,
            place=place,
            reporter=caller.person,
            may_contact=report.may_contact,
            own=report.own,
            about_leader=report.about_leader,
            reported_at=now,
            seq=1,
        )  # type: ignore[call-arg]
        session.add(issue)
        told = IssueReported(
            number=issue.number,
            category=item.code,
            urgency=item.urgency,
            start=item.start,
            mergeable=item.mergeable,
            place=place,
            reporter=caller.person,
            own=report.own,
            about_leader=report.about_leader,
            on_behalf=False,
            entered_by=None,
        )
        data = told.model_dump(mode="json")
        session.add(Outbox(topic=told.topic, subject=issue.id, seq=1, type=told.type, at=now, data=data))
    return ReportedOut(id=issue.id, number=issue.number, track=context.keys.track_code(issue.id))


@empty_router.post("/nothing")
async def post_nothing() -> None:
    """Nothing."""


@empty_router.post("/echo", status_code=201, response_model_exclude_none=True)
async def post_echo(body: ReportIn) -> ReportIn:
    """Takes a report and gives it back."""
    return body


def _app(context: Context) -> Starlette:
    nowhere = Path("/nonexistent")
    others = {"sqlmodel": sqlmodel_router, "empty": empty_router}
    mounts = [Mount("/api/intake", build_app(context, intake))]
    mounts += [
        Mount(f"/{name}", build_app(context, Service(context.name, nowhere, router))) for name, router in others.items()
    ]
    return Starlette(routes=mounts)


async def _serve() -> None:
    settings = Settings()
    assert settings.master_key
    configure_logging(settings.log_level)
    context = make_context("intake", settings.postgres, Keys.from_hex(settings.master_key), settings, settings.kafka)
    async with serving(_app(context), settings) as http:
        print("ready", flush=True)
        await http


if __name__ == "__main__":
    uvloop.run(until_signalled(_serve()))
