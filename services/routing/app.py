"""Routing as the process that runs it sees it."""

from pathlib import Path

from services.routing import whistle_api
from services.routing.api import router
from services.routing.consumers import handlers
from services.routing.jobs import chase, tick
from shared.service import Service

router.include_router(whistle_api.router)

service = Service(
    name="routing",
    migrations=Path(__file__).parent / "migrations",
    router=router,
    handlers=handlers,
    topics=("issue", "directory", "meeting", "message"),
    jobs=(tick, chase),
    live=("case", "whistle"),
)
