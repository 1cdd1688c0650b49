"""The auditor: whether anything is due and has not been moved.

He is no part of the worker he looks after: another service, another login, another process where services have
processes of their own; what he reads is published for him (`v1_due`). His alarm takes neither Kafka nor anybody's
outbox, for those may be what has failed: it is a message of notify's own. When even that fails, the outside hears his
silence.
"""

import asyncio
import time
from dataclasses import dataclass

import httpx2
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from shared.db import clock_now, transaction
from shared.service import Context

log = structlog.get_logger()

LATE = 5.0
"""Seconds (of the rules' clock) after which what is due counts as overdue; the worker comes within one."""
EVERY = 4.0
"""Seconds (real time) between looks: with `LATE` less than 10."""
SURE = 10.0
"""Seconds (real time) that something has to be overdue until people are told: the largest storm is over by then."""
SAME = 600.0
"""Seconds (real time) within which trouble that comes back is still the same incident."""
PING_EVERY = 30.0
PING_SECONDS = 5.0
"""Limit (real time) of a ping."""

DUE = text("""
SELECT count(*) AS due, count(*) FILTER (WHERE at < public.clock_now() - make_interval(secs => :late)) AS overdue,
       coalesce(extract(epoch FROM public.clock_now() - min(at)), 0)::float AS oldest
  FROM (SELECT at FROM routing.v1_due UNION ALL SELECT at FROM deliberation.v1_due) waiting
 WHERE at <= public.clock_now()
""")
LOOKED = text(
    "INSERT INTO audit (overdue) VALUES (:overdue)"
    " ON CONFLICT (one) DO UPDATE SET looked_at = now(), overdue = excluded.overdue"
)
LAST = text("SELECT overdue, extract(epoch FROM now() - looked_at)::float AS age FROM audit")
OPEN = text("""
WITH again AS (
    UPDATE incident SET ended_at = NULL
     WHERE NOT EXISTS (SELECT FROM incident WHERE ended_at IS NULL)
       AND id = (SELECT id FROM incident WHERE ended_at > now() - make_interval(secs => :same)
                  ORDER BY ended_at DESC LIMIT 1)
    RETURNING id
)
INSERT INTO incident (id) SELECT uuidv7()
 WHERE NOT EXISTS (SELECT FROM incident WHERE ended_at IS NULL) AND NOT EXISTS (SELECT FROM again)
""")
TELL = text(
    "UPDATE incident SET told_at = now() WHERE ended_at IS NULL AND told_at IS NULL"
    " AND seen_at <= now() - make_interval(secs => :sure) RETURNING id"
)
# What passed before anybody was told was none.
END = text("""
WITH passed AS (DELETE FROM incident WHERE ended_at IS NULL AND told_at IS NULL)
UPDATE incident SET ended_at = now() WHERE ended_at IS NULL AND told_at IS NOT NULL
""")
DISTRICT_DESK = text("""
SELECT o.person FROM directory.v1_grid g JOIN directory.v1_post o ON o.grid = g.id AND o.kind = 'desk'
 WHERE g.rank = 7 AND g.void_at IS NULL ORDER BY o.person
""")

DUE_NOW = Gauge("chuishao_deadlines_due", "Deadlines that have passed and are not moved yet")
OVERDUE = Gauge("chuishao_deadlines_overdue", f"Those of them that passed more than {LATE:g} s ago")
OLDEST = Gauge("chuishao_deadlines_oldest_seconds", "How long ago the oldest of them passed")
RAN = Gauge("chuishao_auditor_last_run_timestamp_seconds", "When the auditor last looked")
SECONDS = Gauge("chuishao_auditor_run_seconds", "How long that took")
PINGS = Counter("chuishao_auditor_pings_total", "Pings of the configured outside URL", ["result"])
for _result in ("ok", "failed"):
    PINGS.labels(_result)


@dataclass(frozen=True)
class Look:
    """What the auditor saw: deadlines due, those overdue among them, and by how many seconds the oldest."""

    due: int
    overdue: int
    oldest: float


async def look(conn: AsyncConnection) -> Look:
    """Counts what is due now."""
    row = (await conn.execute(DUE, {"late": LATE})).one()
    return Look(row.due, row.overdue, row.oldest)


async def audit(context: Context) -> float:
    """Job: looks, says what it saw in metrics, and if something stays overdue tells the district's duty desk, once per
    incident."""
    began = time.perf_counter()
    async with transaction(context.engine) as conn:
        seen = await look(conn)
        await _note(conn, seen)
    SECONDS.set(time.perf_counter() - began)
    RAN.set_to_current_time()
    DUE_NOW.set(seen.due)
    OVERDUE.set(seen.overdue)
    OLDEST.set(seen.oldest)
    if seen.overdue:
        log.error("auditor.overdue", count=seen.overdue, seconds=round(seen.oldest, 1))
    return EVERY


async def _note(conn: AsyncConnection, seen: Look) -> None:
    await store.lock(conn, store.AUDIT_LOCK)  # several may look; one of them tells
    await conn.execute(LOOKED, {"overdue": seen.overdue})
    if not seen.overdue:
        await conn.execute(END)
        return
    await conn.execute(OPEN, {"same": SAME})
    for incident in (await conn.execute(TELL, {"sure": SURE})).scalars().all():
        log.error("auditor.alarm", incident=str(incident), count=seen.overdue)
        await _alarm(conn, str(incident), seen)


async def _alarm(conn: AsyncConnection, incident: str, seen: Look) -> None:
    persons = (await conn.execute(DISTRICT_DESK)).scalars().all()
    if not persons:
        log.error("auditor.nobody-to-tell", incident=incident)
    alarm = {
        "template": "alarm",
        "reason": "alarm",
        "params": {"due": seen.overdue, "minutes": max(1, round(seen.oldest / 60))},
        "urgent": True,
        "slot": (await clock_now(conn)).isoformat(),
    }
    rows = [{**alarm, "key": f"alarm:{incident}:{person}", "person": str(person)} for person in persons]
    await conn.execute(store.INSERT, {"rows": rows})


async def ping(context: Context) -> float:
    """Job: tells the outside that all is well, while the auditor has looked a moment ago and found nothing overdue.
    Whoever is called there raises the alarm when the call does not come."""
    url = context.settings.heartbeat_url
    if not url:
        return PING_EVERY
    async with transaction(context.engine) as conn:
        last = (await conn.execute(LAST)).one_or_none()
    if last is None or last.overdue or last.age > 3 * EVERY:
        return 1.0
    try:
        async with asyncio.timeout(PING_SECONDS), httpx2.AsyncClient(follow_redirects=True) as client:
            (await client.get(url)).raise_for_status()
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        PINGS.labels("failed").inc()
        log.warning("auditor.ping-failed", error=type(error).__name__)
    else:
        PINGS.labels("ok").inc()
    return PING_EVERY
