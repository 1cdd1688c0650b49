"""The SQL of what anybody may read of the tree: places by name, never who holds a post there."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain.codes import is_code

# A grid with what lies above it, lowest first; the district itself is everywhere and says nothing.
_PLACE = """
    SELECT g.id, g.code, g.level, g.label, g.village, g.kind, above.list AS above
      FROM grid g
     CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_object('code', a.code, 'level', a.level, 'label', a.label)
                                  ORDER BY path.rank), '[]'::jsonb) AS list
          FROM path JOIN grid a ON a.id = path.up
         WHERE path.grid = g.id AND a.id <> g.id AND a.level <> 'district'
     ) above
     WHERE g.void_at IS NULL
"""
PLACE = text(f"{_PLACE} AND g.code = :code")
# Grids of one level below a place, or whose name has some words in it; oldest first.
PLACES = text(
    f"""{_PLACE}
       AND g.level = :level
       AND (CAST(:words AS text) IS NULL OR position(:words IN g.label) > 0)
       AND (CAST(:within AS text) IS NULL
            OR EXISTS (SELECT FROM path p JOIN grid w ON w.id = p.up WHERE p.grid = g.id AND w.code = :within))
       AND g.id > :after
     ORDER BY g.id
     LIMIT :limit
    """
)


@dataclass(frozen=True)
class Wanted:
    """Which places a list shows: of `level`, under the grid `within`, with `words` in their name."""

    level: str
    within: str | None
    words: str | None


async def find_place(conn: AsyncConnection, code: str) -> RowMapping | None:
    if not is_code(code):
        return None
    found: RowMapping | None = (await conn.execute(PLACE, {"code": code})).mappings().one_or_none()
    return found


async def list_places(conn: AsyncConnection, wanted: Wanted, after: UUID, limit: int) -> Sequence[RowMapping]:
    values = {"level": wanted.level, "within": wanted.within, "words": wanted.words, "after": after, "limit": limit}
    found: Sequence[RowMapping] = (await conn.execute(PLACES, values)).mappings().all()
    return found
