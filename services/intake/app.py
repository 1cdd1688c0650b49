"""The intake service as a process runs it."""

from pathlib import Path

from services.intake.api import router
from services.intake.consumers import handlers
from shared.service import Service

service = Service(
    name="intake",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    handlers=handlers,
    topics=("whistle",),
)
