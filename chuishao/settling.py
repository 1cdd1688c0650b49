"""Whether everything that was set moving has come to rest: deadlines, events, messages, receipts."""

from types import TracebackType
from typing import Self

from chuishao import store
from chuishao.broker import LagMeter
from chuishao.target import Target, as_owner
from chuishao.wiring import SERVICES


class Settling:
    """Asks again and again, with one connection to the broker."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._meter = LagMeter(target.kafka, target.groups(SERVICES))

    async def __aenter__(self) -> Self:
        await self._meter.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._meter.__aexit__(kind, error, trace)

    async def still_moving(self) -> list[str]:
        """What moves, in words; empty when two looks in a row found nothing.

        Two, because an event may be between an outbox that was looked at early and a table looked at late.
        """
        return await self._look() or await self._look()

    async def _look(self) -> list[str]:
        async with as_owner(self._target) as conn:
            counts = await store.moving(conn, [service.name for service in SERVICES])
        counts |= {f"还没读完的事件（{group}）": behind for group, behind in (await self._meter.measure()).items()}
        return [f"{what} {count}" for what, count in counts.items() if count]
