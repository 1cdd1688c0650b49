"""Use cases of notify: telling people, and hearing from providers what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import policies, store
from services.notify.domain.audience import RESIDENT_SPOKE, STALE, Telling, tell
from services.notify.domain.outcomes import Action, action_for
from services.notify.domain.policy import Policy, parse_policy
from services.notify.domain.slots import Wish, slots
from shared.contracts.labels import category_label
from shared.contracts.message import MessageDelivered, MessageFailed
from shared.db import clock_now
from shared.keys import Keys
from shared.messaging.events import Event, NewEvent
from shared.messaging.outbox import publish
from shared.phones import e164

log = structlog.get_logger()


@dataclass(frozen=True)
class Receipt:
    """What a provider says became of a message. `ref` is its number for it, `out_id` ours where it gives it back."""

    provider: str
    ref: str
    delivered: bool
    code: str
    out_id: UUID | None = None


@dataclass(frozen=True)
class Inbound:
    """A text that came from a telephone."""

    provider: str
    sequence_id: str
    phone: str
    content: str


async def use_policy(conn: AsyncConnection, policy: str | Mapping[str, Any]) -> None:
    """The deployment (start, administrator): chooses `default`, `demo`, or a body of the same shape.

    Raises ValueError or KeyError for a body that is none, FileNotFoundError for an unknown name.
    """
    name, body = (policy, policies.named(policy)) if isinstance(policy, str) else ("custom", policy)
    parse_policy(body)
    await conn.execute(store.SET_POLICY, {"name": name, "body": body})


async def tell_people(conn: AsyncConnection, events: Sequence[Event]) -> None:
    """Events of cases (the system): queues the messages the table names, and drops the waiting ones that are no longer
    true. One message per key, however often an event comes."""
    await _drop_stale(conn, events)
    await store.note_spoken(conn, [(e.subject, e.time) for e in events if _resident_spoke(e)])
    tellings = [t for e in events for t in tell(_name(e), e.data, case=e.subject, seq=e.seq)]
    if tellings:
        await _queue(conn, tellings)


def _name(event: Event) -> str:
    return type(event.data).__name__


def _resident_spoke(event: Event) -> bool:
    return _name(event) in RESIDENT_SPOKE and getattr(event.data, "by", "resident") == "resident"


async def _drop_stale(conn: AsyncConnection, events: Sequence[Event]) -> None:
    by_name: dict[str, list[UUID]] = {}
    for event in events:
        by_name.setdefault(_name(event), []).append(event.subject)
    for name, issues in by_name.items():
        if name in STALE:
            reasons = STALE[name]
            parameters = {"issues": issues, "reasons": None if reasons is None else sorted(reasons)}
            await conn.execute(store.EXPIRE, parameters)


async def _queue(conn: AsyncConnection, tellings: Sequence[Telling]) -> None:
    policy, now = await policies.active(conn), await clock_now(conn)
    told = await store.audience(conn, [_audience_row(i, t) for i, t in enumerate(tellings)])
    chosen = [(tellings[i], person) for i, person in told]
    names = await store.places(conn, list({t.place for t, _ in chosen}))
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
            "params": {
                **t.facts,
                "label": category_label(str(t.facts["category"])),
                "place": names.get(t.place, ""),
            },
            "urgent": t.urgent,
            "slot": slot.isoformat(),
        }
        for (t, person), slot in zip(chosen, when, strict=True)
    ]
    await conn.execute(store.INSERT, {"rows": rows})


def _audience_row(i: int, telling: Telling) -> dict[str, Any]:
    return {
        "i": i,
        "who": telling.row.who,
        "person": telling.person and str(telling.person),
        "grid": telling.grid and str(telling.grid),
        "recused": [str(person) for person in telling.recused],
    }


async def _last_assigned(conn: AsyncConnection, wishes: Sequence[Wish], policy: Policy, now: Any) -> Mapping[UUID, Any]:
    """The latest slots of those who are to get one more; locked, so that two batches cannot both be "the first"."""
    persons = list({wish.person for wish in wishes if wish.bundles})
    if not persons or not policy.bundling:
        return {}
    await store.lock(conn, store.BUNDLE_LOCK)
    return await store.last_assigned(conn, persons, now, policy.bundling)


async def take_receipts(conn: AsyncConnection, receipts: Sequence[Receipt]) -> None:
    """A provider: notes what it says, and moves the attempts and messages it is about. States only go forward: a
    double, a late or an unknown receipt is only logged. Tells MessageDelivered."""
    if not receipts:
        return
    await store.lock(conn, store.RECEIPT_LOCK)
    rows = [_receipt_row(receipt) for receipt in receipts]
    await conn.execute(store.LOG_RECEIPTS, {"receipts": rows})
    moved = await apply_receipts(conn, rows)
    if moved < len(rows):
        log.info("receipts.only-logged", count=len(rows) - moved)


def _receipt_row(receipt: Receipt) -> dict[str, Any]:
    return {
        "provider": receipt.provider,
        "ref": receipt.ref,
        "out_id": receipt.out_id and str(receipt.out_id),
        "delivered": receipt.delivered,
        "code": receipt.code[:64],
    }


async def apply_receipts(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Moves what the receipts are about; returns how many attempts that were."""
    moved = await store.all_rows(conn, store.RECEIPTS, receipts=rows)
    delivered = {row.message: row.channel for row in moved if row.state == "delivered"}
    failed = [row for row in moved if row.state == "failed"]
    await settle(conn, delivered)
    if failed:
        await conn.execute(store.WAKE, {"ids": [row.message for row in failed]})
        await drop_addresses(conn, [(r.person, r.channel, r.error, r.provider) for r in failed])
    return len(moved)


async def settle(conn: AsyncConnection, messages: Mapping[UUID, str | None]) -> None:
    """Messages that have reached their last state, with those they speak for: `delivered` by a channel, or failed
    (None). Tells MessageDelivered, MessageFailed."""
    for kind, state in ((MessageDelivered, "delivered"), (MessageFailed, "failed")):
        ids = [m for m, channel in messages.items() if (channel is not None) == (state == "delivered")]
        rows = await store.all_rows(conn, store.SETTLE, ids=ids, state=state) if ids else []
        if not rows:
            continue
        seqs = await store.next_seqs(conn, [row.issue for row in rows])
        events = [
            NewEvent(
                row.issue,
                seq,
                kind(
                    message=row.id,
                    person=row.person,
                    reason=row.reason,
                    channel=messages[row.lead],
                    hop=row.hop,
                ),
            )
            for row, seq in zip(rows, seqs, strict=True)
        ]
        await publish(conn, events)


async def drop_addresses(conn: AsyncConnection, refused: Sequence[tuple[UUID, str, str, str]]) -> None:
    """Never again uses an address that a provider called dead: (person, channel, error, provider)."""
    rows = [
        {"person": str(person), "channel": channel, "reason": error}
        for person, channel, error, provider in refused
        if action_for(provider, error) is Action.DROP_ADDRESS
    ]
    if rows:
        await conn.execute(store.DROP_ADDRESSES, {"rows": rows})


async def take_inbound(conn: AsyncConnection, keys: Keys, texts: Sequence[Inbound]) -> None:
    """A provider: notes what came from telephones, once per number of the provider. Acts on nothing yet."""
    indexes = [keys.phone_index(e164(text.phone) or text.phone) for text in texts]
    found = await store.all_rows(conn, store.FIND_PHONES, indexes=indexes)
    persons = {row.i: row.person for row in found}
    rows = [
        {
            "provider": text.provider,
            "sequence_id": text.sequence_id,
            "person": str(persons[i]) if persons.get(i) else None,
            "content": text.content[:500],
        }
        for i, text in enumerate(texts, start=1)
    ]
    await conn.execute(store.INBOUND, {"rows": rows})
