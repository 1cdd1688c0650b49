"""`pipeline`: issues from the report to the resident's answer, through everything.

Each is reported by another resident, climbs four levels by the clock (a day is passed over four times, at ten in the
morning), is accepted and resolved by the community's desk and answered by its resident; all messages and receipts of it
are sent. Every service is a process of its own. Beside the rate it tells the processor time by service. It has no limit
of its own, and runs once: it takes minutes.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

import orjson
from sqlalchemy import Row as Found
from sqlalchemy import text

from bench.deployed import Deployed, deployed
from bench.http import load, request
from bench.row import Row
from bench.servers import KEYS, Bench
from shared.auth import Principal, issue_token
from shared.db import transaction

NAME = "pipeline"
ISSUES, QUICK = 20_000, 300
CONNECTIONS = 32
LEVELS = 4
PATIENCE = 900.0
# Units with somebody at each of the four levels below the community, so that each is climbed.
UNITS = text("""
SELECT g.code FROM directory.grid g
 WHERE g.rank = 1 AND 4 = (
       SELECT count(DISTINCT c.person) FROM directory.v1_path p JOIN directory.v1_candidate c ON c.grid = p.up
         JOIN directory.v1_reachable r ON r.person = c.person
        WHERE p.grid = g.id AND p.rank <= 4 AND c.ord = 1)
 ORDER BY md5(g.code)
""")
HELD = text("""
SELECT DISTINCT ON (c.id) c.id, c.version, p.id AS person, p.no
  FROM routing.cases c JOIN directory.v1_post s ON s.grid = c.grid AND s.kind = 'desk'
  JOIN directory.v1_person p ON p.id = s.person
 WHERE c.rank = 5 ORDER BY c.id, p.no
""")
CLOSED = text("SELECT count(*) FROM routing.cases WHERE phase = 'closed' AND closed_how = 'confirmed'")


async def measure(bench: Bench) -> Row:
    count = QUICK if bench.quick else ISSUES
    async with deployed(bench) as system:
        async with transaction(system.owner) as conn:
            units = list(islice(cycle((await conn.execute(UNITS)).scalars().all()), count))
        before, began = await system.processor(), time.perf_counter()
        async with _step(bench, "reported"):
            codes = await _reported(system, units)
            await system.settle(PATIENCE)
        for level in range(LEVELS):
            async with _step(bench, f"level {level + 1}"):
                await system.advance("1 day")
                await system.settle(PATIENCE)
        for act, more in (("accept", {}), ("resolve", {"reply": "修好了"})):
            async with _step(bench, act):
                await _acted(system, act, more)
                await system.settle(PATIENCE)
        async with _step(bench, "answer"):
            await _answered(system, codes)
            await system.settle(PATIENCE)
        seconds = time.perf_counter() - began
        spent = {name: value - before.get(name, 0.0) for name, value in (await system.processor()).items()}
        for name, value in sorted(spent.items(), key=lambda each: -each[1]):
            bench.say(f"{name:<16} {value:8.1f} s of processor time, {1000 * value / count:6.2f} ms an issue")
        async with transaction(system.owner) as conn:
            closed = (await conn.execute(CLOSED)).scalar_one()
    assert closed == count, f"{closed} of {count} came to their end"
    return Row(NAME, "issues/s", count / seconds, 1)


@asynccontextmanager
async def _step(bench: Bench, name: str) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    bench.say(f"{name}: {time.perf_counter() - began:.1f} s")


async def _reported(system: Deployed, units: Sequence[str]) -> dict[str, str]:
    """Codes by issue."""
    reports = [
        request(
            "/api/intake/issues",
            body={
                "category": "FAC.light",
                "text": f"第 {n} 盏楼道灯不亮了",
                "place": {"grid": unit},
                "phone": f"138{n:08}",
            },
            key=str(n),
        )
        for n, unit in enumerate(units)
    ]
    answers = await load(system.port("intake"), reports, CONNECTIONS, keep=True)
    told = [orjson.loads(body) for body in answers.only(201).bodies]
    return {each["id"]: each["track"] for each in told}


async def _held(system: Deployed) -> Sequence[Found[Any]]:
    async with transaction(system.owner) as conn:
        return (await conn.execute(HELD)).all()


async def _acted(system: Deployed, act: str, more: dict[str, str]) -> None:
    tokens: dict[str, str] = {}
    requests = []
    for case in await _held(system):
        if case.no not in tokens:
            tokens[case.no] = issue_token(KEYS, Principal(person=case.person, no=case.no))
        body = {"version": case.version, **more}
        requests.append(request(f"/api/routing/cases/{case.id}/{act}", body=body, token=tokens[case.no]))
    (await load(system.port("routing"), requests, CONNECTIONS)).only(200)


async def _answered(system: Deployed, codes: dict[str, str]) -> None:
    requests = [
        request(
            f"/api/routing/cases/{case.id}/answer?code={codes[str(case.id)]}",
            body={"solved": "yes", "satisfied": 5},
        )
        for case in await _held(system)
    ]
    (await load(system.port("routing"), requests, CONNECTIONS)).only(200)
