"""Tells an event in one line. Grids get their labels; people are never named: a terminal may be shared."""

from uuid import UUID

from chuishao import store
from chuishao.target import Target, as_owner
from chuishao.words import CHANNELS, ENDED, HOW, REASONS, SKIPPED, clock_time, event_name, level_name
from shared.contracts.case import CaseEvent, Skipped
from shared.contracts.issue import IssuePlaced, IssueReported
from shared.contracts.message import MessageEvent
from shared.messaging.events import Event


class Teller:
    """Knows the labels of grids once it has asked for them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._labels: dict[UUID, str] = {}
        self._numbers: dict[UUID, str] = {}

    async def tell(self, event: Event) -> str:
        """Time, number, what happened and where."""
        data = event.data
        number = "" if event.topic == "directory" else await self._number(event.subject)
        parts = [clock_time(event.time), number, event_name(event.type)]
        if isinstance(data, CaseEvent):
            parts += await self._case(data)
        elif isinstance(data, MessageEvent):
            parts += [CHANNELS.get(data.channel or "", ""), REASONS.get(data.reason, data.reason)]
        elif isinstance(data, IssueReported | IssuePlaced):
            parts.append(await self._label(data.place) if data.place else "还没定地方")
        return "  ".join(part for part in parts if part)

    async def _case(self, data: CaseEvent) -> list[str]:
        where = f"{await self._label(data.grid)}（{level_name(data.level)}）"
        why = getattr(data, "reason", None)
        how = getattr(data, "how", None)
        skipped: list[Skipped] = getattr(data, "skipped", [])
        passed = [f"{level_name(hop.level)}{SKIPPED.get(hop.reason, hop.reason)}" for hop in skipped]
        return [
            where,
            ENDED.get(why, why) if why else "",
            HOW.get(how, how) if how else "",
            f"跳过 {'、'.join(passed)}" if passed else "",
        ]

    async def _number(self, issue: UUID) -> str:
        if issue not in self._numbers:
            async with as_owner(self._target) as conn:
                self._numbers[issue] = await store.issue_number(conn, issue) or str(issue)
        return self._numbers[issue]

    async def _label(self, grid: UUID) -> str:
        if grid not in self._labels:
            async with as_owner(self._target) as conn:
                self._labels |= await store.grid_labels(conn, [grid])
        return self._labels.get(grid, str(grid))
