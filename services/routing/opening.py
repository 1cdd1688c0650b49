"""How cases come to a holder without anybody's act: opened, or placed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import folding, holding
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
    previous = await _lift_recurring(conn, policy, rows)
    await conn.execute(writing.INSERT_CASES, {"rows": [{**r, "climb": None, "first": r["climb"].first} for r in rows]})
    await folding.attach(conn, previous)
    own = [{**r, "climb": None} for r in rows if r["own"]]
    finds = {str(f.id): f for f in await conn.execute(writing.OWN_POSTS, {"rows": own})} if own else {}
    folds = await folding.plan(conn, policy, [{**r, "climb": None} for r in rows if r["mergeable"]])
    folded = {str(id_) for fold in folds for id_ in fold.fresh}
    _put_leads(rows, folds)
    await writing.move(conn, [_opening_move(row, finds.get(row["id"])) for row in rows if row["id"] not in folded])
    for fold in folds:
        await folding.fold(conn, fold)


async def _lift_recurring(
    conn: AsyncConnection, policy: Policy, rows: Sequence[dict[str, Any]]
) -> dict[str, list[UUID]]:
    """What comes to the same place once too often starts one level higher; gives the earlier cases of each."""
    usual = [{**row, "climb": None} for row in rows if row["recurs"]]
    earlier = await folding.earlier(conn, policy, usual)
    again = [row for row in rows if row["recurs"] and (row["place"], row["category"]) in earlier]
    for row in again:
        row["climb"] = ladder.recurring(row["climb"])
        row["start_rank"] = max(row["start_rank"], row["climb"].first)
    return {row["id"]: earlier[row["place"], row["category"]] for row in again}


def _put_leads(rows: Sequence[dict[str, Any]], folds: Sequence[folding.Fold]) -> None:
    """A case that speaks for others from the first moment starts where all of them belong."""
    leads = {str(fold.lead["id"]): fold.lead for fold in folds if fold.lead["hop"] == 0}
    for row in rows:
        if lead := leads.get(row["id"]):
            row["climb"] = ladder.opening(lead["place_rank"], row["start_rank"])


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
        "mergeable": issue.mergeable and _is_usual(issue),
        "recurs": _is_usual(issue),
    }


def _is_usual(issue: IssueReported) -> bool:
    """Neither an emergency, which waits for nobody, nor a complaint about a leader, nor a leader's own find."""
    return issue.urgency != "emergency" and issue.place is not None and not issue.about_leader and not issue.own


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
    """The desk said where issues belong: their cases go to the start level there, and what holds one goes on holding
    it. One with an open whistle stays where it was blown. Tells CaseMoved and CaseHeld."""
    await writing.lock_ladder(conn)
    moves, moved = [], []
    ranks = {row.id: row.rank for row in await conn.execute(writing.GRID_RANKS, {"ids": [p for _, p in placed]})}
    for id_, place in placed:
        case = await writing.lock_case(conn, id_)
        if case is None or case["phase"] not in ("assigned", "accepted"):
            continue
        await conn.execute(writing.PLACE, {"id": id_, "place": place})
        if case["on_hold"] == "whistle":
            continue
        moved.append(case)
        climb = ladder.opening(ranks[place], case["start_rank"], about_leader=case["about_leader"])
        moves.append({"id": str(id_), "event": "moved", "why": "moved", "first": climb.first, "top": climb.top})
    await writing.move(conn, moves)
    await holding.hold_again(conn, moved)


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
