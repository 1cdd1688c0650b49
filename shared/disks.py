"""Room on disks."""

import os
from pathlib import Path

FULL = 32 * 1024 * 1024
"""Bytes below which a disk counts as full: PostgreSQL writes its log in pieces of half of that."""


def room(folder: Path) -> int | None:
    """Bytes that may still be written where `folder` lies; None when it does not exist."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def is_full(folder: Path) -> bool:
    free = room(folder)
    return free is not None and free < FULL
