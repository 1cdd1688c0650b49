"""The intake service as a process runs it."""

from pathlib import Path

from services.intake.api import router
from services.intake.attachments import forget_unused
from services.intake.consumers import handlers
from services.intake.domain.photos import MAX_BYTES
from shared.service import Service

service = Service(
    name="intake",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    handlers=handlers,
    topics=("whistle",),
    jobs=(forget_unused,),
    # what a form says around a photo
    bodies={"/attachments": MAX_BYTES + 64 * 1024},
)
