"""What an administrator decides: which policy is in force, the calendars its clocks run on, maintenance. Each decision
is kept with who took it and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import yaml
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import whistle_days
from services.routing.domain.terms import WORKDAY
from services.routing.policy import Policy, parse_text
from services.routing.store import governing as store
from services.routing.store import reading, writing
from shared.calendar.spans import Holidays, Hours, load_holidays
from shared.calendar.store import save_calendars
from shared.db import LADDER_EXCLUSIVE

BATCH = 2000


@dataclass(frozen=True)
class Decision:
    """Who decides, and why: a role or a number of the workbook, and words for those who look it up later."""

    by: str = "operator"
    reason: str = "chuishao up"


@dataclass(frozen=True)
class Year:
    """Holidays of a year as they were published: days off, and weekends that are worked (调休)."""

    year: int
    holidays: Sequence[date] = field(default_factory=list)
    workdays: Sequence[date] = field(default_factory=list)


# -- policies -------------------------------------------------------------------------------------------------
async def save_policy(conn: AsyncConnection, source: str, decision: Decision) -> Policy:
    """Saves a policy from its YAML and puts it in force. Raises BadPolicy, then nothing is changed."""
    policy = parse_text(source)
    await use_policy(conn, policy, source=source, decision=decision)
    return policy


async def use_policy(
    conn: AsyncConnection,
    policy: Policy,
    holidays: Holidays | None = None,
    *,
    source: str | None = None,
    decision: Decision = Decision(),
) -> None:
    """Saves a policy that was validated, with its calendars, and puts it in force for new cases; open cases keep
    theirs. The connection is the owner's or routing's."""
    await _begin(conn)
    night = policy.night
    await conn.execute(
        store.SAVE_POLICY,
        {
            "id": policy.id,
            "name": policy.name,
            "body": policy.body(),
            "night_urgencies": night.urgencies if night else [],
            "night_from": night.start if night else None,
            "night_until": night.until if night else None,
            "source": source,
        },
    )
    calendars = await _calendars_of(conn, policy)
    await conn.execute(store.SAVE_TERMS, list(_terms(policy, calendars)))
    hours = {id_: policy.calendars[name].parsed() for name, id_ in calendars.items()}
    await use_calendars(conn, hours, holidays)
    before = (await conn.execute(store.IN_FORCE)).scalar_one_or_none()
    await conn.execute(store.PUT_IN_FORCE, {"id": policy.id})
    if decision != Decision() or before != policy.id:  # a start with the policy it had decides nothing
        await _decide(conn, decision, "policy", policy=policy.id)


async def _calendars_of(conn: AsyncConnection, policy: Policy) -> dict[str, str]:
    """Under which id each calendar of a policy is kept: other hours are another calendar, so that no open case is
    moved by a policy that is not its own."""
    known = {row.id: (row.hours, row.days) for row in await conn.execute(store.CALENDARS)}
    found = {}
    for name, calendar in policy.calendars.items():
        like = (calendar.hours, calendar.days)
        found[name] = name if known.get(name, like) == like else f"{name}@{calendar.hours}/{calendar.days}"
        await conn.execute(store.ADD_CALENDAR, {"id": found[name], "hours": calendar.hours, "days": calendar.days})
    return found


def _terms(policy: Policy, calendars: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    """A policy's terms, flat."""
    return [
        {
            "policy": policy.id,
            "class": class_,
            "rank": rank,
            "accept_calendar": calendars.get(accept.calendar, accept.calendar) if accept else None,
            "accept_term": accept.microseconds if accept else None,
            "resolve_calendar": calendars.get(resolve.calendar, resolve.calendar) if resolve else None,
            "resolve_term": resolve.microseconds if resolve else None,
        }
        for class_ in {**policy.urgencies, **policy.categories}
        for rank, accept, resolve in policy.ladder(class_)
    ]


async def policy_in_force(conn: AsyncConnection) -> str | None:
    """Id of the policy new cases get, or None before the first was saved. The owner's or routing's connection."""
    await conn.execute(store.AS_ROUTING)
    found: str | None = (await conn.execute(store.IN_FORCE)).scalar_one_or_none()
    return found


async def policy_source(conn: AsyncConnection, id_: str) -> str | None:
    """A policy's YAML: as it was written, or what an older version kept of it; None: there is no such policy."""
    await conn.execute(store.AS_ROUTING)
    row = (await conn.execute(store.POLICY, {"id": id_})).mappings().one_or_none() if "\0" not in id_ else None
    if row is None:
        return None
    return str(row["source"] or yaml.safe_dump(row["body"], allow_unicode=True, sort_keys=False))


async def reapply(conn: AsyncConnection, before: str | None, decision: Decision) -> int:
    """Gives open cases of a wrong policy (`before`; None: of any other) the one in force: a clock that runs goes on
    from where it began with the new term, less what was used before. Tells CaseReapplied. Returns how many."""
    await _begin(conn)
    to = (await conn.execute(store.IN_FORCE)).scalar_one()
    policy = await reading.policy(conn, to)
    classes = {**policy.urgencies, **policy.categories}
    how = {
        "to": to,
        "categories": list(policy.categories),
        "totals": [{"class": c, "total": policy.microseconds(terms.total)} for c, terms in classes.items()],
    }
    count = 0
    while ids := await _ids(conn, store.LOCK_OTHERS, to=to, from_=before, batch=BATCH):
        rows = (await conn.execute(store.REAPPLY, {**how, "ids": ids})).all()
        told = [{"id": str(row.id), "event": "reapplied", "detail": {"before": row.before}} for row in rows]
        await writing.tell(conn, told)
        count += len(rows)
    await _decide(conn, decision, "reapply", policy=to, detail={"before": before, "cases": count})
    return count


# -- calendars ------------------------------------------------------------------------------------------------
async def use_calendars(
    conn: AsyncConnection, calendars: Mapping[str, Hours], holidays: Holidays | None = None
) -> None:
    """Replaces calendars and recomputes every open deadline that runs on one of them: people, absences and holidays
    never freeze with a policy."""
    await conn.execute(store.AS_ROUTING)
    # Whoever computes a deadline holds the ladder: it is done by the old days and found here, or waits.
    await conn.execute(LADDER_EXCLUSIVE)
    whistles = await whistle_days.left(conn) if WORKDAY in calendars else []
    changed = await save_calendars(conn, calendars, holidays or await holidays_of(conn))
    if changed:
        await conn.execute(store.RECOMPUTE, {"calendars": changed})
    if WORKDAY in changed:
        await whistle_days.go_on(conn, whistles)


async def holidays_of(conn: AsyncConnection) -> Holidays:
    """What was published, by this program or since, and where the district differs."""
    found = load_holidays()
    for row in await conn.execute(store.YEARS):
        found = found.with_year(row.year, row.holidays, row.workdays)
    return found.with_days({row.day: row.open for row in await conn.execute(store.DAYS)})


async def set_days(conn: AsyncConnection, days: Mapping[date, bool | None], decision: Decision) -> None:
    """The district's own days: worked (True), not worked (False), or as published (None)."""
    await _begin(conn)
    for day, is_open in days.items():
        if is_open is None:
            await conn.execute(store.DROP_DAY, {"day": day})
        else:
            await conn.execute(store.SAVE_DAY, {"day": day, "open": is_open})
    detail = {"days": {day.isoformat(): is_open for day, is_open in days.items()}}
    await _decide(conn, decision, "days", detail=detail)
    await _new_days(conn)


async def import_year(conn: AsyncConnection, year: Year, decision: Decision) -> None:
    """Takes over a year's holidays and make-up days, in place of what was known of it."""
    await _begin(conn)
    await conn.execute(
        store.SAVE_YEAR, {"year": year.year, "holidays": list(year.holidays), "workdays": list(year.workdays)}
    )
    await _decide(conn, decision, "year", detail={"year": year.year})
    await _new_days(conn)


async def _new_days(conn: AsyncConnection) -> None:
    rows = (await conn.execute(store.CALENDARS)).all()
    await use_calendars(conn, {row.id: Hours.parse(row.hours, row.days) for row in rows})


# -- maintenance ----------------------------------------------------------------------------------------------
async def begin_maintenance(conn: AsyncConnection, decision: Decision) -> None:
    """From now on no deadline fires and nobody is reminded. It may be on already."""
    await _begin(conn)
    await conn.execute(LADDER_EXCLUSIVE)  # what is being moved comes to its end first
    if await _ids(conn, store.BEGIN_MAINTENANCE, by=decision.by, reason=decision.reason):
        await _decide(conn, decision, "maintenance-on")


async def end_maintenance(conn: AsyncConnection, decision: Decision) -> int:
    """Cases stay at their level with a full new term. Tells CaseRenewed. Returns how many."""
    await _begin(conn)
    await conn.execute(LADDER_EXCLUSIVE)
    since: Sequence[datetime] = await _ids(conn, store.END_MAINTENANCE)
    if not since:
        return 0
    ids = await _ids(conn, store.RENEW)
    await conn.execute(store.WAIT_LONGER, {"since": since[0]})
    await conn.execute(store.WHISTLES_LONGER, {"since": since[0]})
    await conn.execute(store.REVIEWS_LONGER, {"since": since[0]})
    await writing.tell(conn, [{"id": str(id_), "event": "renewed"} for id_ in ids])
    await _decide(conn, decision, "maintenance-off", detail={"cases": len(ids)})
    return len(ids)


# -- what they share ------------------------------------------------------------------------------------------
async def _begin(conn: AsyncConnection) -> None:
    await conn.execute(store.AS_ROUTING)
    await conn.execute(store.LOCK)


async def _decide(
    conn: AsyncConnection,
    decision: Decision,
    act: str,
    *,
    policy: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    row = {"by": decision.by, "act": act, "policy": policy, "detail": detail or {}, "reason": decision.reason}
    await conn.execute(store.DECIDE, row)


async def _ids(conn: AsyncConnection, statement: Any, **values: Any) -> list[Any]:
    """The first column of every row."""
    return list((await conn.execute(statement, values)).scalars())
