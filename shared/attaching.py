"""Photos as services other than their owner use them: through intake's published surface, in their own transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.problems import FieldError, invalid_fields

MOST = 9
"""Photos at one issue, one resolution, one result."""

ATTACH = text("SELECT intake.v1_attach(:ids, :owner, :subject, :use, :thing, :place)").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)), *(bindparam(name, type_=Uuid) for name in ("subject", "thing", "place"))
)
SHOWN = text(
    "SELECT id FROM intake.v1_attachment WHERE thing = :thing AND use = :use ORDER BY used_at, ord"
).bindparams(bindparam("thing", type_=Uuid))


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos that a caller adds to an act; `owner` is the caller's key."""

    ids: Sequence[UUID] = ()
    owner: str | None = None

    async def attach(
        self,
        conn: AsyncConnection,
        use: Literal["report", "resolve", "result"],
        *,
        subject: UUID,
        thing: UUID,
        place: UUID | None = None,
    ) -> None:
        """Each is taken once and shown with `thing` to whoever may read `subject` (an issue; where none stands behind
        a case, posts above `place`). Raises Problem 422 naming what is not the caller's own, used, or gone."""
        if not self.ids:
            return
        values = {"ids": list(self.ids), "owner": self.owner, "use": use}
        taken = (await conn.execute(ATTACH, {**values, "subject": subject, "thing": thing, "place": place})).scalars()
        left = set(taken)
        errors = []
        for number, id_ in enumerate(self.ids):
            if id_ not in left:
                errors.append(FieldError(("body", "attachments", number), "没有这张照片", "is not a photo of yours"))
            left.discard(id_)
        if errors:
            raise invalid_fields(errors)


async def photos_of(conn: AsyncConnection, thing: UUID, use: Literal["report", "resolve", "result"]) -> list[str]:
    """Ids of the photos shown with an issue, a case or a whistle, in their order."""
    return [str(id_) for id_ in (await conn.execute(SHOWN, {"thing": thing, "use": use})).scalars()]
