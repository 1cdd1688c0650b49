"""Use cases of notify around people's answers: texts and pressed buttons become acts, each once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.contacts import open_contacts
from services.notify.domain.replies import HELP_A_DAY, Act, Over, Question, Which, decide, read
from services.notify.domain.templates import BY_TEXT, LIST_MOST, TEMPLATES, Ask
from shared.contracts.message import MessageReplied
from shared.db import clock_now
from shared.keys import Keys
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish
from shared.phones import e164

log = structlog.get_logger()
HELP = ("reply-none", "reply-junk")
"""Answers to texts that mean nothing."""


@dataclass(frozen=True)
class Inbound:
    """A text that came from a telephone."""

    provider: str
    sequence_id: str
    phone: str
    content: str


@dataclass(frozen=True)
class Click:
    """A button that was pressed on a card. `task` is our id of the card, `response_code` changes it once."""

    user: str
    task: str
    button: str
    response_code: str


# -- texts ------------------------------------------------------------------------------------------------
async def take_inbound(conn: AsyncConnection, keys: Keys, text: Inbound) -> None:
    """A provider: does what a text from a telephone says, once per number of the provider, and answers one that says
    nothing clear. Keeps its digits, never other words. Tells MessageReplied."""
    await store.lock(conn, store.REPLY_LOCK)
    said = read(text.content)
    person = await store.find_phone(conn, keys.phone_index(e164(text.phone) or text.phone))
    content = f"{said.digit}{said.mark or ''}" if said else ""
    new = await store.note_inbound(conn, text.provider, text.sequence_id, person, content)
    if not new or person is None:
        return
    step = decide(said, await _questions(conn, person)) if said else None
    match step:
        case Act(question, act):
            mark = question.mark if said and said.mark else None
            await _answered(conn, person, question.issue, question.asks, pending=act)
            await _reply(conn, person, question, act, "sms", mark=mark)
        case Over(question, act):
            await _say(conn, person, text, "reply-refused", question.issue, _standing(person, question, act))
        case Which(questions):
            name = f"reply-which-{min(len(questions), LIST_MOST)}"
            items = [{**q.facts, "mark": q.mark} for q in questions]
            await _say(conn, person, text, name, questions[0].issue, {"items": items, "most": LIST_MOST})
        case None:
            if await store.helped(conn, person, HELP) < HELP_A_DAY:
                await _say(conn, person, text, "reply-none" if said else "reply-junk", None, {})


async def _questions(conn: AsyncConnection, person: UUID) -> list[Question]:
    rows = await store.all_rows(conn, store.QUESTIONS, person=person)
    return [Question(**{**row._mapping, "asks": Ask(row.asks)}) for row in rows]


def _standing(person: UUID, question: Question, act: str) -> dict[str, Any]:
    facts = question.facts
    mine = "yes" if facts.get("holder_person") == str(person) else None
    return {**facts, "holder": facts.get("holder_kind"), "act": act, "mine": mine}


async def _say(
    conn: AsyncConnection, person: UUID, text: Inbound, template: str, issue: UUID | None, params: Mapping[str, Any]
) -> None:
    """Answers a text by text, at once."""
    row = {
        "key": f"reply:{text.provider}.{text.sequence_id}",
        "person": str(person),
        "template": template,
        "reason": "reply",
        "issue": issue and str(issue),
        "hop": None,
        "params": params,
        "urgent": False,
        "channel": "sms",
        "slot": (await clock_now(conn)).isoformat(),
    }
    await conn.execute(store.INSERT, {"rows": [row]})


async def _reply(
    conn: AsyncConnection,
    person: UUID,
    asked: Question | Row[Any],
    act: str,
    channel: str,
    *,
    mark: int | None = None,
    whistle: str | None = None,
) -> None:
    (seq,) = await store.next_seqs(conn, [asked.issue])
    reply = MessageReplied(
        message=asked.message,
        person=person,
        reason=asked.reason,
        channel=channel,
        hop=asked.hop,
        case=asked.issue,
        act=act,
        mark=mark,
        whistle=UUID(whistle) if whistle else None,
    )
    await publish(conn, [NewEvent(asked.issue, seq, reply)])


async def _answered(conn: AsyncConnection, person: UUID, issue: UUID, asks: Ask, pending: str | None) -> None:
    await conn.execute(store.ANSWER, {"person": person, "issue": issue, "asks": asks, "pending": pending})


# -- buttons ----------------------------------------------------------------------------------------------
async def take_click(conn: AsyncConnection, keys: Keys, click: Click) -> None:
    """WeCom: does what a button says, once per card and button, and has the card changed. Tells MessageReplied. A
    button that is none of ours, or another member's, is only logged."""
    card = await _card(conn, click.task)
    if card is None or click.button not in TEMPLATES[card.template].buttons:
        log.warning("click.unknown")
        return
    contacts = await open_contacts(conn, keys, [card.person], "click")
    if contacts.get(card.person, {}).get("wecom") != click.user:
        log.warning("click.not-theirs", message=str(card.message))
        return
    if not await store.note_inbound(conn, "wecom", f"{card.message}.{click.button}", card.person, click.button):
        return
    asks = TEMPLATES[card.template].asks
    if asks in BY_TEXT:
        await _answered(conn, card.person, card.issue, asks, pending=None)
    await _reply(conn, card.person, card, click.button, "wecom", whistle=card.params.get("whistle"))
    change = {"message": card.message, "person": card.person, "act": click.button, "response_code": click.response_code}
    await conn.execute(store.CHANGE_CARD, change)


async def _card(conn: AsyncConnection, task: str) -> Row[Any] | None:
    """The message behind a card; a card that was changed bears its id with something after it."""
    try:
        message = UUID(task[:36])
    except ValueError:
        return None
    rows = await store.all_rows(conn, store.CARD, message=message)
    return rows[0] if rows else None
