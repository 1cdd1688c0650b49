"""What must be true of a system that has come to rest, whatever was done to it. Each query finds what must not be;
its name says what that would be."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from itertools import product
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chuishao.target import Target, as_owner
from chuishao.wiring import SERVICES
from services.notify.auditing import look
from shared.messaging.events import Event, decode
from tests.system.residents import Remembered

NAMES = [service.name for service in SERVICES]
MUST_BE_EMPTY: Mapping[str, str] = {
    # -- issues and cases -----------------------------------------------------------------------------------
    "an issue without a case": """
        SELECT i.id FROM intake.issue i LEFT JOIN routing.cases c ON c.id = i.id WHERE c.id IS NULL""",
    "a case that neither ended nor is supervised at community or above": """
        SELECT id, rank, phase, next_at FROM routing.cases WHERE phase <> 'closed'
           AND (supervised_at IS NULL OR next_at IS NOT NULL OR rank < 5 AND promise_listed IS NOT TRUE)""",
    # -- the climb ------------------------------------------------------------------------------------------
    "hops that are not 1 … n": """
        SELECT c.id FROM routing.cases c JOIN routing.hops h ON h.case_id = c.id
         GROUP BY c.id, c.hop HAVING count(*) <> c.hop OR max(h.hop) <> c.hop""",
    "a hop left without an end, or ended without being left": """
        SELECT h.case_id, h.hop FROM routing.hops h JOIN routing.cases c ON c.id = h.case_id
         WHERE h.skipped IS NULL AND (h.until IS NULL) <> (h.ended_by IS NULL)
            OR h.skipped IS NULL AND (h.until IS NULL) <> (h.hop = c.hop AND c.phase IN ('assigned', 'accepted'))
            OR h.skipped IS NOT NULL AND (h.ended_by IS NOT NULL OR h.since <> h.until)""",
    "a hop that two moves left": """
        SELECT subject, data->>'from_hop' FROM routing.outbox WHERE (data->>'from_hop')::int > 0
         GROUP BY 1, 2 HAVING count(*) > 1""",
    "a hop that began before the last one ended": """
        SELECT h.case_id, h.hop FROM routing.hops h JOIN routing.hops b ON b.case_id = h.case_id AND b.hop = h.hop - 1
         WHERE h.since < b.until OR b.until IS NULL
            OR h.since > b.until AND coalesce(b.ended_by, '') <> 'resolved'""",
    "moved by the clock before the term was over": """
        SELECT h.case_id, h.hop, h.until - h.since AS after FROM routing.hops h
          JOIN routing.cases c ON c.id = h.case_id
          JOIN routing.term t ON t.policy = c.policy AND t.class = c.class AND t.rank = h.rank
         WHERE h.ended_by = 'accept_timeout' AND h.until < h.since + t.accept_term * interval '1 microsecond'
            OR h.ended_by = 'resolve_timeout' AND h.until < h.since + t.resolve_term * interval '1 microsecond'""",
    "supervised before the term was over": """
        SELECT h.case_id, h.hop FROM routing.history s
          JOIN routing.hops h ON h.case_id = s.case_id AND h.hop = s.hop
          JOIN routing.cases c ON c.id = h.case_id
          JOIN routing.term t ON t.policy = c.policy AND t.class = c.class AND t.rank = h.rank
         WHERE s.kind = 'supervised' AND s.detail->>'why' = 'timeout'
           AND s.at < h.since + least(t.accept_term, t.resolve_term) * interval '1 microsecond'""",
    # -- history and events ---------------------------------------------------------------------------------
    "history that is not 1 … n": """
        SELECT c.id FROM routing.cases c LEFT JOIN routing.history y ON y.case_id = c.id
         GROUP BY c.id, c.seq HAVING count(y.seq) <> c.seq OR max(y.seq) <> c.seq""",
    "a history row without its event, or the other way": """
        SELECT coalesce(y.case_id, o.subject), coalesce(y.seq, o.seq) FROM routing.history y
          FULL JOIN (SELECT * FROM routing.outbox WHERE topic = 'case') o ON o.subject = y.case_id AND o.seq = y.seq
         WHERE y.seq IS NULL OR o.seq IS NULL OR o.type <> 'cn.chuishao.routing.case.' || y.kind || '.v1'""",
    **{
        f"an event of {name}'s that was never told": f"SELECT topic, subject, seq FROM {name}.outbox"
        " WHERE published_at IS NULL"
        for name in NAMES
    },
    **{
        f"an event of {teller}'s that {hearer.name} has not heard ({topic})": f"""
            SELECT o.subject, max(o.seq), s.seq FROM {teller}.outbox o
              LEFT JOIN {hearer.name}.seen s ON s.topic = o.topic AND s.subject = o.subject
             WHERE o.topic = '{topic}' GROUP BY o.subject, s.seq HAVING s.seq IS DISTINCT FROM max(o.seq)"""
        for teller, hearer in product(NAMES, SERVICES)
        for topic in hearer.topics
    },
    **{f"something in the quarantine of {name}": f"SELECT reason FROM {name}.quarantine" for name in NAMES},
    # -- messages -------------------------------------------------------------------------------------------
    "a message that reached a telephone twice by one channel": """
        SELECT m.key, l.channel, count(*) FROM sandbox.ledger l JOIN notify.message m ON m.id = l.out_id::uuid
         GROUP BY 1, 2 HAVING count(*) > 1""",
    "something at a telephone that is no message": """
        SELECT l.id FROM sandbox.ledger l LEFT JOIN notify.message m ON m.id = l.out_id::uuid WHERE m.id IS NULL""",
    "a holder who was not told": """
        SELECT h.case_id, h.hop, who.person, m.state FROM routing.hops h
          JOIN LATERAL (SELECT h.holder_person AS person WHERE h.holder_kind = 'person' UNION
                 SELECT d.person FROM directory.v1_post d
                  WHERE h.holder_kind = 'desk' AND d.grid = h.grid AND d.kind = 'desk') who ON true
          LEFT JOIN notify.message m
            ON m.key = 'assigned:' || h.case_id || '.' || h.hop || ':' || who.person AND m.person = who.person
         WHERE m.state IS DISTINCT FROM 'delivered'""",
    "a resident who was not told that it was received": """
        SELECT c.id FROM routing.cases c LEFT JOIN notify.message m ON m.key = 'received:' || c.id || ':1'
         WHERE m.state IS DISTINCT FROM 'delivered'""",
    # A reminder is dropped when it is over; of an emergency those are to be told as well whom nothing reaches.
    "a message without an end": """
        SELECT key, state FROM notify.message m
         WHERE state <> 'delivered' AND NOT (state = 'expired' AND reason = 'reminder')
           AND (state <> 'failed' OR EXISTS (SELECT FROM directory.v1_reachable r WHERE r.person = m.person))""",
    "delivered, and no telephone knows of it": """
        SELECT m.key FROM notify.message m WHERE m.state = 'delivered'
           AND NOT EXISTS (SELECT FROM sandbox.ledger l WHERE l.out_id::uuid = m.id AND l.state = 'delivered')""",
    "an attempt without an end": "SELECT id, state FROM notify.attempt WHERE state IN ('sending', 'unknown')",
}


async def faults(target: Target, remembered: Remembered, *, rebuilt: bool = False) -> dict[str, list[Any]]:
    """Everything that is not as it must be; empty when all is well. `rebuilt`: Kafka lost its disk meanwhile."""
    async with as_owner(target, schema="routing") as conn:
        found = {name: await _rows(conn, statement) for name, statement in MUST_BE_EMPTY.items()}
        found["due and not moved, says the auditor"] = await _overdue(conn)
        found["an acknowledged report that is lost, or one too many"] = await _reports(conn, remembered)
        found["an acknowledged act that is lost, or one too many"] = await _acts(conn, remembered)
    found["an event that Kafka holds out of order, or not at all"] = await _told(target, rebuilt=rebuilt)
    return {name: rows[:5] for name, rows in found.items() if rows}


async def _rows(conn: AsyncConnection, statement: str) -> list[Any]:
    return [tuple(map(str, row)) for row in await conn.exec_driver_sql(statement)]


async def _overdue(conn: AsyncConnection) -> list[Any]:
    seen = await look(conn)
    return [seen] if seen.overdue else []


async def _reports(conn: AsyncConnection, remembered: Remembered) -> list[Any]:
    stored = set((await conn.execute(text("SELECT id FROM intake.issue"))).scalars())
    return sorted(map(str, stored ^ set(remembered.issues)))


async def _acts(conn: AsyncConnection, remembered: Remembered) -> list[Any]:
    """Every row that a person left in a history belongs to one acknowledged act: clients asked until they knew."""
    rows = await conn.execute(text("SELECT case_id, kind FROM routing.history WHERE actor IS NOT NULL"))
    stored = Counter((UUID(str(row.case_id)), str(row.kind)) for row in rows)
    lost, invented = remembered.acts - stored, stored - remembered.acts
    return [f"lost {act}" for act in lost] + [f"not acknowledged {act}" for act in invented]


async def _told(target: Target, *, rebuilt: bool) -> list[Any]:
    """The events of cases as they lie in Kafka: per case all of them, and (unless it was rebuilt) in order. A
    repetition is no fault."""
    async with as_owner(target) as conn:
        ends = {UUID(str(row.id)): row.seq for row in await conn.execute(text("SELECT id, seq FROM routing.cases"))}
    heard: dict[UUID, list[int]] = {case: [] for case in ends}
    async for event in _events(target, "case"):
        if event.seq not in heard[event.subject]:
            heard[event.subject].append(event.seq)
    if rebuilt:
        heard = {case: sorted(seqs) for case, seqs in heard.items()}
    return [f"{case}: {heard[case]}" for case, last in ends.items() if heard[case] != list(range(1, last + 1))]


async def _events(target: Target, topic: str) -> AsyncIterator[Event]:
    """Everything that lies in a topic now."""
    name = target.settings.topic_prefix + topic
    async with AIOKafkaConsumer(bootstrap_servers=target.kafka) as consumer:
        await consumer._client.add_topic(name)
        parts = [TopicPartition(name, part) for part in consumer.partitions_for_topic(name) or ()]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        last = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < last[part] for part in parts]):
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                for message in messages:
                    yield decode(topic, message.value or b"")
