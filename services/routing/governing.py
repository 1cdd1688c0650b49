"""Which policy is in force, and the calendars its clocks run on."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.policy import Policy
from services.routing.store import writing
from shared.calendar.spans import Holidays, Hours, load_holidays
from shared.calendar.store import save_calendars

AS_OWNER = text("SET LOCAL search_path = routing, public")


async def use_policy(conn: AsyncConnection, policy: Policy, holidays: Holidays | None = None) -> None:
    """Saves a policy and its calendars and puts it in force for new cases; open cases keep theirs. The connection is
    the owner's: calendars belong to all services. The policy was validated when it was read."""
    await conn.execute(AS_OWNER)
    night = policy.night
    await conn.execute(
        writing.SAVE_POLICY,
        {
            "id": policy.id,
            "name": policy.name,
            "body": policy.body(),
            "night_urgencies": night.urgencies if night else [],
            "night_from": night.start if night else None,
            "night_until": night.until if night else None,
        },
    )
    rows = [
        {
            "policy": policy.id,
            "class": class_,
            "rank": rank,
            "accept_calendar": accept.calendar if accept else None,
            "accept_term": accept.microseconds if accept else None,
            "resolve_calendar": resolve.calendar if resolve else None,
            "resolve_term": resolve.microseconds if resolve else None,
        }
        for class_ in {**policy.urgencies, **policy.categories}
        for rank, accept, resolve in policy.ladder(class_)
    ]
    await conn.execute(writing.SAVE_TERMS, rows)
    await conn.execute(writing.PUT_IN_FORCE, {"id": policy.id})
    await use_calendars(conn, {name: hours.parsed() for name, hours in policy.calendars.items()}, holidays)


async def use_calendars(conn: AsyncConnection, calendars: dict[str, Hours], holidays: Holidays | None = None) -> None:
    """Replaces calendars and recomputes every open deadline that runs on one of them: people, absences and holidays
    never freeze with a policy."""
    await conn.execute(AS_OWNER)
    if not calendars:
        return
    await save_calendars(conn, calendars, holidays or load_holidays())
    await conn.execute(writing.RECOMPUTE, {"calendars": list(calendars)})


async def policy_in_force(conn: AsyncConnection) -> str | None:
    """Id of the policy new cases get, or None before the first was saved. The owner's or routing's connection."""
    await conn.execute(AS_OWNER)
    found: str | None = (await conn.execute(writing.IN_FORCE)).scalar_one_or_none()
    return found
