"""Answers that came by telephone: a digit in a text, a button on a card. Each acts once, as the person it came from;
what it cannot do (any more) is told back, and nothing is changed."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import commands, whistling
from services.routing.access import access
from services.routing.commands import Answered, Wish
from services.routing.store import reading, writing
from shared.auth import Principal
from shared.contracts.message import MessageReplied
from shared.db import clock_now
from shared.problems import Problem, forbidden

BY_TEXT = "短信往上报"


async def act(conn: AsyncConnection, case_id: UUID, reply: MessageReplied) -> None:
    """Does what the reply asks for. Tells the act's own events, or CaseReplyRefused."""
    caller = Principal(person=reply.person)
    try:
        async with conn.begin_nested():
            if reply.whistle is not None:
                await _act_on_whistle(conn, caller, reply.whistle, reply.act)
            elif reply.act in ("solved", "not_solved"):
                await _answer(conn, reply.person, case_id, solved=reply.act == "solved")
            else:
                await _act_on_case(conn, caller, case_id, reply.act)
    except Problem as problem:
        await _refuse(conn, case_id, reply, problem)


async def _act_on_case(conn: AsyncConnection, caller: Principal, case_id: UUID, act: str) -> None:
    """1 = 我来办: accept while it is theirs, claim while that is allowed. 2 = 往上报."""
    found = await access(conn, caller, case_id)
    wish = Wish(found.case["version"])
    if act == "escalate":
        effect: commands.Effect = lambda c, a: commands.escalate(c, a, BY_TEXT)  # noqa: E731
        await commands.perform(conn, caller, case_id, "escalate", wish, effect)
    elif "claim" in found.can:
        await commands.perform(conn, caller, case_id, "claim", wish, commands.claim)
    else:
        await commands.perform(conn, caller, case_id, "accept", wish, commands.accept)


async def _answer(conn: AsyncConnection, person: UUID, case_id: UUID, *, solved: bool) -> None:
    if not (await reading.ties(conn, case_id, person)).reports:
        raise forbidden()
    said = Answered("yes" if solved else "no")
    await commands.perform_resident(conn, case_id, "answer", person, lambda c, a: commands.answer(c, a, said))


async def _act_on_whistle(conn: AsyncConnection, caller: Principal, whistle: UUID, act: str) -> None:
    """A button says who pressed it and when; that is the whole statement."""
    if act == "acknowledge":
        await whistling.perform(conn, caller, whistle, "acknowledge", None, whistling.acknowledge)
        return
    no = str((await conn.execute(reading.NO_OF_PERSON, {"person": caller.person})).scalar_one())
    now = await clock_now(conn)
    effect: whistling.Effect = lambda c, d: whistling.report_in(c, d, no, now)  # noqa: E731
    await whistling.perform(conn, caller, whistle, "report-in", None, effect)


async def _refuse(conn: AsyncConnection, case_id: UUID, reply: MessageReplied, problem: Problem) -> None:
    """Counts as an event of the case, so that it is told once and in order."""
    if await writing.lock_case(conn, case_id) is None:
        return
    await conn.execute(writing.COUNT_EVENT, {"id": case_id})
    why = problem.type if problem.type in ("wrong-state", "already-moved") else "forbidden"
    detail = {
        "person": str(reply.person),
        "act": reply.act,
        "why": why,
        "can": list(problem.extra.get("can", [])),
        "channel": reply.channel,
    }
    await writing.tell(conn, [{"id": str(case_id), "event": "reply-refused", "detail": detail}])
