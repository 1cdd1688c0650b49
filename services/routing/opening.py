"""How cases come to a holder without anybody's act: opened, placed, or moved on because the holder is gone."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import holding
from services.routing.domain import ladder
from services.routing.policy import Policy
from services.routing.store import reading, writing
from shared.contracts.issue import IssueReported
from shared.contracts.levels import RANK
from shared.contracts.meeting import TaskMade
from shared.telemetry import current_traceparent


async def open_cases(
    conn: AsyncConnection,
    issues: Sequence[tuple[UUID, IssueReported]],
    traces: Mapping[UUID, str | None] = MappingProxyType({}),
) -> None:
    """Opens a case per issue at its start level, under the policy in force. Tells CaseOpened.

    A case keeps the trace of its issue (`traces`; default: of what is being done). An issue without a place waits at
    the district's desk until it is placed.
    """
    await writing.lock_ladder(conn)
    policy = await reading.policy(conn, (await conn.execute(writing.IN_FORCE)).scalar_one())
    root: UUID = (await conn.execute(writing.ROOT)).scalar_one()
    places = {issue.place or root for _, issue in issues}
    ranks = {row.id: row.rank for row in await conn.execute(writing.GRID_RANKS, {"ids": list(places)})}
    rows = [
        {**_row(id_, issue, policy, root, ranks), "traceparent": traces.get(id_) or current_traceparent()}
        for id_, issue in issues
    ]
    await conn.execute(writing.INSERT_CASES, {"rows": [{**r, "climb": None, "first": r["climb"].first} for r in rows]})
    own = {row["id"] for row in rows if row["own"]}
    finds = {}
    if own:
        found = await conn.execute(writing.OWN_POSTS, {"rows": [{**r, "climb": None} for r in rows if r["id"] in own]})
        finds = {str(f.id): f for f in found}
    await writing.move(conn, [_opening_move(row, finds.get(row["id"])) for row in rows])


def _row(id_: UUID, issue: IssueReported, policy: Policy, root: UUID, ranks: dict[UUID, int]) -> dict[str, Any]:
    class_ = policy.term_of(issue.category, issue.urgency)
    terms = policy.terms(class_)
    place = issue.place or root
    start = max(RANK[issue.start], RANK[terms.start] if terms.start else 0)
    return {
        "id": str(id_),
        "number": issue.number,
        "category": issue.category,
        "urgency": issue.urgency,
        "class": class_,
        "policy": policy.id,
        "place": str(place),
        "placed": issue.place is not None,
        "start_rank": start,
        "reporter": str(issue.reporter),
        "own": issue.own,
        "about_leader": issue.about_leader,
        "climb": ladder.opening(ranks[place], start, about_leader=issue.about_leader and issue.place is not None),
        "total": policy.microseconds(terms.total),
    }


def _opening_move(row: dict[str, Any], find: Any) -> dict[str, Any]:
    """A leader's own find opens accepted in his own hands; everything else where the ladder says."""
    move = {"id": row["id"], "event": "opened", "why": "opened", "actor": None}
    if find is not None:
        own = {
            "to_rank": find.rank,
            "to_grid": str(find.grid),
            "to_person": row["reporter"],
            "to_post": find.post,
        }
        return {**move, **own, "accepted": True}
    return {**move, "first": row["climb"].first, "top": row["climb"].top}


async def place_cases(conn: AsyncConnection, placed: Sequence[tuple[UUID, UUID]]) -> None:
    """The desk said where issues belong: their cases go to the start level there. Tells CaseMoved."""
    await writing.lock_ladder(conn)
    moves = []
    ranks = {row.id: row.rank for row in await conn.execute(writing.GRID_RANKS, {"ids": [p for _, p in placed]})}
    for id_, place in placed:
        case = await writing.lock_case(conn, id_)
        if case is None or case["phase"] not in ("assigned", "accepted"):
            continue
        await conn.execute(writing.PLACE, {"id": id_, "place": place})
        climb = ladder.opening(ranks[place], case["start_rank"], about_leader=case["about_leader"])
        moves.append({"id": str(id_), "event": "moved", "why": "moved", "first": climb.first, "top": climb.top})
    await writing.move(conn, moves)


async def move_displaced(conn: AsyncConnection, grid: UUID | None) -> None:
    """Cases whose holder has left the post, or whose grid is gone (at `grid`, or anywhere), go to whoever is next,
    beginning with the same level; what holds a case goes on holding it. Tells CaseMoved and CaseHeld."""
    await writing.lock_ladder(conn)
    rows = (await conn.execute(writing.LOCK_DISPLACED, {"grid": grid})).mappings().all()
    await writing.move(
        conn,
        [
            {
                "id": str(row["id"]),
                "event": "moved",
                "why": "moved",
                "first": row["rank"],
                "top": max(row["rank"], ladder.COMMUNITY),
            }
            for row in rows
        ],
    )
    for why in ("whistle", "deliberation"):
        await holding.hold(conn, [row["id"] for row in rows if row["on_hold"] == why], why)


async def open_task(conn: AsyncConnection, task: TaskMade) -> None:
    """A meeting's task as a case of its own: it starts at its grid, and the chair is asked whether it is done.
    Tells CaseOpened."""
    issue = IssueReported(
        number=f"{task.number}-T",
        category=task.category,
        urgency="ordinary",
        start="micro",
        place=task.grid,
        reporter=task.chair,
    )
    await open_cases(conn, [(task.task, issue)])
    await conn.execute(writing.MARK_TASK, {"id": task.task, "due": task.due})
