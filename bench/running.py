"""The whole embedded system as its own process, as a newcomer starts it."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from shared.embedded.kafka import free_ports

COMMAND = Path(sys.executable).parent / "chuishao"
LONGEST = 300.0
"""Seconds until a start is given up; the first one imports a district."""


@asynccontextmanager
async def up(data: Path, *options: str) -> AsyncIterator[tuple[psutil.Process, float]]:
    """`chuishao up`, ready: its process and the seconds from its start to the `ready` line. Stopped at the end."""
    (port,) = free_ports(1)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        *("up", "--data", str(data), "--port", str(port), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    try:
        async with asyncio.timeout(LONGEST):
            while not (line := await process.stdout.readline()).startswith(b"ready "):
                if not line:
                    raise RuntimeError(f"chuishao up ended with {await process.wait()}")
        yield psutil.Process(process.pid), time.perf_counter() - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()
