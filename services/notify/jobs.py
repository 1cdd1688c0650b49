"""Clocks of notify: sending what is due, finding out what became of calls without an end, changing pressed cards."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog

from services.notify import cards
from services.notify.channels import Answer, Channel, Unknown
from services.notify.sending import Call, adopt, claim, record
from services.notify.wires import AT_ONCE, Wires, wired
from shared.service import Context
from shared.telemetry import describe, traced

log = structlog.get_logger()

CALL_SECONDS = 12.0
"""Limit of a whole call, from before it was claimed; a new token included; shorter than an attempt's lease."""
POLL = 0.1
GROUP = 0.02
"""How long answers are gathered, so that many are recorded, and as many claimed, by one statement."""


async def deliver(context: Context) -> float:
    """Sends messages that are due. A slow call delays no other one: new ones are claimed as old ones end."""
    return await _run(context, claim, lambda channel, call: channel.send(call.order), POLL)


async def find_out(context: Context) -> float:
    """Asks about calls whose end nobody knows, before anything is sent again."""
    return await _run(context, adopt, lambda channel, call: channel.ask(call.order), 0.5)


async def change_cards(context: Context) -> float:
    """Shows on cards which button was pressed. Losing one would lose nothing: the act has been done."""
    due = await cards.due(context)
    answers = await asyncio.gather(*(wired(context).cards.change(change) for change in due.values()))
    await cards.changed(context, dict(zip(due, answers, strict=True)))
    return POLL


Take = Callable[[Context, int], Awaitable[list[Call]]]
Act = Callable[[Channel, Call], Awaitable[Answer]]


async def _run(context: Context, take: Take, act: Act, pause: float) -> float:
    flying: set[asyncio.Task[tuple[Call, Answer]]] = set()
    try:
        while True:
            if len(flying) < AT_ONCE:
                last = monotonic() + CALL_SECONDS
                calls = await take(context, (AT_ONCE - len(flying) + 1) // 2)
                flying |= {asyncio.create_task(_one(wired(context), act, call, last)) for call in calls}
            if not flying:
                return pause
            await asyncio.wait(flying, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(GROUP)
            done = {task for task in flying if task.done()}
            flying -= done
            if done:
                await record(context, [task.result() for task in done])
    finally:
        for task in flying:
            task.cancel()


async def _one(wires: Wires, act: Act, call: Call, last: float) -> tuple[Call, Answer]:
    """Makes a call, at `last` (of the monotonic clock) at the latest. A process that was frozen or starved since it
    took the call makes none: it may be another's by now."""
    async with wires.limiter:
        if (left := last - monotonic()) <= 0:
            return call, Unknown()
        try:
            name, told = f"deliver by {call.channel}", {"chuishao.template": call.template}
            with traced(call.traceparent, name, service="notify", kind="CLIENT", attributes=told):
                async with asyncio.timeout(left):
                    return call, await act(wires.channels[call.channel], call)
        except TimeoutError:
            return call, Unknown()
        except Exception as error:  # one message that cannot be sent holds back no other
            log.error("call.failed", channel=call.channel, message=str(call.message), error=describe(error))
            return call, Unknown()
