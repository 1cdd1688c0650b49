"""Replays the record under another policy (政策试算); the rule is in `domain/replay.py`."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.domain import replay
from services.routing.domain.replay import Outcome, Pause, Running, Stay, Terms
from services.routing.domain.terms import Clock
from services.routing.governing import holidays_of
from services.routing.policy import Policy
from services.routing.store import governing as store
from shared.calendar.spans import Holidays, Natural, Open, microseconds, spans
from shared.contracts.levels import LEVEL, LEVELS
from shared.db import clock_now

RECORD = text((Path(__file__).parent / "store" / "replay.sql").read_text())
BATCH = 2000
STOPS = {"asked": False, "held": True, "suspended": True}
"""History kind -> whether the case was held, not only asked about."""
GOES_ON = ("replied", "released", "woken")
KINDS = [*STOPS, *GOES_ON, "extended"]


SIDES = ("recorded", "replayed")


@dataclass
class Tally:
    """Both sides, level by level: how stays ended, and how long they lasted together (microseconds)."""

    cases: int = 0
    changed: int = 0
    """Cases that took another course."""
    kinds: dict[str, dict[int, Counter[str]]] = field(default_factory=lambda: {side: _ranks() for side in SIDES})
    lasted: dict[str, Counter[int]] = field(default_factory=lambda: {side: Counter() for side in SIDES})

    def add(self, before: Sequence[Outcome], after: Sequence[Outcome]) -> None:
        self.cases += 1
        self.changed += [(o.rank, o.kind) for o in before] != [(o.rank, o.kind) for o in after]
        for side, outcomes in zip(SIDES, (before, after), strict=True):
            for outcome in outcomes:
                self.kinds[side][outcome.rank][outcome.kind] += 1
                self.lasted[side][outcome.rank] += outcome.lasted


def _ranks() -> dict[int, Counter[str]]:
    return defaultdict(Counter)


async def replay_policy(conn: AsyncConnection, policy: Policy, since: datetime, until: datetime) -> dict[str, Any]:
    """What would have become of the cases opened from `since` to `until` under a policy that was validated: by level,
    as it was recorded and as it would have been, how many stays there were (`stays`), the share acted upon in time
    (`share`, of those with a deadline that were not neutral; null: none), late and silent ones, and how many cases lay
    there at a time on average (`load`, over the time asked for). Changes nothing."""
    await conn.execute(store.AS_ROUTING)
    end = min(await clock_now(conn), until)
    judge = Judge(policy, await holidays_of(conn), since, microseconds(await clock_now(conn)))
    rows = await conn.stream(RECORD, {"since": since, "until": until, "kinds": KINDS})
    async for some in rows.mappings().partitions(BATCH):
        await asyncio.to_thread(judge.judge, some)
    window = max(microseconds(end) - microseconds(since), 1)
    return {
        "policy": policy.id,
        "from": since,
        "to": until,
        "cases": judge.tally.cases,
        "changed": judge.tally.changed,
        **{side: _levels(judge.tally, side, window) for side in SIDES},
    }


def _levels(tally: Tally, side: str, window: int) -> list[dict[str, Any]]:
    found = []
    for rank in range(1, len(LEVELS) + 1):
        kinds = tally.kinds[side][rank]
        judged = kinds[replay.IN_TIME] + kinds[replay.LATE] + kinds[replay.SILENT]
        found.append(
            {
                "level": LEVEL[rank],
                "stays": kinds.total(),
                **{kind: kinds[kind] for kind in replay.KINDS},
                "share": kinds[replay.IN_TIME] / judged if judged else None,
                "load": tally.lasted[side][rank] / window,
            }
        )
    return found


class Judge:
    """Follows recorded cases under a policy. `now`: how far the record reaches."""

    def __init__(self, policy: Policy, holidays: Holidays, since: datetime, now: int) -> None:
        self.tally = Tally()
        self._policy = policy
        self._now = now
        year = since.year
        self._calendars: dict[str, Natural | Open] = {
            name: Open(spans(hours.parsed(), holidays, date(year - 1, 1, 1), date(year + 5, 12, 31)))
            for name, hours in policy.calendars.items()
        }
        self._rest = policy.microseconds(policy.whistle.rest)
        self._terms: dict[str, Terms] = {}

    def judge(self, rows: Sequence[RowMapping]) -> None:
        for row in rows:
            if row["stays"]:
                stays = read_stays(row["stays"], row["marks"] or ())
                terms = self._of(self._policy.term_of(row["category"], row["urgency"]))
                self.tally.add(list(replay.recorded(stays, self._now)), list(replay.replayed(stays, terms, self._now)))

    def _of(self, class_: str) -> Terms:
        if class_ not in self._terms:
            ladder = self._policy.ladder(class_)
            clocks = {rank: (self._running(accept), self._running(resolve)) for rank, accept, resolve in ladder}
            self._terms[class_] = Terms(clocks, self._rest)
        return self._terms[class_]

    def _running(self, clock: Clock | None) -> Running | None:
        return Running(self._calendars.get(clock.calendar, NATURAL), clock.microseconds) if clock else None


NATURAL = Natural()


def read_stays(rows: Sequence[Sequence[Any]], marks: Sequence[Sequence[Any]]) -> list[Stay]:
    """A case's stays from `replay.sql`."""
    by_hop: dict[int, list[Sequence[Any]]] = {}
    for mark in marks:
        by_hop.setdefault(mark[0], []).append(mark)
    found = []
    for hop, rank, holder, since, until, ended_by, accepted in rows:
        of_hop = by_hop.get(hop, ())
        agreed = [to for _, kind, _, to in of_hop if kind == "extended"]
        found.append(
            Stay(
                rank=rank,
                holder=holder,
                since=since,
                until=until,
                ended_by=ended_by,
                accepted=accepted,
                overdue=any(kind == "supervised" for _, kind, _, _ in of_hop),
                agreed=agreed[-1] if agreed else None,
                pauses=tuple(_pauses(of_hop)) if of_hop else (),
            )
        )
    return found


def _pauses(marks: Sequence[Sequence[Any]]) -> list[Pause]:
    """Between what stopped the clocks and what let them go on; one that is held again was never let go."""
    found: list[Pause] = []
    for _, kind, at, _ in marks:
        running = not found or found[-1].until is not None
        if kind in STOPS and running:
            found.append(Pause(at, None, STOPS[kind]))
        elif kind in GOES_ON and not running:
            found[-1] = Pause(found[-1].since, at, found[-1].held)
    return found
