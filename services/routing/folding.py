"""Reports that are one thing: many at once (a heating outage) fold into one case; the same thing again and again starts
higher.

`plan` is asked when the cases are there and nobody has them yet; `fold` does it once those that stay have their holder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import followers
from services.routing.domain.states import ASSIGNED, OPEN
from services.routing.policy import Policy
from services.routing.store import folding as store
from services.routing.store import merging, writing
from shared.contracts.levels import RANK

Kind = tuple[UUID, str]
"""A grid of the policy's level, and an item."""


@dataclass(frozen=True)
class Fold:
    """`lead` speaks for `joined`: those that had a holder before, and those that came just now."""

    kind: Kind
    lead: RowMapping
    joined: Sequence[RowMapping]

    @property
    def fresh(self) -> list[UUID]:
        return [case["id"] for case in self.joined if case["hop"] == 0]


async def plan(conn: AsyncConnection, policy: Policy, rows: Sequence[Mapping[str, Any]]) -> list[Fold]:
    """What of these new cases (id, category, place), all of items that may be merged, is one thing with others. A lead
    that came just now is put where all of them belong. Locks the cases of every fold."""
    storm = policy.storm
    if storm is None or not rows:
        return []
    within = policy.microseconds(storm.within)
    found = (await conn.execute(store.NODES, {"rows": rows, "rank": RANK[storm.level]})).all()
    new: dict[Kind, list[UUID]] = {}
    for row in found:
        new.setdefault((row.node, row.category), []).append(row.id)
    if not new:
        return []
    kinds = [{"node": str(node), "category": category} for node, category in new]
    await conn.execute(store.LOCK_KINDS, {"kinds": sorted(f"{k['node']} {k['category']}" for k in kinds)})
    await conn.execute(store.FORGET_OLD, {"kinds": kinds, "within": within})
    on = {(r.node, r.category): r.lead for r in await conn.execute(store.ON, {"kinds": kinds, "within": within})}
    noted = [{"id": str(r.id), "category": r.category, "node": str(r.node)} for r in found]
    calm = [row for row in noted if (UUID(row["node"]), row["category"]) not in on]
    await conn.execute(store.NOTE, {"rows": calm})
    enough = {"kinds": kinds, "within": within, "reports": storm.reports}
    many = {(r.node, r.category): list(r.cases) for r in await conn.execute(store.MANY, enough)}
    wanted = {kind: [lead, *new[kind]] for kind, lead in on.items()}
    wanted |= {kind: cases for kind, cases in many.items() if kind not in on}
    return await _folds(conn, wanted)


async def _folds(conn: AsyncConnection, wanted: Mapping[Kind, Sequence[UUID]]) -> list[Fold]:
    """The earliest one that is open leads; the others that nobody has accepted yet fold into it."""
    ids = sorted({id_ for cases in wanted.values() for id_ in cases})
    locked = {row["id"]: row for row in (await conn.execute(store.LOCK_CASES, {"ids": ids})).mappings()}
    folds = []
    for kind, cases in wanted.items():
        lead, *rest = [locked[id_] for id_ in cases if locked[id_]["phase"] in OPEN]
        joined = [case for case in rest if case["phase"] == ASSIGNED and case["on_hold"] is None]
        if not joined:
            continue
        if lead["hop"] == 0:
            places = [case["place"] for case in (lead, *joined)]
            common = await merging.common_place(conn, places)
            await conn.execute(store.PLACE_LEAD, {"id": lead["id"], "place": common["grid"]})
            lead = {**lead, "place": common["grid"], "place_rank": common["rank"]}  # type: ignore[assignment]
        folds.append(Fold(kind, lead, joined))
    return folds


async def fold(conn: AsyncConnection, plan: Fold) -> None:
    """Everything that joined closes and follows the lead, which moves to where all of them belong. Tells CaseJoined,
    CaseMoved and CaseClosed."""
    node, category = plan.kind
    ids, fresh = [case["id"] for case in plan.joined], plan.fresh
    await conn.execute(store.BEGIN, {"node": node, "category": category, "lead": plan.lead["id"]})
    await conn.execute(store.FORGET, {"node": node, "category": category, "ids": ids})
    now = (await conn.execute(store.LOCK_CASES, {"ids": [plan.lead["id"]]})).mappings().one()
    await followers.join(conn, now, plan.joined)
    await conn.execute(merging.FOLLOW, {"ids": [id_ for id_ in ids if id_ not in fresh], "lead": plan.lead["id"]})
    await conn.execute(store.TAKE_HAND, {"ids": fresh, "lead": plan.lead["id"]})
    await conn.execute(writing.CLOSE, {"ids": ids, "how": "merged", "ended_by": "merged", "reply": None})
    lead = (await conn.execute(store.LOCK_CASES, {"ids": [plan.lead["id"]]})).mappings().one()
    by = lead["accept_by"] or lead["resolve_by"]
    into = {"how": "merged", "into": str(lead["id"])}
    hand = {**into, "accept_by": by.isoformat() if by else None}
    await writing.tell(
        conn, [{"id": str(id_), "event": "closed", "detail": hand if id_ in fresh else into} for id_ in ids]
    )


async def earlier(
    conn: AsyncConnection, policy: Policy, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], list[UUID]]:
    """By (place, category): the earlier cases of what comes once too often now."""
    if policy.recurrence is None or not rows:
        return {}
    kinds = [{"place": place, "category": category} for place, category in {(r["place"], r["category"]) for r in rows}]
    within = policy.microseconds(policy.recurrence.within)
    asked = {"kinds": kinds, "within": within, "times": policy.recurrence.times - 1}
    return {(str(r.place), r.category): list(r.cases) for r in await conn.execute(store.EARLIER, asked)}


async def attach(conn: AsyncConnection, previous: Mapping[str, Sequence[UUID]]) -> None:
    """Keeps with each new case the earlier ones of the same thing."""
    if previous:
        rows = [{"id": id_, "previous": [str(each) for each in cases]} for id_, cases in previous.items()]
        await conn.execute(store.ATTACH, {"rows": rows})
