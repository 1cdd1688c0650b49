"""Notify as a process runs it."""

from pathlib import Path

from services.notify.api import router
from services.notify.consumers import HANDLERS
from services.notify.jobs import change_cards, deliver, find_out
from shared.service import Service

service = Service(
    name="notify",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    handlers=HANDLERS,
    topics=("issue", "case", "whistle", "meeting"),
    jobs=(deliver, find_out, change_cards),
)
