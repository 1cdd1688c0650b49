"""What the state machines drive: real PostgreSQL with the small district, without HTTP and without Kafka."""

import asyncio
import os
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlalchemy import text

from chuishao.wiring import put_district, put_policy
from services.routing.app import service
from shared.contracts.issue import IssueReported
from shared.db import make_engine, service_url, transaction
from shared.embedded import Endpoints
from shared.messaging.consumer import Consumer
from shared.messaging.inbox import Record
from shared.problems import Problem
from shared.service import Context
from shared.settings import Settings
from tests.model.calendar import CHINA
from tests.world import KEYS, new_database

SHRINK = bool(os.environ.get("CHUISHAO_MODEL_SHRINK"))
START = datetime(2026, 11, 24, 10, 0, tzinfo=CHINA)
NEAR = timedelta(seconds=5)


class System:
    """The database and the directory of one test run, used from synchronous rules."""

    def __init__(self, runner: asyncio.Runner, endpoints: Endpoints) -> None:
        self.run = runner.run
        url = self.run(new_database(endpoints))
        self.owner = make_engine(url, pool=2)
        self.run(put_policy(self.owner, "default"))
        self.run(put_district(self.owner, KEYS, "small", lambda _: None))
        self.routing = self._context("routing", url)
        self.directory = self._context("directory", url)
        self.deliberation = self._context("deliberation", url)
        self.consumer = Consumer(self.routing, service)
        rows = self.run(self.rows("SELECT code, id FROM directory.v1_grid"))
        self.grids: dict[str, UUID] = {row["code"]: row["id"] for row in rows}
        self.codes = {id_: code for code, id_ in self.grids.items()}
        rows = self.run(self.rows("SELECT no, id FROM directory.v1_person"))
        self.people: dict[str, UUID] = {row["no"]: row["id"] for row in rows}
        self.numbers = {id_: no for no, id_ in self.people.items()}

    def _context(self, name: str, url: str) -> Context:
        return Context(name, make_engine(service_url(url, name, KEYS), pool=3), KEYS, Settings(clock="adjustable"))

    async def rows(self, statement: str, **values: Any) -> Any:
        async with transaction(self.owner) as conn:
            return (await conn.execute(text(statement), values)).mappings().all()

    async def execute(self, statement: str, **values: Any) -> None:
        async with transaction(self.owner) as conn:
            await conn.execute(text(statement), values)

    async def forget(self) -> None:
        """Every case, whistle and topic, for the next sequence."""
        await self.execute(
            "TRUNCATE routing.cases, routing.hops, routing.history, routing.answers, routing.notes, routing.outbox,"
            " routing.idempotency, routing.seen, routing.quarantine, directory.absence,"
            " deliberation.cases, deliberation.outbox, deliberation.idempotency, deliberation.seen CASCADE"
        )

    async def close(self) -> None:
        for engine in (self.owner, self.routing.engine, self.directory.engine, self.deliberation.engine):
            await engine.dispose()


class Machine(RuleBasedStateMachine):
    """What the machines have in common: a clock that stands still between the rules, and the look afterwards."""

    system: System

    def __init__(self) -> None:
        super().__init__()
        self.run = self.system.run
        self.offset = timedelta(0)
        self.begun = False

    def set_clock(self) -> None:
        """A fixed time: the shift is set anew before each step, so a step takes no time that matters."""
        self.run(self.system.execute("UPDATE clock_shift SET shift = CAST(:at AS timestamptz) - now()", at=self.now))

    @property
    def now(self) -> datetime:
        return START + self.offset

    def deliver(self, id_: UUID, issue: IssueReported) -> None:
        body = orjson.dumps(
            {
                "type": issue.type,
                "subject": str(id_),
                "seq": 1,
                "time": "2026-11-24T02:00:00Z",
                "data": issue.model_dump(mode="json"),
            }
        )
        self.run(self.system.consumer.apply([Record("issue", 0, 0, str(id_).encode(), body)]))

    def attempt(self, work: Any) -> tuple[str, Any]:
        """(`ok` or the refusal's name, the answer)."""
        try:
            return "ok", self.run(work)
        except Problem as problem:
            return problem.type, None

    def same_time(self, real: datetime | None, model: datetime | None) -> None:
        assert (real is None) == (model is None), (real, model)
        assert real is None or model is None or abs(real - model) < NEAR, (real, model)

    def check_invariants(self, *args: Any, **kwargs: Any) -> None:
        super().check_invariants(*args, **kwargs)
        if self.begun:
            self.compare()

    def compare(self) -> None:
        raise NotImplementedError

    def teardown(self) -> None:
        self.run(self.system.forget())


def walk(machine: type[Machine], endpoints: Endpoints, sequences: int, steps: int) -> None:
    """Runs the sequences against a database of their own."""
    with asyncio.Runner() as runner:
        machine.system = System(runner, endpoints)
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=sequences,
                    stateful_step_count=steps,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                    # Shrinking takes many minutes here: only on request.
                    phases=[Phase.generate, *([Phase.shrink] if SHRINK else [])],
                    database=None,
                ),
            )
        finally:
            runner.run(machine.system.close())
