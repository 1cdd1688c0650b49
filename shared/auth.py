"""Who calls: bearer tokens (JWT, HS256). What they may do is decided by each service from the posts of the moment."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import jwt

from shared.keys import Keys

Role = Literal["command", "admin", "auditor", "arbiter"]
ROLES: tuple[Role, ...] = ("command", "admin", "auditor", "arbiter")


@dataclass(frozen=True)
class Principal:
    """A caller: a person of the workbook (`no`), a resident (`person` without `no`), or a role of the deployment.

    `department` is set for an officer signed in for a department.
    """

    person: UUID | None = None
    no: str | None = None
    role: Role | None = None
    department: str | None = None

    @property
    def key(self) -> str:
        """Stable name of the caller, for idempotency keys and logs; holds no personal data."""
        return str(self.person) if self.person else f"role:{self.role}"

    @property
    def is_staff(self) -> bool:
        return self.no is not None or self.role is not None


class BadToken(Exception):
    """The token is none of ours, or no longer valid."""


def issue_token(keys: Keys, principal: Principal, hours: float = 24) -> str:
    """Tokens live by real time, not by the clock of the rules."""
    now = datetime.now(UTC)
    claims: dict[str, Any] = {"iat": now, "exp": now + timedelta(hours=hours), "sub": principal.key}
    claims |= {
        name: value
        for name, value in (("no", principal.no), ("role", principal.role), ("dep", principal.department))
        if value
    }
    return jwt.encode(claims, keys.token_secret, algorithm="HS256")


def read_token(keys: Keys, token: str) -> Principal:
    """Raises BadToken."""
    try:
        claims = jwt.decode(
            token,
            keys.token_secret,
            algorithms=["HS256"],
            options={"require": ["exp", "sub"], "verify_iat": False},
        )
        role = claims.get("role")
        person = None if role else UUID(claims["sub"])
    except (jwt.PyJWTError, ValueError) as error:
        raise BadToken(type(error).__name__) from error
    return Principal(person=person, no=claims.get("no"), role=role, department=claims.get("dep"))
