"""Acts that take two: one asks, another grants or declines (挂账、延期)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import holding
from services.routing.commands import Admitted
from services.routing.store import acting, writing
from shared.problems import invalid

LONGEST = timedelta(days=366)
"""Nothing is put off, or promised, further ahead than a year."""


@dataclass(frozen=True)
class Plea:
    """What is asked for. Whoever grants may leave out all of it, or put his own date and words in its place."""

    words: str | None = None
    until: datetime | None = None


async def suspend(conn: AsyncConnection, a: Admitted, plea: Plea) -> None:
    """挂账: the holder asks, a desk of community or above grants; the clocks stand still until the wake-up date, which
    the resident sees. Tells CaseRequested, or CaseSuspended. Raises 422 naming `until` or `reason`."""
    _check_date(a, plea.until)
    if not a.granting:
        await ask_for(conn, a, "suspend", plea, dated=True)
        return
    until, words = await _grant_date(conn, a, plea)
    rest = a.policy.microseconds(a.policy.whistle.rest)
    await conn.execute(acting.SUSPEND, {"id": a.case["id"], "until": until, "rest": rest})
    await writing.tell(conn, [a.said("suspended", text=words, detail={"until": until.isoformat()})])


async def extend(conn: AsyncConnection, a: Admitted, plea: Plea) -> None:
    """延期: the holder asks once, whoever has a post at a level above grants; the resident sees the reason.
    Tells CaseRequested, or CaseExtended. Raises 422 naming `until` or `reason`."""
    _check_date(a, plea.until)
    if not a.granting:
        _check_later(a, plea.until)
        await ask_for(conn, a, "extend", plea, dated=True)
        return
    until, words = await _grant_date(conn, a, plea)
    _check_later(a, until)
    await conn.execute(acting.EXTEND, {"id": a.case["id"], "until": until})
    await writing.tell(conn, [a.said("extended", text=words, detail={"until": until.isoformat()})])


async def decline(conn: AsyncConnection, a: Admitted, reason: str) -> None:
    """Refuses what somebody asked for; the case stays as it was. Tells CaseDeclined."""
    asked = await acting.decide(conn, a.case["id"], by=a.actor, granted=False, reason=reason)
    await conn.execute(writing.COUNT_EVENT, {"id": a.case["id"]})
    await writing.tell(conn, [a.said("declined", text=reason, detail={"act": asked["kind"]})])


async def resume(conn: AsyncConnection, a: Admitted) -> None:
    """The holder, or a desk of community or above, takes it up again before its date. Tells CaseWoken, and CaseHeld if
    it is deliberated meanwhile."""
    await conn.execute(writing.RESUME, {"ids": [a.case["id"]]})
    await writing.tell(conn, [a.said("woken")])
    await holding.deliberate_again(conn, [a.case])


async def ask_for(
    conn: AsyncConnection, a: Admitted, act: str, plea: Plea, *, word: str = "reason", dated: bool = False
) -> None:
    """Notes what is asked for, until a second person decides. Tells CaseRequested. Raises 422 naming `word` (what its
    words are called) or `until`, when they are missing."""
    if plea.words is None:
        raise invalid(("body", word), "必须填写", "is required")
    if dated and plea.until is None:
        raise invalid(("body", "until"), "必须填写", "is required")
    await acting.request(
        conn, a.case["id"], act, asked_by=a.actor, asked_for=a.acting_for, until=plea.until, words=plea.words
    )
    await conn.execute(writing.COUNT_EVENT, {"id": a.case["id"]})
    detail: dict[str, Any] = {"act": act} | ({"until": plea.until.isoformat()} if plea.until else {})
    await writing.tell(conn, [a.said("requested", text=plea.words, detail=detail)])


async def grant(conn: AsyncConnection, a: Admitted, plea: Plea) -> RowMapping:
    """Decides that it is granted; gives what was asked for."""
    return await acting.decide(conn, a.case["id"], by=a.actor, granted=True, reason=plea.words)


async def _grant_date(conn: AsyncConnection, a: Admitted, plea: Plea) -> tuple[datetime, str]:
    """The date and the words that hold: those of whoever grants, else what was asked for."""
    asked = await grant(conn, a, plea)
    until: datetime = plea.until or asked["until"]
    if until <= a.case["now"]:
        raise invalid(("body", "until"), "说好的日子已经过去了，请另定一天", "what was asked for is in the past by now")
    return until, plea.words or asked["text"]


def _check_date(a: Admitted, until: datetime | None) -> None:
    if until is None:
        return
    if until <= a.case["now"]:
        raise invalid(("body", "until"), "已经过去了", "is in the past")
    if until > a.case["now"] + LONGEST:
        raise invalid(("body", "until"), "最多一年", "must be within a year")


def _check_later(a: Admitted, until: datetime | None) -> None:
    if until is not None and until <= a.case["resolve_by"]:
        raise invalid(("body", "until"), "要晚于现在的期限", "must be later than the present limit")
