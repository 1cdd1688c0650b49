"""Apache Kafka's jars: named and summed in `deploy/kafka/jars.lock`, kept in the user's cache.

The lock is in the format of `sha256sum`, its names are paths in a Maven repository. It holds no address: the
mirror is Maven Central, or what CHUISHAO_MAVEN_MIRROR says.
"""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2

from shared.embedded.errors import JarRefused

KAFKA = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
LOCK = KAFKA / "jars.lock"
TRIES = 3
DOWNLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class Jar:
    """One locked file: `path` inside a Maven repository, hexadecimal SHA-256 sum."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """The file name; unique in the lock."""
        return self.path.rpartition("/")[2]


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The locked files, in the order of the class path."""
    pairs = (line.split(maxsplit=1) for line in lock.read_text().splitlines() if line)
    return [Jar(path, sha256) for sha256, path in pairs]


def cache_folder() -> Path:
    """Where the jars lie: `$XDG_CACHE_HOME/chuishao/kafka`, by default below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "chuishao" / "kafka"


def install(progress: Callable[[str], None], folder: Path | None = None, lock: Path = LOCK) -> list[Path]:
    """Make sure that every locked jar lies in `folder`, unaltered, and return their paths.

    What is there is checked (45 MB: 0.1 s), what is missing is fetched; the network is used for nothing else.
    Raises JarRefused for a file with another sum, and for one that the mirror does not give.
    """
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    jars = read_lock(lock)
    missing = [jar for jar in jars if not (folder / jar.name).exists()]
    if missing:
        progress(f"下载 Kafka 的 {len(missing)} 个文件 · fetching {len(missing)} files of Kafka")
        _fetch_all(missing, folder, progress)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda jar: _check(jar, folder / jar.name), jars))
    return [folder / jar.name for jar in jars]


def _check(jar: Jar, file: Path) -> None:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != jar.sha256:
        raise JarRefused(
            f"{file} 与锁定的校验和不符,请删除后重试",
            f"{file} is not the locked file (sha256 {found[:12]}…, not {jar.sha256[:12]}…): delete it",
        )


def mirror() -> str:
    """Base address of the Maven repository that jars come from."""
    from jgo.constants import MAVEN_CENTRAL_URL  # takes 0.3 s to import, needed only when a jar is missing

    return os.environ.get("CHUISHAO_MAVEN_MIRROR", str(MAVEN_CENTRAL_URL)).rstrip("/")


def _fetch_all(jars: list[Jar], folder: Path, progress: Callable[[str], None]) -> None:
    base = mirror()
    with (
        httpx2.Client(timeout=60, follow_redirects=True) as client,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        done = pool.map(lambda jar: _fetch(client, f"{base}/{jar.path}", jar, folder), jars)
        for number, _ in enumerate(done, 1):
            if number % 10 == 0 or number == len(jars):
                progress(f"Kafka {number}/{len(jars)}")


def _fetch(client: httpx2.Client, url: str, jar: Jar, folder: Path) -> Jar:
    """Fetch one jar under a draft name; it gets its own name when its sum is right."""
    draft = folder / f"{jar.name}.{os.getpid()}.new"
    try:
        for tried in range(1, TRIES + 1):
            try:
                response = client.get(url)
                response.raise_for_status()
                break
            except httpx2.HTTPError as error:
                if tried == TRIES:
                    raise JarRefused(f"无法下载 {jar.name}", f"cannot fetch {jar.name}: {error!r}") from error
        draft.write_bytes(response.content)
        draft.chmod(0o644)  # as root the servers run under another account
        _check(jar, draft)
        draft.replace(folder / jar.name)
    finally:
        draft.unlink(missing_ok=True)
    return jar
