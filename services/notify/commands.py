"""Use cases of notify around the providers: the policy, and hearing what became of messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import policies, store
from services.notify.domain.outcomes import Action, action_for
from services.notify.domain.plan import PROVIDERS
from services.notify.domain.policy import parse_policy
from shared.contracts.message import MessageDelivered, MessageFailed
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish

log = structlog.get_logger()
MESSAGES = Counter("chuishao_messages_total", "What became of sendings", ["channel", "state"])
"""By the answer of a call, and later by its receipt: one sending may be counted as sent and as delivered."""
for _channel in PROVIDERS:
    for _state in ("sent", "delivered", "failed", "unknown"):
        MESSAGES.labels(_channel, _state)


@dataclass(frozen=True)
class Receipt:
    """What a provider says became of a message. `ref` is its number for it, `out_id` ours where it gives it back."""

    provider: str
    ref: str
    delivered: bool
    code: str
    out_id: UUID | None = None


async def use_policy(conn: AsyncConnection, policy: str | Mapping[str, Any]) -> None:
    """The deployment (start, administrator): chooses `default`, `demo`, or a body of the same shape.

    Raises ValueError or KeyError for a body that is none, FileNotFoundError for an unknown name.
    """
    name, body = (policy, policies.named(policy)) if isinstance(policy, str) else ("custom", policy)
    parse_policy(body)
    await conn.execute(store.SET_POLICY, {"name": name, "body": body})


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
    for row in moved:
        MESSAGES.labels(row.channel, row.state).inc()
    delivered = {row.message: row.channel for row in moved if row.state == "delivered"}
    failed = [row for row in moved if row.state == "failed"]
    await settle(conn, delivered)
    if failed:
        await conn.execute(store.WAKE, {"ids": [row.message for row in failed]})
        await drop_addresses(conn, [(r.person, r.channel, r.error, r.provider) for r in failed])
    return len(moved)


async def settle(conn: AsyncConnection, messages: Mapping[UUID, str | None]) -> None:
    """Messages that have reached their last state, with those they speak for: `delivered` by a channel, or failed
    (None). Tells MessageDelivered, MessageFailed; of one about no issue, nobody."""
    for kind, state in ((MessageDelivered, "delivered"), (MessageFailed, "failed")):
        ids = [m for m, channel in messages.items() if (channel is not None) == (state == "delivered")]
        settled = await store.all_rows(conn, store.SETTLE, ids=ids, state=state) if ids else []
        rows = [row for row in settled if row.issue]
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
                row.traceparent,
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
