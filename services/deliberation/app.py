"""Deliberation as a process runs it."""

from pathlib import Path

from services.deliberation.api import router
from services.deliberation.consumers import handlers
from services.deliberation.jobs import tick
from shared.service import Service

service = Service(
    name="deliberation",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    handlers=handlers,
    topics=("case",),
    jobs=(tick,),
    live=("meeting",),
)
