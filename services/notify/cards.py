"""Cards whose buttons were pressed: changed once each, tried again a few times."""

from collections.abc import Mapping

import structlog

from services.notify import policies, store
from services.notify.channels import Answer, Refused, Unknown
from services.notify.channels.wecom import Change
from services.notify.contacts import open_contacts
from services.notify.domain import render
from services.notify.domain.outcomes import Action, action_for
from shared.db import clock_now, transaction
from shared.service import Context

log = structlog.get_logger()
BATCH = 32
LEASE = 15.0
"""Seconds (real time) until a change without an end is tried again."""


async def due(context: Context) -> dict[int, Change]:
    """Takes changes that are to be made, by their number (the system)."""
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.CARDS_DUE, batch=BATCH, lease=LEASE)
        if not rows:
            return {}
        now = await clock_now(conn)
        contacts = await open_contacts(conn, context.keys, list({row.person for row in rows}), "send")
    found = {}
    for row in rows:
        texts = render.values(row.template, row.params, code=context.keys.track_code(row.issue), now=now)
        values = render.fill("wecom", row.template, texts)
        address = contacts.get(row.person, {}).get("wecom", "")
        found[row.id] = Change(row.message, row.template, address, values, row.act, row.response_code)
    return found


async def changed(context: Context, answers: Mapping[int, Answer]) -> None:
    """What became of changes (the system): temporary trouble waits for its lease, everything else is over."""
    if not answers:
        return
    async with transaction(context.engine) as conn:
        tries = (await policies.active(conn)).tries
        over = [number for number, answer in answers.items() if not _again(answer)]
        await conn.execute(store.CARDS_DONE, {"ids": over, "all": list(answers), "tries": tries})
    for answer in answers.values():
        if isinstance(answer, Refused):
            log.warning("card.not-changed", code=answer.code)


def _again(answer: Answer) -> bool:
    temporary = isinstance(answer, Refused) and action_for("wecom", answer.code) is Action.RETRY
    return temporary or isinstance(answer, Unknown)
