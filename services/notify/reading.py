"""Reading: what was told to whom, for those who answer for it."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from services.notify import store
from services.notify.contacts import open_contacts
from services.notify.schemas import MessageOut
from shared.db import transaction
from shared.service import Context


async def list_messages(
    context: Context, issue: UUID | None, after: UUID | None, limit: int
) -> tuple[list[MessageOut], bool]:
    """A page of messages (of one issue: bundles that list it included), and whether more follow. Addresses are opened
    for it (the vault logs that) and shown masked."""
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.MESSAGES, issue=issue, after=after, limit=limit + 1)
        shown = rows[:limit]
        contacts = await open_contacts(conn, context.keys, list({row.person for row in shown}), "show")
    return [_message(row, contacts.get(row.person, {})) for row in shown], len(rows) > limit


def _message(row: Row[Any], addresses: dict[str, str]) -> MessageOut:
    channel = _channel(row.attempts)
    address = addresses.get(channel or "")
    return MessageOut(
        **{name: getattr(row, name) for name in ("id", "template", "reason", "key", "hop", "issues", "state")},
        person=row.no or str(row.person),
        channel=channel,
        to=mask(address) if address else None,
        at=row.created_at,
        attempts=row.attempts,
    )


def _channel(attempts: list[dict[str, Any]]) -> str | None:
    """The channel that delivered it; else the last one tried."""
    delivered = [a["channel"] for a in attempts if a["state"] == "delivered"]
    return next(iter(delivered), attempts[-1]["channel"] if attempts else None)


def mask(address: str) -> str:
    """Enough to tell two apart, not enough to call: 199****0016."""
    plain = address.removeprefix("+86")
    return f"{plain[:3]}****{plain[-4:]}" if len(plain) >= 9 else f"{plain[:1]}****"
