"""The sandbox as a process runs it: mounted at `/sandbox`, in place of the providers of messages."""

from pathlib import Path

from sandbox.api import router
from sandbox.jobs import forget_nonces, report
from shared.service import Service

service = Service(
    name="sandbox",
    migrations=Path(__file__).with_name("migrations"),
    router=router,
    jobs=(report, forget_nonces),
)
