"""Server processes as direct children: started, watched, restarted, stopped, and recorded in `DIR/run`.

A record is believed only if process id, start time, boot and command all agree with `/proc`; Linux alone.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from shared.disks import is_full
from shared.embedded.account import Account
from shared.embedded.errors import EmbeddedError, StartFailed

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0
HEALTHY_SECONDS = 120.0  # crash recovery of a full WAL takes long on a slow disk
START_ATTEMPTS = 3
LONGEST_PAUSE = 5.0
SETTLED_SECONDS = 30.0
LOG_BYTES = 10_000_000
LAUNCHER = Path(__file__).with_name("child.py")


class Server(Protocol):
    """What a child must know about the server that it runs."""

    name: str
    folder: Path  # where its data lie
    stop_signal: signal.Signals  # asks it to stop in order
    orphan_signal: signal.Signals  # what the kernel sends when we die; must end it within 1.5 s

    async def prepare(self) -> None:
        """Install, initialise and clean up what a start needs. Raises EmbeddedError."""

    def command(self) -> list[str]:
        """The command line, beginning with an absolute path."""

    async def ready(self) -> bool:
        """Whether it serves. Called again and again; may finish its set-up as soon as it does."""


@dataclass(frozen=True)
class Record:
    """Identifies one process for good: `started` in clock ticks since the boot called `boot`."""

    pid: int
    started: int
    boot: str
    command: tuple[str, ...]

    @classmethod
    def of(cls, pid: int, command: Sequence[str]) -> "Record":
        """The record of a process that is alive now. Raises ProcessLookupError if it is not."""
        started = _started(pid)
        if started is None:
            raise ProcessLookupError(pid)
        return cls(pid, started, _boot(), tuple(command))

    def alive(self) -> bool:
        """Whether the very process of this record still runs."""
        return self.boot == _boot() and self.started == _started(self.pid) and self.command == _command(self.pid)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    """Start time in ticks since boot, or None when there is no such process or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _command(pid: int) -> tuple[str, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
    except (FileNotFoundError, ProcessLookupError):
        return ()


def own_record() -> Record:
    """The record of this very process."""
    return Record.of(os.getpid(), _command(os.getpid()))


def write_record(path: Path, record: Record, facts: Mapping[str, Any] | None = None) -> None:
    """Write a record with further facts beside it, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({**asdict(record), **(facts or {})}, ensure_ascii=False, indent=1))
    draft.replace(path)


def read_record(path: Path) -> tuple[Record, dict[str, Any]] | None:
    """The record and the further facts of a file; None when it is missing or not a record."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
        pid, started, boot, command = (facts.pop(name) for name in ("pid", "started", "boot", "command"))
    except (FileNotFoundError, ValueError, KeyError, AttributeError):
        return None
    return Record(pid, started, boot, tuple(command)), facts


async def stop_stale(path: Path, stop_signal: signal.Signals) -> None:
    """Stop the process that an earlier system left behind; one that only shares its number is left alone."""
    found = read_record(path)
    if found is not None and found[0].alive():
        record = found[0]
        log.warning("embedded.stale", child=path.stem, pid=record.pid)
        for number in (stop_signal, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, number)
            if await _gone(record, STOP_SECONDS):
                break
    path.unlink(missing_ok=True)  # noqa: ASYNC240 (a local file, nothing to wait for)


async def _gone(record: Record, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while record.alive():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


@dataclass(frozen=True)
class Place:
    """Where children leave their records (`run`) and output (`log`), and who they run as."""

    run: Path
    log: Path
    account: Account

    async def spawn(self, name: str, command: list[str], orphan_signal: signal.Signals) -> asyncio.subprocess.Process:
        """Start `command` as our direct child, its output appended to `log/NAME.log`."""
        # The death signal follows the thread that forked, and only the main thread lives as long as we do.
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("embedded servers are started from the main thread")
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(orphan_signal))]
        with self._log_file(name).open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *launcher,
                str(self.account.uid),
                str(self.account.gid),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                # Nothing of ours is inherited: neither secrets nor JAVA_TOOL_OPTIONS or PGOPTIONS.
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
                # A Ctrl-C in the terminal is for us: we stop the servers after the services.
                start_new_session=True,
            )

    async def run_once(self, name: str, command: list[str]) -> None:
        """Run a tool to its end. Raises StartFailed with the tail of its output."""
        process = await self.spawn(name, command, signal.SIGKILL)
        try:
            code = await asyncio.wait_for(process.wait(), HEALTHY_SECONDS)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if code != 0:
            raise self.failed(name, f"{Path(command[0]).name} exit {code}")

    def failed(self, name: str, what: str) -> StartFailed:
        """The error for `what`, with the last lines that `name` wrote."""
        lines = self._log_file(name).read_text(errors="replace").splitlines()[-8:]
        tail = "\n".join(lines)
        return StartFailed(f"{name} 启动失败({what})", f"{name} did not start ({what}):\n{tail}")

    def _log_file(self, name: str) -> Path:
        path = self.log / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        path.touch()
        return path


class Child:
    """One server as a direct child of this process."""

    def __init__(self, server: Server, place: Place) -> None:
        self.server = server
        self.place = place
        self.process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def record_path(self) -> Path:
        """Where the record of the running process lies."""
        return self.place.run / f"{self.server.name}.json"

    async def start(self) -> None:
        """Prepare, start and wait until healthy. Raises EmbeddedError; a start that dies is tried again."""
        for attempt in range(START_ATTEMPTS):
            await self.server.prepare()
            if await self._begin():
                return
            # What stands in the way often goes by itself: a port, the last backend of a killed server.
            await asyncio.sleep(0.3 * (attempt + 1))
        raise self.place.failed(self.server.name, f"{START_ATTEMPTS}×")

    async def _begin(self) -> bool:
        """Start once; False when the process ended before it was healthy."""
        command = self.server.command()
        self.process = await self.place.spawn(self.server.name, command, self.server.orphan_signal)
        with contextlib.suppress(ProcessLookupError):
            write_record(self.record_path, Record.of(self.process.pid, command))
        deadline = time.monotonic() + HEALTHY_SECONDS
        while self.process.returncode is None:
            if await self.server.ready():
                return True
            if time.monotonic() > deadline:
                await self._end()
                raise self.place.failed(self.server.name, f"{HEALTHY_SECONDS:.0f} s")
            await asyncio.sleep(0.03)
        return False

    async def keep(self) -> None:
        """Start the server again whenever it dies, with a growing pause, until it is stopped or cancelled."""
        pause = 0.1
        while self.process is not None and not self._stopping:
            since = time.monotonic()
            code = await self.process.wait()
            if self._stopping:
                return
            pause = 0.1 if time.monotonic() - since > SETTLED_SECONDS else min(pause * 2, LONGEST_PAUSE)
            log.warning("embedded.died", child=self.server.name, code=code, restart_in=pause)
            await asyncio.sleep(pause)
            try:
                await self.start()
                log.info("embedded.restarted", child=self.server.name)
            except (EmbeddedError, OSError) as error:  # OSError: a full disk, say; it may have room in a minute
                why = "disk full" if is_full(self.server.folder) else getattr(error, "en", str(error))
                log.error("embedded.restart-failed", child=self.server.name, error=why)

    async def stop(self) -> None:
        """Ask the server to stop, and kill it after 10 s. Does nothing if it does not run."""
        self._stopping = True
        await self._end()

    async def _end(self) -> None:
        process = self.process
        if process is None:
            return
        for number in (self.server.stop_signal, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
                break
        self.record_path.unlink(missing_ok=True)
