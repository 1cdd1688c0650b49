"""Routing as the process that runs it sees it."""

from pathlib import Path

from services.routing.api import router
from services.routing.consumers import handlers
from services.routing.jobs import audit, tick
from shared.service import Service

service = Service(
    name="routing",
    migrations=Path(__file__).parent / "migrations",
    router=router,
    handlers=handlers,
    topics=("issue", "directory"),
    jobs=(tick, audit),
)
