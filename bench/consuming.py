"""`consumer`: 100,000 events of cases into notify's messages, in batches as they come, against one a transaction.

The same consumer, handlers and records, 50,000 cases opened and then escalated; only the size of what is applied at
once differs. Records are taken from memory, since fetching them is the same for both. The other side is measured as a
rate over fewer events.
"""

import time

from sqlalchemy import text

from bench.pending import LATER, put_cases
from bench.row import Row, medians_of
from bench.servers import Bench
from services.notify.app import service as notify
from shared.db import make_engine, transaction
from shared.messaging.consumer import BATCH, Consumer
from shared.messaging.events import encode
from shared.messaging.inbox import Record

NAME = "consumer"
CASES, QUICK = 50_000, 1_000
SINGLY = 1_000
WRITTEN = text("SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM quarantine)")
TELLING = text("""
SELECT CAST(gen_random_uuid() AS text) AS event, CAST(c.id AS text) AS subject, s.seq,
       'cn.chuishao.routing.case.' || s.kind || '.v1' AS type, c.opened_at + s.seq * interval '1 hour' AS at,
       CAST(routing.facts(c) || s.more AS text) AS data,
       '00-' || md5(c.number) || '-' || left(md5('s' || c.number), 16) || '-01' AS traceparent
  FROM routing.cases c
 CROSS JOIN (
       VALUES (1, 'opened', jsonb_build_object('skipped', CAST('[]' AS jsonb))),
              (2, 'escalated', jsonb_build_object('reason', 'accept_timeout', 'from_level', 'micro', 'from_hop', 1,
                                                  'skipped', CAST('[]' AS jsonb)))
       ) s(seq, kind, more)
 ORDER BY s.seq, c.id
""")


async def measure(bench: Bench) -> Row:
    records = await _records(bench, QUICK if bench.quick else CASES)

    async def per_second(at_once: int, count: int) -> float:
        async with bench.district() as url, bench.context(url, "notify") as ctx:
            consumer = Consumer(ctx, notify)
            began = time.perf_counter()
            for at in range(0, count, at_once):
                await consumer.apply(records[at : at + at_once])
            seconds = time.perf_counter() - began
            async with transaction(ctx.engine) as conn:
                messages, aside = (await conn.execute(WRITTEN)).one()
            assert messages >= count, messages
            assert aside == 0, aside
        return count / seconds

    mine, other = await medians_of(
        bench.runs, lambda: per_second(BATCH, len(records)), lambda: per_second(1, min(SINGLY, len(records)))
    )
    return Row(NAME, "events/s", mine, bench.runs, other, at_least=10)


async def _records(bench: Bench, cases: int) -> list[Record]:
    """In the order in which they were told; every case's events come one after the other."""
    async with bench.district() as url:
        owner = make_engine(url, pool=1)
        async with transaction(owner) as conn:
            await put_cases(conn, LATER, cases)
            rows = (await conn.execute(TELLING)).mappings().all()
        await owner.dispose()
    return [Record("case", 0, n, row["subject"].encode(), encode("routing", row)) for n, row in enumerate(rows)]
