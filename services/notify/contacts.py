"""Opening people's addresses: in batches, just before sending, never logged."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from shared.keys import Keys

log = structlog.get_logger()

FIELDS = {"sms": "phone", "wechat": "openid", "wecom": "wecom"}
"""Channel → the field of a person's contacts that is its address."""


async def open_contacts(
    conn: AsyncConnection, keys: Keys, persons: Sequence[UUID], purpose: str
) -> dict[UUID, dict[str, str]]:
    """Addresses by working channel, in each person's order; every opening is logged by the vault. A person whose
    fields cannot be opened (erased, other key) has none, and holds nobody else back."""
    found: dict[UUID, dict[str, str]] = {}
    for row in await store.all_rows(conn, store.CONTACTS, persons=persons, purpose=purpose):
        try:
            opened = keys.open(keys.unwrap(row.wrapped), row.sealed)
        except InvalidTag:
            log.warning("contacts.unreadable", person=str(row.person))
            continue
        found[row.person] = {c: opened[FIELDS[c]] for c in row.channels if c in FIELDS and opened.get(FIELDS[c])}
    return found
