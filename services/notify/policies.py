"""The active policy: a named file beside this one, or a district's own body, kept in the database."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.domain.policy import Policy, parse_policy

FOLDER = Path(__file__).parent / "policy"


@cache
def named(name: str) -> Mapping[str, Any]:
    """The body of `policy/NAME.yaml`. Raises FileNotFoundError."""
    body: Mapping[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return body


async def active(conn: AsyncConnection) -> Policy:
    """The policy in force; `default` when none was chosen."""
    return parse_policy(await store.policy_body(conn) or named("default"))
