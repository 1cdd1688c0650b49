"""The directory as a process runs it."""

from pathlib import Path

from services.directory.api import router
from services.directory.consumers import handlers
from shared.service import Service

service = Service(
    name="directory",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    handlers=handlers,
    topics=("whistle",),
)
