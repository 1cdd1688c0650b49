"""`auditor`: one look for what is due and unmoved, among all pending cases, many of them due.

By the auditor's own login, as in a running system.
"""

import time

from bench.row import Row, median_of
from bench.servers import Bench
from services.notify.auditing import look
from shared.db import transaction

NAME = "auditor"


async def measure(bench: Bench) -> Row:
    async with bench.pending_cases("notify") as ctx:

        async def once() -> float:
            began = time.perf_counter()
            async with transaction(ctx.engine) as conn:
                seen = await look(conn)
            seconds = time.perf_counter() - began
            assert seen.due == bench.size.due, f"{seen.due} were found"
            return seconds

        return Row(NAME, "s", await median_of(bench.runs, once), bench.runs, at_most=1.0)
