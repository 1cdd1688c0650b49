"""`report-to-phone/p50`, `report-to-phone/p99`: from the answer 201 to the unit leader's message at the provider.

100 reports a second for a minute, each by another resident's phone, to units of different leaders, by day; every
service is a process of its own. The message has come when the sandbox has committed it to its ledger. Residents get
their message too, and all receipts are sent and heard meanwhile.
"""

from itertools import cycle, islice
from statistics import median, quantiles
from uuid import UUID

import orjson
from sqlalchemy import text

from bench.deployed import Deployed, deployed
from bench.http import request, steadily
from bench.row import Row
from bench.servers import Bench
from shared.db import transaction

P50, P99 = "report-to-phone/p50", "report-to-phone/p99"
RATE, SECONDS, QUICK = 100, 60, 5
CONNECTIONS = 64
# Units whose leader can be reached, each leader once.
UNITS = text("""
SELECT DISTINCT ON (s.person) g.code FROM directory.grid g
  JOIN directory.v1_post s ON s.grid = g.id AND s.kind = 'leader'
  JOIN directory.v1_reachable r ON r.person = s.person
 WHERE g.rank = 1 ORDER BY s.person, g.code
""")
ARRIVED = text("""
SELECT m.issue, extract(epoch FROM min(pg_xact_commit_timestamp(l.xmin)))::float AS at
  FROM notify.message m JOIN sandbox.ledger l ON l.out_id IN (m.id::text, replace(m.id::text, '-', ''))
 WHERE m.reason = 'assigned' AND m.issue = ANY(:issues) GROUP BY m.issue
""")


async def measured(bench: Bench) -> tuple[float, float]:
    """Medians of the runs' p50 and p99, in seconds. Measured once."""
    if P50 not in bench.found:
        async with deployed(bench) as system:
            async with transaction(system.owner) as conn:
                units = cycle((await conn.execute(UNITS)).scalars().all())
            await _run(bench, system, list(islice(units, RATE)), 0)  # warm
            count = RATE * (QUICK if bench.quick else SECONDS)
            runs = [await _run(bench, system, list(islice(units, count)), n + 1) for n in range(bench.runs)]
        bench.found[P50] = median(p50 for p50, _ in runs), median(p99 for _, p99 in runs)
    found: tuple[float, float] = bench.found[P50]
    return found


async def _run(bench: Bench, system: Deployed, units: list[str], run: int) -> tuple[float, float]:
    reports = [
        request(
            "/api/intake/issues",
            body={
                "category": "FAC.light",
                "text": f"第 {run} 轮第 {n} 盏楼道灯不亮了",
                "place": {"grid": unit},
                "phone": f"138{run}{n:07}",
            },
            key=f"{run}-{n}",
        )
        for n, unit in enumerate(units)
    ]
    answers = await steadily(system.port("intake"), reports, RATE, CONNECTIONS)
    assert {status for _, status, _ in answers} == {201}, answers[0]
    accepted = {UUID(orjson.loads(body)["id"]): at for at, _, body in answers}
    await system.settle(120)
    async with transaction(system.owner) as conn:
        rows = (await conn.execute(ARRIVED, {"issues": list(accepted)})).all()
    assert len(rows) == len(accepted), f"{len(rows)} messages for {len(accepted)} reports"
    waits = [row.at - accepted[row.issue] for row in rows]
    p50, p99 = median(waits), quantiles(waits, n=100)[98]
    bench.say(f"p50 {p50:.3f} s, p99 {p99:.3f} s, longest {max(waits):.3f} s")
    await system.advance("10 minutes")  # so that nothing is bundled with what was told in this run
    await system.settle(120)
    return p50, p99


async def p50(bench: Bench) -> Row:
    return Row(P50, "s", (await measured(bench))[0], bench.runs, at_most=0.3)


async def p99(bench: Bench) -> Row:
    return Row(P99, "s", (await measured(bench))[1], bench.runs, at_most=1.5)


ROWS = {P50: p50, P99: p99}
