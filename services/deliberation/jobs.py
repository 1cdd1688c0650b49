"""The clocks of deliberation: what nobody screened in time is over, and a meeting is reminded of once."""

from services.deliberation import telling
from services.deliberation.domain.states import SCHEDULED, UNSCREENED, WITHDRAWN
from services.deliberation.store import reading, writing
from services.deliberation.telling import about_meeting, tell
from shared.contracts.meeting import MeetingReminded
from shared.db import transaction
from shared.service import Context


async def tick(ctx: Context) -> float:
    """Job: does what is due and sleeps until the next row is."""
    while await lapse(ctx) + await remind(ctx):
        pass
    async with transaction(ctx.engine) as conn:
        due = await writing.next_due(conn)
    return 1.0 if due is None else min(max(due, 0.01), 1.0)


async def lapse(ctx: Context) -> int:
    """Topics that were not screened in time end as `unscreened`. Tells TopicEnded."""
    async with transaction(ctx.engine) as conn:
        due = await writing.lock_unscreened(conn)
        for id_ in due:
            await telling.end(conn, id_, WITHDRAWN, UNSCREENED, kind="lapsed", actor=None, words=None)
    return len(due)


async def remind(ctx: Context) -> int:
    """Tells MeetingReminded to those who did not say that they cannot come; not of a meeting that has begun."""
    async with transaction(ctx.engine) as conn:
        due = await writing.lock_reminded(conn)
        for id_ in due:
            topic = await telling.present_topic(conn, id_)
            assert topic.meeting is not None
            await writing.reminded(conn, topic.meeting)
            if topic.state == SCHEDULED and topic.now < topic.starts:
                seats = [seat for seat in await reading.seats(conn, topic.meeting) if seat.reply != "cannot"]
                await tell(conn, topic, [about_meeting(MeetingReminded, topic, seats)], kind="reminded")
    return len(due)
