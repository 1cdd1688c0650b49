"""Statements that change topics, seats and tasks, or what is known of cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH = 200

SAVE_POLICY = text(
    "INSERT INTO deliberation.policy (name, body) VALUES (:name, :body)"
    " ON CONFLICT (one) DO UPDATE SET name = excluded.name, body = excluded.body"
).bindparams(bindparam("body", type_=JSONB))
POLICY_BODY = text("SELECT body FROM policy")
# The inbox has put a case's events in order. Who is recused and did not report it is complained of.
LEARN_CASES = text("""
INSERT INTO cases (id, number, category, urgency, place, phase, reporter, complained, promised_by)
SELECT id, number, category, urgency, place, phase, reporter,
       array_remove(recused, reporter), promised_by
  FROM jsonb_to_recordset(:rows) AS r(id uuid, number text, category text, urgency text, place uuid, phase text,
       reporter uuid, recused uuid[], promised_by timestamptz)
ON CONFLICT (id) DO UPDATE SET place = excluded.place, phase = excluded.phase, reporter = excluded.reporter,
       complained = excluded.complained, promised_by = excluded.promised_by
""").bindparams(bindparam("rows", type_=JSONB))

# -- locks ------------------------------------------------------------------------------------------------
LOCK_TOPIC = text("SELECT id FROM topics WHERE id = :id FOR UPDATE")
# The case's row is locked, so that of two who propose one finds the other's topic.
LOCK_CASE = text("SELECT id FROM cases WHERE id = :id FOR UPDATE")
LOCK_UNSCREENED = text("""
SELECT id FROM topics WHERE screen_by <= public.clock_now() ORDER BY screen_by LIMIT :batch FOR UPDATE SKIP LOCKED
""")
LOCK_REMINDED = text("""
SELECT t.id FROM topics t JOIN meetings m ON m.topic = t.id
 WHERE m.remind_at <= public.clock_now() ORDER BY m.remind_at LIMIT :batch FOR UPDATE OF t SKIP LOCKED
""")
# Not those already held: what was talked about has a result, whatever became of the case.
LOCK_OF_CASES = text("""
SELECT id FROM topics WHERE case_id = ANY(:cases) AND state IN ('proposed', 'screened', 'scheduled')
 ORDER BY id FOR UPDATE
""")

# -- topics -----------------------------------------------------------------------------------------------
PROPOSE = text("""
INSERT INTO topics (case_id, community, title, called, screen_by)
VALUES (:case, :community, :title, :called, public.clock_now() + :screening) RETURNING id
""")
SET_STATE = text("""
UPDATE topics SET state = :state, ended_how = :how, screen_by = NULL, version = version + 1 WHERE id = :id
""")
TAKE_SEQ = text("UPDATE topics SET seq = seq + :count WHERE id = :id RETURNING seq - :count + 1")
NOTE = text("INSERT INTO history (topic, seq, kind, actor, text) VALUES (:topic, :seq, :kind, :actor, :text)")

# -- meetings ---------------------------------------------------------------------------------------------
REPLY = text("""
UPDATE seats SET reply = :reply, substitute = :substitute WHERE meeting = :meeting AND person = :person
""")
CHECK_IN = text("""
UPDATE seats SET present_at = coalesce(present_at, public.clock_now())
 WHERE meeting = :meeting AND :person IN (person, substitute)
""")
REMINDED = text("UPDATE meetings SET remind_at = NULL WHERE id = :id")
POSTPONED = text("UPDATE meetings SET moves_left = moves_left - 1 WHERE id = :id")
CANCEL = text("""
WITH free AS (DELETE FROM bookings WHERE meeting = :id)
UPDATE meetings SET remind_at = NULL, sequence = sequence + 1 WHERE id = :id
""")
RESULT = text("UPDATE meetings SET result = :text WHERE id = :id")
TASK = text("""
INSERT INTO tasks (meeting, text, grid, department, due)
VALUES (:meeting, :text, :grid, :department, :due) RETURNING id
""")
# When the next row is due, in seconds.
NEXT = text("""
SELECT extract(epoch FROM least((SELECT min(screen_by) FROM topics WHERE screen_by IS NOT NULL),
       (SELECT min(remind_at) FROM meetings WHERE remind_at IS NOT NULL)) - public.clock_now())::float
""")


async def save_policy(conn: AsyncConnection, name: str, body: Mapping[str, Any]) -> None:
    await conn.execute(SAVE_POLICY, {"name": name, "body": body})


async def policy_body(conn: AsyncConnection) -> Mapping[str, Any] | None:
    body: Mapping[str, Any] | None = (await conn.execute(POLICY_BODY)).scalar_one_or_none()
    return body


async def learn_cases(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Cases as their latest events tell them; one row per case."""
    await conn.execute(LEARN_CASES, {"rows": rows})


async def lock_topic(conn: AsyncConnection, id_: UUID) -> None:
    await conn.execute(LOCK_TOPIC, {"id": id_})


async def lock_case(conn: AsyncConnection, id_: UUID) -> None:
    await conn.execute(LOCK_CASE, {"id": id_})


async def lock_unscreened(conn: AsyncConnection) -> list[UUID]:
    return list((await conn.execute(LOCK_UNSCREENED, {"batch": BATCH})).scalars())


async def lock_reminded(conn: AsyncConnection) -> list[UUID]:
    return list((await conn.execute(LOCK_REMINDED, {"batch": BATCH})).scalars())


async def lock_of_cases(conn: AsyncConnection, cases: Sequence[UUID]) -> list[UUID]:
    return list((await conn.execute(LOCK_OF_CASES, {"cases": list(cases)})).scalars())


async def propose(
    conn: AsyncConnection, *, case: UUID, community: UUID, title: str, called: Sequence[str], screening: timedelta
) -> UUID:
    values = {"case": case, "community": community, "title": title, "called": list(called), "screening": screening}
    id_: UUID = (await conn.execute(PROPOSE, values)).scalar_one()
    return id_


async def set_state(conn: AsyncConnection, id_: UUID, state: str, how: str | None = None) -> None:
    """`how`: how it ended, for the states that are an end."""
    await conn.execute(SET_STATE, {"id": id_, "state": state, "how": how})


async def take_seq(conn: AsyncConnection, id_: UUID, count: int) -> int:
    """Takes `count` event numbers of a topic and gives the first."""
    return int((await conn.execute(TAKE_SEQ, {"id": id_, "count": count})).scalar_one())


async def note(conn: AsyncConnection, topic: UUID, seq: int, kind: str, actor: UUID | None, words: str | None) -> None:
    await conn.execute(NOTE, {"topic": topic, "seq": seq, "kind": kind, "actor": actor, "text": words})


async def reply(conn: AsyncConnection, meeting: UUID, person: UUID, answer: str, substitute: UUID | None) -> None:
    await conn.execute(REPLY, {"meeting": meeting, "person": person, "reply": answer, "substitute": substitute})


async def check_in(conn: AsyncConnection, meeting: UUID, person: UUID) -> bool:
    """False when the person has no seat and comes for nobody."""
    return bool((await conn.execute(CHECK_IN, {"meeting": meeting, "person": person})).rowcount)


async def reminded(conn: AsyncConnection, meeting: UUID) -> None:
    await conn.execute(REMINDED, {"id": meeting})


async def postponed(conn: AsyncConnection, meeting: UUID) -> None:
    await conn.execute(POSTPONED, {"id": meeting})


async def cancel(conn: AsyncConnection, meeting: UUID) -> None:
    await conn.execute(CANCEL, {"id": meeting})


async def put_result(conn: AsyncConnection, meeting: UUID, words: str) -> None:
    await conn.execute(RESULT, {"id": meeting, "text": words})


async def add_task(conn: AsyncConnection, meeting: UUID, task: Mapping[str, Any]) -> UUID:
    """`task`: text, grid or department, due."""
    id_: UUID = (await conn.execute(TASK, {"meeting": meeting, **task})).scalar_one()
    return id_


async def next_due(conn: AsyncConnection) -> float | None:
    """Seconds until the next row is due; negative when one is overdue."""
    seconds: float | None = (await conn.execute(NEXT)).scalar_one()
    return seconds
