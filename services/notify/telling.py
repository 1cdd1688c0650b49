"""Telling people: what the events of others make notify say to whom."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import policies, store
from services.notify.domain.audience import Telling, Who, tell
from services.notify.domain.policy import Policy
from services.notify.domain.slots import Wish, slots
from services.notify.domain.table import RESIDENT_SPOKE, STALE, TABLE, closes
from shared.contracts.case import CaseEvent, CaseReplyRefused
from shared.contracts.labels import category_label
from shared.db import clock_now
from shared.messaging.events import Event


async def tell_people(conn: AsyncConnection, events: Sequence[Event]) -> None:
    """Events of cases, whistles and meetings (the system): queues the messages the table names, drops the waiting ones
    that are no longer true and settles the questions that need no answer any more. One message per key, however often
    an event comes."""
    await _settle_questions(conn, events)
    await _drop_stale(conn, events)
    await store.note_spoken(conn, [(e.subject, e.time) for e in events if _resident_spoke(e)])
    tellings = [t for e in events for t in tell(TABLE, _name(e), e.data, case=_case(e), seq=e.seq)]
    heard = [(e.data.person, e.subject) for e in events if isinstance(e.data, CaseReplyRefused)]
    if tellings:
        heard += await _queue(conn, tellings, {_case(e): e.traceparent for e in events})
    if heard:
        rows = [{"person": str(person), "issue": str(issue)} for person, issue in heard]
        await conn.execute(store.HEARD, {"rows": rows})


def _name(event: Event) -> str:
    return type(event.data).__name__


def _case(event: Event) -> UUID:
    """A meeting's event has its topic as subject; people are told about the case."""
    case: UUID = getattr(event.data, "case", event.subject)
    return case


def _resident_spoke(event: Event) -> bool:
    return _name(event) in RESIDENT_SPOKE and getattr(event.data, "by", "resident") == "resident"


async def _drop_stale(conn: AsyncConnection, events: Sequence[Event]) -> None:
    by_name: dict[str, list[UUID]] = {}
    for event in events:
        by_name.setdefault(_name(event), []).append(_case(event))
    for name, issues in by_name.items():
        if name in STALE:
            await conn.execute(store.EXPIRE, {"issues": issues, "reasons": sorted(STALE[name])})


async def _settle_questions(conn: AsyncConnection, events: Sequence[Event]) -> None:
    """Keeps with every question what its case is by now, and settles those that need no answer any more."""
    rows = [
        {
            "issue": str(event.subject),
            "facts": event.data.model_dump(mode="json", include={"phase", "level", "holder_kind", "holder_person"}),
            "closes": closes(_name(event), event.data),
        }
        for event in events
        if isinstance(event.data, CaseEvent)
    ]
    if rows:
        await conn.execute(store.STANDING, {"rows": rows})


async def _queue(
    conn: AsyncConnection, tellings: Sequence[Telling], traces: Mapping[UUID, str | None]
) -> list[tuple[UUID, UUID]]:
    """Returns who now hears what came of an act by text, by case."""
    policy, now = await policies.active(conn), await clock_now(conn)
    told = await store.audience(conn, [_audience_row(i, t) for i, t in enumerate(tellings)])
    chosen = [(tellings[i], person) for i, person in told]
    names = await _names(conn, [t for t, _ in chosen])
    said = await store.spoken(conn, list({t.case for t, _ in chosen}))
    wishes = [
        Wish(person, t.row.reason == "assigned" and not t.urgent, t.hold, said.get(t.case)) for t, person in chosen
    ]
    when = slots(wishes, await _last_assigned(conn, wishes, policy, now), policy, now)
    rows = [
        {
            "key": f"{t.key}:{person}" if t.row.per_person else t.key,
            "person": str(person),
            "template": t.template,
            "reason": t.row.reason,
            "issue": str(t.case),
            "hop": t.hop,
            "params": {**t.facts, **_words(t, names)},
            "urgent": t.urgent,
            "channel": t.channel,
            "traceparent": traces.get(t.case),
            "slot": slot.isoformat(),
        }
        for (t, person), slot in zip(chosen, when, strict=True)
    ]
    await conn.execute(store.INSERT, {"rows": rows})
    return [(person, t.case) for t, person in chosen if t.row.who is Who.REPLIED]


async def _names(conn: AsyncConnection, tellings: Sequence[Telling]) -> dict[str, str]:
    """What the places, venues and departments are called that are spoken of."""
    venues = [UUID(venue) for venue in {t.facts.get("venue") for t in tellings} if venue]
    departments = [code for code in {t.facts.get("department") for t in tellings} if code]
    found = await store.places(conn, list({t.place for t in tellings}))
    return {str(grid): label for grid, label in found.items()} | await store.labels(conn, venues, departments)


def _words(telling: Telling, names: Mapping[str, str]) -> dict[str, str]:
    words = {"label": category_label(str(telling.facts["category"])), "place": names.get(str(telling.place), "")}
    codes = {name: str(telling.facts[name]) for name in ("venue", "department") if telling.facts.get(name)}
    return words | {name: names.get(code, code) for name, code in codes.items()}


def _audience_row(i: int, telling: Telling) -> dict[str, Any]:
    return {
        "i": i,
        "issue": str(telling.case),
        "who": telling.row.who,
        "act": telling.row.act,
        "person": telling.person and str(telling.person),
        "grid": telling.grid and str(telling.grid),
        "departments": list(telling.departments),
        "recused": [str(person) for person in telling.recused],
    }


async def _last_assigned(conn: AsyncConnection, wishes: Sequence[Wish], policy: Policy, now: Any) -> Mapping[UUID, Any]:
    """The latest slots of those who are to get one more; locked, so that two batches cannot both be "the first"."""
    persons = list({wish.person for wish in wishes if wish.bundles})
    if not persons or not policy.bundling:
        return {}
    await store.lock(conn, store.BUNDLE_LOCK)
    return await store.last_assigned(conn, persons, now, policy.bundling)
