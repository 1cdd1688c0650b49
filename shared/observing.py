"""What every worker tells about its service every few seconds: outbox, quarantine, connections."""

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

from shared.db import transaction
from shared.service import Context, Job, Service

EVERY = 10.0
"""Seconds (real time) between looks."""

# By real time: how long events lie there has nothing to do with any rule.
LOOK = text("""
SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
       (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float
          FROM outbox WHERE published_at IS NULL) AS age,
       (SELECT count(*) FROM quarantine) AS quarantined
""")

# All workers of a service tell the same of its tables: take the largest, not the sum.
UNPUBLISHED = Gauge("chuishao_outbox_unpublished_events", "Events that wait for the broker", ["service"])
AGE = Gauge("chuishao_outbox_oldest_age_seconds", "How long the oldest of them has waited", ["service"])
QUARANTINED = Gauge("chuishao_quarantine_events", "Events that could not be handled, or wait behind one", ["service"])
IN_USE = Gauge("chuishao_database_connections_in_use", "Connections of this process's pool at work", ["service"])


def observer(service: Service) -> Job:
    """The job that looks."""

    async def observe(context: Context) -> float:
        async with transaction(context.engine) as conn:
            row = (await conn.execute(LOOK)).one()
            if service.observe:
                await service.observe(conn)
        UNPUBLISHED.labels(context.name).set(row.unpublished)
        AGE.labels(context.name).set(row.age)
        QUARANTINED.labels(context.name).set(row.quarantined)
        pool = context.engine.pool
        IN_USE.labels(context.name).set(pool.checkedout() if isinstance(pool, QueuePool) else 0)
        return EVERY

    return observe
