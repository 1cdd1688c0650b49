"""Statements by which open cases follow people and the tree."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.store.reading import BOUND_AT, SEATED_AT

# An open case is displaced when its grid is no longer on the way up from its place, or when whoever has it is not there
# any more: left the post, is away, stood in for somebody who is back, is bound to the grid no longer. From community up
# there always is a desk.
_DISPLACED = f"""
SELECT c.id, c.rank, c.on_hold, c.wait_by, c.noes FROM cases c
 WHERE c.phase IN ('assigned', 'accepted') AND {{scope}}
   AND (NOT EXISTS (SELECT FROM directory.v1_path p WHERE p.grid = c.place AND p.up = c.grid)
        OR CASE WHEN c.holder_kind = 'desk' THEN c.rank < 5 AND NOT EXISTS (
                     SELECT FROM directory.v1_post d WHERE d.grid = c.grid AND d.kind = 'desk')
                WHEN c.holder_post = 'bound' THEN NOT {BOUND_AT.format(grid="c.grid", person="c.holder_person")}
                ELSE NOT {SEATED_AT.format(grid="c.grid", person="c.holder_person")} END)
   FOR UPDATE OF c
"""
LOCK_DISPLACED = text(
    _DISPLACED.format(scope="(c.grid = ANY (:grids) OR c.holder_kind = 'person' AND c.holder_person = ANY (:persons))")
)
LOCK_ALL_DISPLACED = text(_DISPLACED.format(scope="true"))
POSTS_OF = text("SELECT grid FROM directory.v1_post WHERE person = ANY (:persons)")
# A whistle of a desk that is gone belongs to the desk its grid was merged into, or to the one above.
WHISTLES_FOLLOW = text("""
UPDATE whistles w SET desk = heir.up, desk_rank = heir.rank
  FROM directory.v1_grid g
 CROSS JOIN LATERAL (SELECT p.up, p.rank FROM directory.v1_path p
                      WHERE p.grid = g.id AND p.rank >= 5 ORDER BY p.rank LIMIT 1) heir
 WHERE g.id = w.desk AND g.void_at IS NOT NULL AND w.state NOT IN ('confirmed', 'withdrawn')
""")

# -- absences begin and end at their time -------------------------------------------------------------------
# When the next change of a person's presence is; who is back for good has none.
NOTE_TURNS = text("""
WITH turns AS (
    SELECT person, CASE WHEN a.since > public.clock_now() THEN a.since ELSE a.until END AS at
      FROM directory.v1_absence a WHERE person = ANY (:persons) AND a.until > public.clock_now()
),
over AS (
    DELETE FROM turn WHERE person = ANY (:persons) AND NOT EXISTS (SELECT FROM turns t WHERE t.person = turn.person)
)
INSERT INTO turn (person, at) SELECT person, at FROM turns
    ON CONFLICT (person) DO UPDATE SET at = excluded.at
""")
NEXT_TURN = text("SELECT extract(epoch FROM min(at) - public.clock_now())::float FROM turn")
LOCK_TURNED = text("SELECT person FROM turn WHERE at <= public.clock_now() ORDER BY person FOR UPDATE SKIP LOCKED")


async def lock_displaced(
    conn: AsyncConnection, grids: Collection[UUID], persons: Collection[UUID]
) -> Sequence[RowMapping]:
    """Locks the displaced cases at these grids or in these persons' hands."""
    scope: Mapping[str, Any] = {"grids": list(grids), "persons": list(persons)}
    return (await conn.execute(LOCK_DISPLACED, scope)).mappings().all()


async def lock_all_displaced(conn: AsyncConnection) -> Sequence[RowMapping]:
    return (await conn.execute(LOCK_ALL_DISPLACED)).mappings().all()


async def posts_of(conn: AsyncConnection, persons: Collection[UUID]) -> list[UUID]:
    """The grids at which these persons have a post."""
    return list((await conn.execute(POSTS_OF, {"persons": list(persons)})).scalars())


async def note_turns(conn: AsyncConnection, persons: Collection[UUID]) -> None:
    """Notes when the absence of each of these persons begins or ends next."""
    await conn.execute(NOTE_TURNS, {"persons": list(persons)})


async def until_next_turn(conn: AsyncConnection) -> float | None:
    """Seconds until somebody's absence begins or ends; None: nobody's will."""
    until: float | None = (await conn.execute(NEXT_TURN)).scalar_one()
    return until


async def lock_turned(conn: AsyncConnection) -> list[UUID]:
    """Locks the persons whose absence has begun or ended; what another worker has is passed over."""
    return list((await conn.execute(LOCK_TURNED)).scalars())
