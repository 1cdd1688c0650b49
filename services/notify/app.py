"""Notify as a process runs it."""

from pathlib import Path

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.api import router
from services.notify.auditing import audit, ping
from services.notify.consumers import HANDLERS
from services.notify.jobs import change_cards, deliver, find_out
from shared.service import Service

WAITING = Gauge("chuishao_messages_due", "Messages that should have been sent by now")
OLDEST = Gauge("chuishao_messages_due_oldest_seconds", "How long the oldest of them has waited, by the rules' clock")


async def observe(conn: AsyncConnection) -> None:
    rows, seconds = await store.waiting(conn)
    WAITING.set(rows)
    OLDEST.set(seconds)


service = Service(
    name="notify",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    handlers=HANDLERS,
    topics=("issue", "case", "whistle", "meeting"),
    jobs=(deliver, find_out, change_cards, audit, ping),
    observe=observe,
)
