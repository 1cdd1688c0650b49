"""Who runs the servers. PostgreSQL refuses to run as root, so as root an unprivileged account takes over."""

import os
import pwd
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CANDIDATES = ("chuishao", "nobody", "daemon")


@dataclass(frozen=True)
class Account:
    """The user id and group id that the servers run under; `borrowed` when it is not the caller's own."""

    name: str
    uid: int
    gid: int
    borrowed: bool

    def own(self, folder: Path) -> None:
        """Make `folder` (mode 0700) if it is missing and hand it, with all in it, to this account."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self.borrowed or folder.stat().st_uid == self.uid:
            return
        for root, _, files in os.walk(folder):
            for path in (Path(root), *(Path(root, name) for name in files)):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose() -> Account:
    """The caller's own account, or for root the first of `CANDIDATES` that this machine has.

    Raises LookupError for root on a machine that has none of them.
    """
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), borrowed=False)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, borrowed=True)
    raise LookupError(f"none of the accounts {', '.join(CANDIDATES)} exists")


def let_through(account: Account, paths: list[Path], progress: Callable[[str], None]) -> None:
    """Give a borrowed account the right to pass through the parents of `paths` (`o+x`, nothing more).

    One line tells which folders were changed.
    """
    if not account.borrowed:
        return
    changed: list[str] = []
    for parent in sorted({parent for path in paths for parent in path.resolve().parents}):
        mode = stat.S_IMODE(parent.stat().st_mode)
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
            changed.append(str(parent))
    if changed:
        progress(f"以 {account.name} 身份运行,已放行 · runs as {account.name}, o+x on: {' '.join(changed)}")
