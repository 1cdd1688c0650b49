"""The use cases of routing: each is one transaction that writes state, history and event together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import present, whistling
from services.routing.access import Access, access, check_may
from services.routing.domain import ladder
from services.routing.domain.states import ACTS, DESK, HOLDER, REPORTER, allows, can
from services.routing.policy import Policy
from services.routing.store import reading, whistles, writing
from shared.attaching import Photos, photos_of
from shared.auth import Principal
from shared.contracts.levels import DISTRICT
from shared.db import transaction
from shared.idempotency import once
from shared.problems import already_moved, forbidden, invalid, not_found, wrong_state
from shared.service import Context


@dataclass(frozen=True)
class Wish:
    """An act on a case as asked for: the version that was seen, whom a desk acts for, the words."""

    version: int
    acting_for: str | None = None
    text: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Admitted:
    """An act that may be done now: the locked case, who does it, and for whom."""

    case: RowMapping
    policy: Policy
    actor: UUID | None
    acting_for: UUID | None
    ties: reading.Ties

    def said(self, event: str, **more: Any) -> dict[str, Any]:
        """A row for `writing.tell`."""
        by = str(self.actor) if self.actor else None
        return {
            "id": str(self.case["id"]),
            "event": event,
            "actor": by,
            "acting_for": str(self.acting_for) if self.acting_for else None,
            **more,
            "detail": {"by": by, **more.get("detail", {})},
        }


Effect = Callable[[AsyncConnection, Admitted], Awaitable[None]]


async def act(
    ctx: Context,
    caller: Principal,
    id_: UUID,
    name: str,
    wish: Wish,
    effect: Effect,
    key: str | None,
    request: bytes,
) -> dict[str, Any]:
    """Does an act of a leader or desk: `effect` on the locked case. Returns the case as GET shows it.

    Raises 404, 403, 409 `wrong-state` (the state does not allow it), 409 `already-moved` (stale version, or no longer
    the caller's).
    """

    async def do() -> tuple[int, dict[str, Any]]:
        await perform(conn, caller, id_, name, wish, effect)
        return 200, await show(conn, caller, id_)

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, caller.key, key, f"{id_}/{name}/".encode() + request, do)
    return answer


async def perform(conn: AsyncConnection, caller: Principal, id_: UUID, name: str, wish: Wish, effect: Effect) -> None:
    """The act itself, in whatever transaction it came: by HTTP, or by a text from a telephone."""
    await writing.lock_ladder(conn)
    if await writing.lock_case(conn, id_) is None:
        raise not_found()
    found = await access(conn, caller, id_)
    check_may(found, name)
    await effect(conn, await _admit(conn, caller, found, name, wish))


async def show(conn: AsyncConnection, caller: Principal, id_: UUID) -> dict[str, Any]:
    found = await access(conn, caller, id_)
    hops = await reading.hops(conn, id_)
    shown = present.case(found.case, found.can, hops, skips=found.may_know_skips)
    shown["attachments"] = await photos_of(conn, id_, "resolve")
    shown["whistles"] = await whistles.scalars(conn, whistles.OF_CASE, case=id_)
    return present.plain(shown)


async def _admit(conn: AsyncConnection, caller: Principal, found: Access, name: str, wish: Wish) -> Admitted:
    """State first, then version and hands, as interfaces promise."""
    row, case = ACTS[name], found.case
    if not allows(row, found.state):
        raise wrong_state(case["phase"], found.can, on_hold=case["on_hold"])
    if wish.version != case["version"]:
        raise already_moved(await show(conn, caller, case["id"]), found.can)
    acting_for = None
    if HOLDER in row.by and HOLDER not in found.relations:
        acting_for = await _acting_for(conn, caller, found, wish)
    elif wish.acting_for is not None:
        raise invalid(("body", "for"), "您自己就能办，不用代办", "you hold it yourself")
    elif not row.by & found.relations:
        raise already_moved(await show(conn, caller, case["id"]), found.can)
    policy = await reading.policy(conn, case["policy"])
    return Admitted(case, policy, caller.person, acting_for, found.ties)


async def _acting_for(conn: AsyncConnection, caller: Principal, found: Access, wish: Wish) -> UUID | None:
    """A desk above acts for the holder it names; the district and command also for a desk. A former holder has
    nothing left to do here."""
    case = found.case
    if DESK not in found.relations:
        raise already_moved(await show(conn, caller, case["id"]), found.can)
    if wish.acting_for is None:
        top = caller.role == "command" or DISTRICT in found.ties.desks
        if case["holder_kind"] == "desk" and top:
            return None
        raise forbidden()
    person: UUID | None = (await conn.execute(reading.PERSON_BY_NO, {"no": wish.acting_for})).scalar_one_or_none()
    if person is None:
        raise invalid(("body", "for"), "没有这个人", "is nobody we know")
    if person != case["holder_person"]:
        raise invalid(("body", "for"), "现在不在这个人手上", "does not hold the case now")
    return person


# -- acts of leaders and desks ------------------------------------------------------------------------------
async def accept(conn: AsyncConnection, a: Admitted) -> None:
    """我来办: the holder, or a desk above for him. `accept by` is met; tells CaseAccepted."""
    await conn.execute(writing.ACCEPT, {"id": a.case["id"]})
    await writing.tell(conn, [a.said("accepted")])


async def claim(conn: AsyncConnection, a: Admitted) -> None:
    """还是我来办: a level the case has passed, while the one above has not accepted, or a bound party member.
    It comes back to them, accepted; tells CaseClaimed."""
    own = {"id": a.case["id"], "person": a.actor, "after": a.case["reopened_hop"]}
    hop = (await conn.execute(reading.CLAIMABLE, own)).mappings().one_or_none()
    if hop is None:
        place = {"place": a.case["place"], "person": a.actor}
        grid = (await conn.execute(reading.BOUND_GRID, place)).mappings().one()
        target = {"to_rank": grid["rank"], "to_grid": grid["grid"], "to_person": a.actor, "to_post": "bound"}
    else:
        target = {
            "to_rank": hop["rank"],
            "to_grid": hop["grid"],
            "to_person": hop["holder_person"],
            "to_post": hop["holder_post"],
        }
    await _move(conn, a, "claimed", "taken", accepted=True, **target)


async def escalate(conn: AsyncConnection, a: Admitted, reason: str) -> None:
    """往上报: the holder, with a reason; neutral in every statistic. Tells CaseEscalated."""
    climb = ladder.by_hand(a.case["rank"])
    await _move(conn, a, "escalated", "escalated", first=climb.first, top=climb.top, text=reason)


async def ask(conn: AsyncConnection, a: Admitted, question: str) -> None:
    """A question to the resident: the clocks pause, at most for the policy's days. Tells CaseAsked."""
    wait, nags = a.policy.waits(a.policy.question)
    await conn.execute(writing.PAUSE, {"id": a.case["id"], "why": "reporter", "wait": wait, "nags": nags})
    await writing.tell(conn, [a.said("asked", text=question)])


async def resolve(conn: AsyncConnection, a: Admitted, reply: str, note: str | None, photos: Photos) -> None:
    """办结 with a public reply and photos, if any: the resident is asked. A leader's own find is closed at once
    (自办自结). Tells CaseResolved, or CaseClosed with `own`. Raises 422 naming a photo."""
    if note:
        await _note(conn, a, note)
    id_ = a.case["id"]
    place = a.case["place"] if a.case["origin"] == "task" else None
    await photos.attach(conn, "resolve", subject=id_, thing=id_, place=place)
    if a.case["own"]:
        await conn.execute(writing.CLOSE, {"ids": [id_], "how": "own", "ended_by": "resolved", "reply": reply})
        await writing.tell(conn, [a.said("closed", text=reply, detail={"how": "own"})])
        return
    wait, nags = a.policy.waits(a.policy.silence)
    await conn.execute(writing.RESOLVE, {"id": id_, "reply": reply, "wait": wait, "nags": nags})
    await writing.tell(conn, [a.said("resolved", text=reply)])


async def _note(conn: AsyncConnection, a: Admitted, note: str) -> None:
    await conn.execute(writing.NOTE, {"id": a.case["id"], "actor": a.actor, "text": note})


async def _move(conn: AsyncConnection, a: Admitted, event: str, why: str, **more: Any) -> None:
    row = a.said(event, why=why, **more)
    del row["detail"]
    await writing.move(conn, [present.plain(row)])


# -- acts of the resident -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Answered:
    """What the resident says to "solved?"."""

    solved: str
    satisfied: int | None = None
    comment: str | None = None


async def resident_act(
    ctx: Context,
    id_: UUID,
    name: str,
    person: UUID | None,
    caller_key: str,
    key: str | None,
    request: bytes,
    effect: Effect,
) -> dict[str, Any]:
    """Does an act of the resident; who she is was checked (token or code). Returns what `track` shows.
    Raises 404 and 409 `wrong-state`."""

    async def do() -> tuple[int, dict[str, Any]]:
        await perform_resident(conn, id_, name, person, effect)
        return 200, await show_track(conn, id_)

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, caller_key, key, f"{id_}/{name}/".encode() + request, do)
    return answer


async def perform_resident(conn: AsyncConnection, id_: UUID, name: str, person: UUID | None, effect: Effect) -> None:
    """The resident's act itself, in whatever transaction it came."""
    await writing.lock_ladder(conn)
    if name == "withdraw":  # ends whistles as well
        await whistles.lock_place(conn, id_)
    if await writing.lock_case(conn, id_) is None:
        raise wrong_state("received", [])
    case = await reading.case(conn, id_)
    assert case is not None
    policy = await reading.policy(conn, case["policy"])
    state = present.state(case, policy.microseconds(policy.reopen))
    if not allows(ACTS[name], state):
        raise wrong_state(case["phase"], can(state, {REPORTER}), on_hold=case["on_hold"])
    await effect(conn, Admitted(case, policy, person or case["reporter"], None, reading.Ties()))


async def show_track(conn: AsyncConnection, id_: UUID) -> dict[str, Any]:
    row = await reading.case(conn, id_)
    assert row is not None
    policy = await reading.policy(conn, row["policy"])
    state = present.state(row, policy.microseconds(policy.reopen))
    told: dict[str, Any] = present.track(row, await reading.history(conn, id_), can(state, {REPORTER}))
    departments = (await conn.execute(whistles.STORY_OF_CASE, {"case": id_})).mappings().all()
    told["history"] = sorted(told["history"] + present.whistle_lines(departments), key=lambda line: line["at"])
    return present.plain({**told, "attachments": await photos_of(conn, id_, "resolve")})


async def answer(conn: AsyncConnection, a: Admitted, said: Answered) -> None:
    """Solved: yes and partly close it as confirmed; "no" goes to the next hand, the third one to the desk above.
    Tells CaseClosed or CaseReopened (and CaseSupervised)."""
    id_ = a.case["id"]
    await conn.execute(
        writing.ANSWER,
        {"id": id_, "solved": said.solved, "satisfied": said.satisfied, "comment": said.comment},
    )
    if said.solved == "no":
        await _reopen(conn, a)
        return
    await conn.execute(writing.CLOSE, {"ids": [id_], "how": "confirmed", "ended_by": "resolved", "reply": None})
    await writing.tell(conn, [a.said("closed", detail={"how": "confirmed"})])


async def _reopen(conn: AsyncConnection, a: Admitted) -> None:
    id_, noes = a.case["id"], a.case["noes"] + 1
    climb = ladder.not_solved(a.case["rank"], noes)
    await conn.execute(writing.COUNT_NO, {"id": id_})
    await _move(conn, a, "reopened", "resolved", first=climb.first, top=climb.top, clocks=climb.clocks, count=noes)
    if climb.supervised:
        await supervise(conn, [id_], "third_no")


async def withdraw(conn: AsyncConnection, a: Admitted) -> None:
    """Closes it as withdrawn, and with it the whistles nobody else needs. Tells CaseClosed and WhistleWithdrawn."""
    await conn.execute(
        writing.CLOSE, {"ids": [a.case["id"]], "how": "withdrawn", "ended_by": "withdrawn", "reply": None}
    )
    await writing.tell(conn, [a.said("closed", detail={"how": "withdrawn"})])
    await whistling.end_with_case(conn, a.case["id"], a.actor)


async def reply(conn: AsyncConnection, a: Admitted, words: str) -> None:
    """Answers the holder's question; the clocks go on where they stood. Tells CaseReplied."""
    await conn.execute(writing.RESUME, {"ids": [a.case["id"]]})
    await writing.tell(conn, [a.said("replied", text=words, detail={"by": "resident"})])


async def supervise(conn: AsyncConnection, ids: Sequence[UUID], why: str) -> None:
    """Puts locked cases on the supervision list 督办. Tells CaseSupervised."""
    await conn.execute(writing.SUPERVISE, {"ids": ids, "why": why})
    await writing.tell(conn, [{"id": str(id_), "event": "supervised", "detail": {"why": why}} for id_ in ids])
