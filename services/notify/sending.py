"""Sending: claim what is due, call the providers outside any transaction, record what they said.

An attempt is committed as `sending` before its call, so that a crash can never lead to a second, blind one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import policies, questions, store
from services.notify.channels import Accepted, Answer, Delivered, Order, Refused
from services.notify.commands import MESSAGES, apply_receipts, drop_addresses, settle
from services.notify.contacts import open_contacts
from services.notify.domain import render
from services.notify.domain.limits import Limiter, rates
from services.notify.domain.outcomes import Action, action_for
from services.notify.domain.plan import PROVIDERS, Attempt, GiveUp, Send, Step, Wait, next_step
from services.notify.domain.policy import Policy
from services.notify.domain.templates import TEMPLATES
from services.notify.questions import Marks
from shared.db import clock_now, transaction
from shared.ids import new_id
from shared.keys import Keys
from shared.service import Context

log = structlog.get_logger()

LEASE = 15.0
"""Seconds (real time) after which a call without an end counts as orphaned; longer than any call may take."""
OPERATOR = Counter(
    "chuishao_provider_refusals_total", "Refusals that need the operator; the log has the code", ["channel"]
)
for _channel in PROVIDERS:
    OPERATOR.labels(_channel)


@dataclass(frozen=True)
class Call:
    """An attempt on its way to a provider."""

    attempt: UUID
    message: UUID
    person: UUID
    channel: str
    template: str
    order: Order
    traceparent: str | None = None


@dataclass(frozen=True)
class _View:
    """What the decisions about a batch of messages rest on."""

    keys: Keys
    policy: Policy
    now: datetime
    contacts: Mapping[UUID, Mapping[str, str]]
    refused: frozenset[tuple[UUID, str, str]]
    limiter: Limiter
    """Grows as the batch is decided."""

    def channels(self, row: Row[Any]) -> dict[str, str]:
        """Working channels with their addresses, in the person's order, without those that refuse the template, and
        those that the message has no form for or does not want."""
        addresses = self.contacts.get(row.person, {})
        return {c: address for c, address in addresses.items() if self._takes(row, c)}

    def _takes(self, row: Row[Any], channel: str) -> bool:
        wanted = row.channel in (None, channel) and (channel == "sms" or TEMPLATES[row.template].fields)
        return bool(wanted) and (row.person, channel, row.template) not in self.refused

    def call(
        self, row: Row[Any], channel: str, attempt: UUID, address: str, at: datetime, marks: Marks, age: float = 0.0
    ) -> Call:
        name = questions.text_name(row, marks) if channel == "sms" else row.template
        code = self.keys.track_code(row.issue) if row.issue else ""
        texts = render.values(name, row.params, code=code, now=self.now, marks=marks)
        order = Order(
            message=row.message,
            template=self.policy.template_ids.get(channel, {}).get(name, name),
            address=address,
            values=render.fill(channel, name, texts),
            at=at,
            age=age,
        )
        return Call(attempt, row.message, row.person, channel, row.template, order, row.traceparent)


async def claim(context: Context, batch: int) -> list[Call]:
    """Takes messages that are due (the system): decides what is next for each and commits the attempts to be made.
    Those that every channel refused fail. Tells MessageFailed."""
    async with transaction(context.engine) as conn:
        await store.gather(conn)
        due = await store.all_rows(conn, store.DUE, batch=batch)
        if not due:
            return []
        view = await _look(conn, context.keys, due, "send")
        steps = [(row, _next(view, row)) for row in due]
        begun = [(row, c, n) for row, step in steps if isinstance(step, Send) for c, n in step.channels]
        marks = await questions.ask(conn, {row.message: row for row, _, _ in begun}.values())
        calls = [
            (view.call(row, c, new_id(), view.contacts[row.person][c], view.now, marks.get(row.message, {})), n)
            for row, c, n in begun
        ]
        await _begin(conn, calls)
        until = [(row.message, step.until if isinstance(step, Wait) else None) for row, step in steps]
        await conn.execute(store.WAIT, {"rows": [_until(*pair) for pair in until]})
        await settle(conn, {row.message: None for row, step in steps if isinstance(step, GiveUp)})
        return [call for call, _ in calls]


def _until(message: UUID, until: datetime | None) -> dict[str, str | None]:
    return {"message": str(message), "until": until.isoformat() if until else None}


def _next(view: _View, row: Row[Any]) -> Step:
    step = next_step(
        list(view.channels(row)),
        [_attempt(item) for item in row.attempts],
        urgent=row.urgent,
        policy=view.policy,
        now=view.now,
        limits=view.limiter.until(row.person),
    )
    for channel, _ in step.channels if isinstance(step, Send) else ():
        view.limiter.count(row.person, channel)
    return step


def _attempt(item: Mapping[str, Any]) -> Attempt:
    receipt_by = item["receipt_by"]
    return Attempt(
        channel=item["channel"],
        n=item["n"],
        state=item["state"],
        error=item["error"],
        at=datetime.fromisoformat(item["at"]),
        receipt_by=datetime.fromisoformat(receipt_by) if receipt_by else None,
    )


async def _look(conn: AsyncConnection, keys: Keys, rows: Sequence[Row[Any]], purpose: str) -> _View:
    policy, now = await policies.active(conn), await clock_now(conn)
    persons = list({row.person for row in rows})
    refusals = await store.all_rows(conn, store.REFUSALS, persons=persons)
    sent = await store.all_rows(conn, store.SENT, persons=persons)
    return _View(
        keys=keys,
        policy=policy,
        now=now,
        contacts=await open_contacts(conn, keys, persons, purpose),
        refused=frozenset((r.person, r.channel, r.template) for r in refusals),
        limiter=Limiter(rates(policy), now, {(row.person, row.channel): row.times for row in sent}),
    )


async def _begin(conn: AsyncConnection, calls: Sequence[tuple[Call, int]]) -> None:
    rows = [
        {
            "id": str(call.attempt),
            "message": str(call.message),
            "person": str(call.person),
            "channel": call.channel,
            "provider": PROVIDERS[call.channel],
            "n": n,
        }
        for call, n in calls
    ]
    if rows:
        await conn.execute(store.BEGIN, {"rows": rows, "lease": LEASE})


async def adopt(context: Context, batch: int) -> list[Call]:
    """Takes calls whose end nobody knows (the system): their caller is gone, or the provider did not answer. They are
    to be asked about, not repeated."""
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.ORPHANS, lease=LEASE, batch=batch)
        if not rows:
            return []
        view = await _look(conn, context.keys, rows, "ask")
        calls = []
        for row in rows:
            address = view.contacts.get(row.person, {}).get(row.channel)
            # An address that died meanwhile cannot be asked about; the provider would not know it either. A text is
            # asked about by its number, so that its words, and the marks in them, do not matter.
            calls.append(view.call(row, row.channel, row.attempt, address or "", row.at, {}, row.age))
        return calls


async def record(context: Context, answers: Iterable[tuple[Call, Answer]]) -> None:
    """What providers answered (the system): moves attempts and messages on, drops dead addresses and used-up consents.
    Tells MessageDelivered."""
    answers = list(answers)
    async with transaction(context.engine) as conn:
        policy = await policies.active(conn)
        await store.lock(conn, store.RECEIPT_LOCK)
        results = [_result(call, answer, policy) for call, answer in answers]
        await conn.execute(store.RECORD, {"results": results})
        await settle(conn, {call.message: call.channel for call, answer in answers if isinstance(answer, Delivered)})
        early = await store.all_rows(conn, store.EARLY_RECEIPTS, attempts=[call.attempt for call, _ in answers])
        await apply_receipts(conn, [_json(row) for row in early])
        await _drop(conn, [(call, answer.code) for call, answer in answers if isinstance(answer, Refused)])
    for (call, _), result in zip(answers, results, strict=True):
        MESSAGES.labels(call.channel, result["state"]).inc()


def _json(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "out_id": row.out_id and str(row.out_id)}


def _result(call: Call, answer: Answer, policy: Policy) -> dict[str, Any]:
    """An answer as the columns it changes; times are seconds from now."""
    wait = policy.receipts.get(call.channel)
    result: dict[str, Any] = {"attempt": str(call.attempt), "wait": wait.total_seconds() if wait else None}
    if isinstance(answer, Accepted):
        return result | {"state": "sent", "ref": answer.ref, "cost": policy.cost.get(call.channel, 0)}
    if isinstance(answer, Delivered):
        return result | {"state": "delivered", "cost": policy.cost.get(call.channel, 0)}
    if isinstance(answer, Refused):
        again = policy.pause if action_for(PROVIDERS[call.channel], answer.code) is Action.RETRY else timedelta()
        return result | {
            "state": "failed",
            "error": answer.code,
            "wait": None,
            "again": again.total_seconds(),
        }
    return result | {"state": "unknown", "lease": policy.pause.total_seconds()}


async def _drop(conn: AsyncConnection, refused: Sequence[tuple[Call, str]]) -> None:
    """What a refusal means beyond its message."""
    await drop_addresses(conn, [(c.person, c.channel, code, PROVIDERS[c.channel]) for c, code in refused])
    consents = []
    for call, code in refused:
        action = action_for(PROVIDERS[call.channel], code)
        if action is Action.DROP_CONSENT:
            consents.append({"person": str(call.person), "channel": call.channel, "template": call.template})
        if action in (Action.OPERATOR, Action.STOP):
            OPERATOR.labels(call.channel).inc()
            log.error("provider.refused", channel=call.channel, code=code, message=str(call.message))
    if consents:
        await conn.execute(store.REFUSE, {"rows": consents})
