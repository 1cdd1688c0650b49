"""`deadlines/row-by-row`: our escalation against the same work done case by case through an ORM.

The other side is what one writes first: sessions, objects, a transaction per case, a question per level. It looks up
the same published views, writes the same rows, and asks the same function for deadlines. Whatever can be known ahead
(terms, the policy) it reads once. Measured as a rate over fewer cases.
"""

import time
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import MetaData, Table, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import registry

from bench.deadlines_bare import ours_per_second
from bench.row import Row, medians_of
from bench.servers import Bench
from services.routing.domain.ladder import COMMUNITY
from shared.contracts.levels import LEVEL

NAME = "deadlines/row-by-row"
POSTS = {1: "leader", 2: "party", 3: "desk"}
TABLES = ("cases", "hops", "history", "outbox", "term")
FACTS = (
    *("number", "category", "urgency", "place", "phase", "on_hold", "grid", "hop", "holder_kind", "holder_person"),
    *("reporter", "own", "recused", "accept_by", "resolve_by", "promised_by", "policy"),
)
VIEWS = ("v1_path", "v1_candidate", "v1_absence", "v1_reachable")


class Model:
    """The tables as classes and the views as tables, read from the database."""

    def __init__(self, metadata: MetaData) -> None:
        mapper = registry()
        for name in TABLES:
            cls = type(name, (), {})
            mapper.map_imperatively(cls, metadata.tables[name])
            setattr(self, name, cls)
        for name in VIEWS:
            setattr(self, name, metadata.tables[f"directory.{name}"].c)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    @classmethod
    async def reflected(cls, engine: AsyncEngine) -> "Model":
        metadata = MetaData()

        def read(connection: Any) -> None:
            for name in TABLES:
                Table(name, metadata, autoload_with=connection)
            for name in VIEWS:
                Table(name, metadata, schema="directory", autoload_with=connection)

        async with engine.connect() as conn:
            await conn.run_sync(read)
        return cls(metadata)


class RowByRow:
    """Escalates one case after the other."""

    def __init__(self, engine: AsyncEngine, model: Model) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)
        self._model = model
        self._terms: dict[tuple[str, str, int], Any] = {}

    async def due(self, count: int) -> list[UUID]:
        """Ids of cases whose accept-by or resolve-by has passed."""
        cases = self._model.cases
        now = func.clock_now()
        wanted = select(cases.id).where(cases.next_at <= now, or_(cases.accept_by <= now, cases.resolve_by <= now))
        async with self._session() as session:
            for term in await session.scalars(select(self._model.term)):
                self._terms[term.policy, term.__dict__["class"], term.rank] = term
            return list(await session.scalars(wanted.order_by(cases.next_at).limit(count)))

    async def escalate(self, id_: UUID) -> None:
        """One level up, in a transaction of its own."""
        async with self._session.begin() as session:
            case = await session.get_one(self._model.cases, id_, with_for_update=True)
            now: datetime = (await session.execute(select(func.clock_now()))).scalar_one()
            why = "accept_timeout" if case.accept_by and case.accept_by <= now else "resolve_timeout"
            skipped: list[tuple[int, UUID, str]] = []
            for rank, grid in await self._levels(session, case):
                post, person, reason = await self._seat(session, case, grid, now)
                if post:
                    await self._move(session, case, now, why, (rank, grid, post, person), skipped)
                    return
                skipped.append((rank, grid, reason))
            self._supervise(session, case, now, why)

    async def _levels(self, session: AsyncSession, case: Any) -> list[tuple[int, UUID]]:
        path = self._model.v1_path
        inside = (path.grid == case.place, path.rank > case.rank, path.rank <= COMMUNITY)
        rows = await session.execute(select(path.rank, path.up).where(*inside).order_by(path.rank))
        return [(row.rank, row.up) for row in rows]

    async def _seat(self, session: AsyncSession, case: Any, grid: UUID, now: datetime) -> tuple[Any, Any, str]:
        """Post and person of the first who fits at a grid, or the reason why nobody does."""
        candidate, reason = self._model.v1_candidate, ""
        found = select(candidate.ord, candidate.kind, candidate.person).where(candidate.grid == grid)
        for row in await session.execute(found.order_by(candidate.ord)):
            if row.kind == "desk":
                return "desk", None, ""
            why = await self._unfit(session, case, row.person, now)
            if not why:
                return POSTS[row.ord], row.person, ""
            reason = reason or why
        return None, None, reason or "vacant"

    async def _unfit(self, session: AsyncSession, case: Any, person: UUID, now: datetime) -> str:
        absence, reachable = self._model.v1_absence, self._model.v1_reachable
        away = select(absence.person).where(absence.person == person, absence.since <= now, absence.until > now)
        if await session.scalar(away):
            return "absent"
        if not await session.scalar(select(reachable.person).where(reachable.person == person)):
            return "unreachable"
        if person in case.recused:
            return "recused"
        return "same_person" if person in (*case.passed, case.holder_person) else ""

    async def _move(
        self, session: AsyncSession, case: Any, now: datetime, why: str, seat: tuple[Any, ...], skipped: list[Any]
    ) -> None:
        model, (rank, grid, post, person) = self._model, seat
        from_hop, from_rank = case.hop, case.rank
        old = await session.get_one(model.hops, (case.id, case.hop))
        old.until, old.ended_by = now, why
        if case.holder_person:
            case.passed = [*case.passed, case.holder_person]
            case.passed_rank = [*case.passed_rank, case.rank]
        for level, up, reason in skipped:
            case.hop += 1
            session.add(
                _row(
                    model.hops, case_id=case.id, hop=case.hop, rank=level, grid=up, since=now, until=now, skipped=reason
                )
            )
        case.hop += 1
        case.seq += 1
        case.version += 1
        case.phase, case.rank, case.grid, case.accepted_at = "assigned", rank, grid, None
        case.holder_kind, case.holder_person = "person" if person else "desk", person
        case.holder_post = post
        await self._set_clocks(session, case, now)
        session.add(
            _row(
                model.hops,
                case_id=case.id,
                hop=case.hop,
                rank=rank,
                grid=grid,
                since=now,
                holder_kind=case.holder_kind,
                holder_person=person,
                holder_post=post,
            )
        )
        detail = {"reason": why, "from_rank": from_rank, "skipped": len(skipped)}
        extra = {
            "reason": why,
            "from_level": LEVEL[from_rank],
            "from_hop": from_hop,
            "by": None,
            "count": None,
            "skipped": [
                {"hop": from_hop + n, "level": LEVEL[level], "grid": str(up), "reason": reason, "person": None}
                for n, (level, up, reason) in enumerate(skipped, 1)
            ],
        }
        self._tell(session, case, now, "escalated", detail, extra)

    async def _set_clocks(self, session: AsyncSession, case: Any, now: datetime) -> None:
        term = self._terms[case.policy, case.__dict__["class"], case.rank]
        for name in ("accept", "resolve"):
            calendar, length = getattr(term, f"{name}_calendar"), getattr(term, f"{name}_term")
            by, remind = (
                await session.execute(
                    select(func.due(calendar, now, length), func.due(calendar, now, length - length // 4))
                )
            ).one()
            for field, value in (
                ("calendar", calendar),
                ("since", now),
                ("left", length),
                ("term", length),
                ("by", by),
                ("remind", remind),
            ):
                setattr(case, f"{name}_{field}", value)

    def _supervise(self, session: AsyncSession, case: Any, now: datetime, why: str) -> None:
        case.seq += 1
        case.accept_by = case.accept_remind = case.resolve_by = case.resolve_remind = None
        case.accept_left = case.resolve_left = None
        case.supervised_at, case.supervised_why = case.supervised_at or now, case.supervised_why or "timeout"
        self._tell(session, case, now, "supervised", {"why": "timeout", "reason": why}, {"why": "timeout"})

    def _tell(
        self, session: AsyncSession, case: Any, now: datetime, kind: str, detail: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        model = self._model
        session.add(
            _row(
                model.history,
                case_id=case.id,
                seq=case.seq,
                at=now,
                kind=kind,
                hop=case.hop,
                rank=case.rank,
                detail=detail,
            )
        )
        session.add(
            _row(
                model.outbox,
                topic="case",
                subject=case.id,
                seq=case.seq,
                at=now,
                type=f"cn.chuishao.routing.case.{kind}.v1",
                data=_facts(case) | extra,
            )
        )


def _row(cls: type, **values: Any) -> Any:
    row = cls()
    for name, value in values.items():
        setattr(row, name, value)
    return row


def _facts(case: Any) -> dict[str, Any]:
    """What every event of a case carries."""
    return {"level": LEVEL[case.rank], **{name: _plain(getattr(case, name)) for name in FACTS}}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, UUID) else value


async def row_by_row_per_second(bench: Bench) -> float:
    """Cases a second that one worker moves, one after the other."""
    async with bench.pending_cases() as ctx:
        other = RowByRow(ctx.engine, await Model.reflected(ctx.engine))
        due = await other.due(bench.size.by_row)
        began = time.perf_counter()
        for id_ in due:
            await other.escalate(id_)
        seconds = time.perf_counter() - began
    return len(due) / seconds


async def measure(bench: Bench) -> Row:
    ours, baseline = await medians_of(bench.runs, lambda: ours_per_second(bench), lambda: row_by_row_per_second(bench))
    return Row(NAME, "cases/s", ours, bench.runs, baseline, at_least=20)
