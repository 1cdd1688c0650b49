"""Routing as the process that runs it sees it."""

from pathlib import Path

from services.routing import act_api, policy_api, supervision_api, whistle_api
from services.routing.api import router
from services.routing.consumers import handlers
from services.routing.following import follow
from services.routing.jobs import chase, tick
from services.routing.supervising import review
from shared.service import Service

router.include_router(act_api.router)
router.include_router(whistle_api.router)
router.include_router(policy_api.router)
router.include_router(supervision_api.router)

service = Service(
    name="routing",
    migrations=Path(__file__).parent / "migrations",
    router=router,
    handlers=handlers,
    topics=("issue", "directory", "meeting", "message"),
    jobs=(tick, chase, follow, review),
    live=("case", "whistle"),
)
