"""A database as a district has it on a bad day: pending cases on the seed district's ladder, many of them due."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db import make_engine, transaction


@dataclass(frozen=True)
class Size:
    """How many cases wait, how many of them are due, and how many of those a slow side takes for its rate."""

    pending: int
    due: int
    by_row: int


FULL = Size(1_000_000, 100_000, 1_000)
QUICK = Size(50_000, 20_000, 200)

# Where a case of each micro grid lies when it started at each level: with the first who is there.
SEATS = """
CREATE TEMPORARY TABLE seat ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY md5(g.id::text || first)) - 1 AS number, g.id AS place, pick.*
  FROM directory.v1_grid g
 CROSS JOIN generate_series(1, 4) first
 CROSS JOIN LATERAL (
       SELECT p.rank, p.up AS grid, c.kind, c.person, (ARRAY['leader', 'party', 'desk'])[c.ord] AS post
         FROM directory.v1_path p JOIN directory.v1_candidate c ON c.grid = p.up
        WHERE p.grid = g.id AND p.rank >= first ORDER BY p.rank, c.ord LIMIT 1) pick
 WHERE g.rank = 1
"""
# Rows lie in the order in which cases were opened. `{at}`: when the n-th is due.
CASES = """
WITH opened AS (
    INSERT INTO routing.cases (
           id, number, category, urgency, class, policy, place, start_rank, reporter, recused, hop, rank, grid,
           holder_kind, holder_person, holder_post, accept_calendar, accept_since, accept_left, accept_term, accept_by,
           accept_remind, resolve_calendar, resolve_since, resolve_left, resolve_term, resolve_by, resolve_remind,
           opened_at, promised_by, version, seq)
    SELECT uuidv7(), 'B' || n, 'FAC.light', 'ordinary', 'ordinary', f.policy, s.place, 1, gen_random_uuid(), '{}', 1,
           s.rank, s.grid, s.kind, s.person, s.post, 'volunteer', due.at - interval '4 hours', t.accept_term,
           t.accept_term, due.at,
           CASE WHEN due.at > clock_now() + interval '1 hour' THEN due.at - interval '1 hour' END,
           'volunteer', due.at - interval '4 hours', t.resolve_term, t.resolve_term, due.at + interval '1 day',
           due.at + interval '18 hours', due.at - interval '4 hours', due.at + interval '7 days', 1, 1
      FROM generate_series(0, CAST(:count AS int) - 1) n
      JOIN seat s ON s.number = n % (SELECT count(*) FROM seat)
     CROSS JOIN routing.policy_in_force f
      JOIN routing.term t ON t.policy = f.policy AND t.class = 'ordinary' AND t.rank = 1
     CROSS JOIN LATERAL (SELECT {at} AS at) due
     ORDER BY n
    RETURNING *
),
held AS (
    INSERT INTO routing.hops (case_id, hop, rank, grid, holder_kind, holder_person, holder_post, since)
    SELECT id, hop, rank, grid, holder_kind, holder_person, holder_post, opened_at FROM opened
)
INSERT INTO routing.history (case_id, seq, at, kind, hop, rank)
SELECT id, seq, opened_at, 'opened', hop, rank FROM opened
"""
LATER = "clock_now() + interval '25 hours' + random() * interval '200 hours'"
LATE = "clock_now() - random() * interval '1 hour'"
STEADILY = "CAST(:since AS timestamptz) + n * interval '1 second' / :rate"


async def put_cases(conn: AsyncConnection, at: str, count: int, **values: Any) -> None:
    """Puts `count` cases into a database with a district (the owner's connection), due at `at`. Their first events were
    told and swept: the outbox is empty."""
    await conn.execute(text("SET LOCAL statement_timeout = 0"))
    await conn.execute(text("SET LOCAL session_replication_role = replica"))  # ten million keys need not be looked up
    await conn.execute(text(SEATS))
    await conn.execute(text(CASES.replace("{at}", at)), {"count": count, **values})


async def keep_still(conn: AsyncConnection) -> None:
    """Whether autovacuum wakes up during a run is chance, and chance may meet one side only."""
    for table in ("cases", "hops", "history", "outbox"):
        await conn.execute(text(f"ALTER TABLE routing.{table} SET (autovacuum_enabled = off)"))


async def fill(url: str, size: Size) -> None:
    """Puts pending cases into a database with a district; those that are due came first, within the last hour and in
    any order."""
    owner = make_engine(url, pool=1)
    async with transaction(owner) as conn:
        await keep_still(conn)
        await put_cases(conn, LATE, size.due)
    async with transaction(owner) as conn:
        await put_cases(conn, LATER, size.pending - size.due)
    await vacuum(owner)
    await owner.dispose()


async def vacuum(owner: AsyncEngine) -> None:
    """Everything as if it had lain there for long."""
    async with owner.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(text("SET statement_timeout = 0"))
        await conn.execute(text("VACUUM (FREEZE, ANALYZE)"))
