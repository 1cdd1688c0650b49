"""The SQL of the list of vacancies: where nobody is, whom no channel reaches, who has too much in hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

KINDS = ("vacant", "unreachable", "overloaded")

# Grids in force, for command and administrators all of them, for a desk those below it; under :grid, if one is named.
# A person with several posts is listed at the lowest of them.
_FOUND = """
WITH here AS MATERIALIZED (
    SELECT g.id, g.code, g.level, g.rank, g.label FROM grid g
     WHERE g.void_at IS NULL
       AND (CAST(:grid AS uuid) IS NULL OR EXISTS (SELECT FROM path p WHERE p.grid = g.id AND p.up = :grid))
       AND (:everything OR EXISTS (SELECT FROM path p JOIN post d ON d.grid = p.up
             WHERE p.grid = g.id AND d.kind = 'desk' AND d.person = CAST(:person AS uuid)))
),
posted AS MATERIALIZED (
    SELECT DISTINCT ON (o.person) o.person, o.kind AS post, h.id AS grid
      FROM here h JOIN post o ON o.grid = h.id ORDER BY o.person, h.rank, h.id
),
found AS (
    SELECT 0 AS ord, h.id AS grid, NULL AS post, CAST(NULL AS uuid) AS person, CAST(NULL AS int) AS cases FROM here h
     WHERE NOT EXISTS (SELECT FROM post o WHERE o.grid = h.id AND o.kind <> 'secretary')
    UNION ALL
    SELECT 1, p.grid, p.post, p.person, NULL FROM posted p
     WHERE NOT EXISTS (SELECT FROM v1_reachable r WHERE r.person = p.person)
    UNION ALL
    SELECT 2, p.grid, p.post, p.person, o.cases FROM routing.v1_overload o JOIN posted p ON p.person = o.person
)
"""
LIST = text(
    f"""{_FOUND}
SELECT f.ord, f.grid AS id, h.code AS grid, h.level, h.label, f.post, p.no AS person, f.cases
  FROM found f JOIN here h ON h.id = f.grid LEFT JOIN person p ON p.id = f.person
 WHERE (CAST(:kind AS int) IS NULL OR f.ord = :kind)
   AND (CAST(:after_ord AS int) IS NULL
        OR (f.ord, f.grid, coalesce(p.no, '')) > (:after_ord, CAST(:after_grid AS uuid), CAST(:after_no AS text)))
 ORDER BY f.ord, f.grid, coalesce(p.no, '') LIMIT :limit
"""
)
COUNTS = text(f"{_FOUND} SELECT ord, count(*) AS n FROM found GROUP BY ord")
HAS_DESK = text("SELECT EXISTS (SELECT FROM post WHERE kind = 'desk' AND person = :person)")


@dataclass(frozen=True)
class Scope:
    """Whose list it is: everything, or what lies below the desks of `person`; under `grid`, if one is named."""

    everything: bool
    person: UUID | None
    grid: UUID | None

    def values(self) -> dict[str, Any]:
        return {"everything": self.everything, "person": self.person, "grid": self.grid}


async def vacancies(
    conn: AsyncConnection, scope: Scope, kind: str | None, after: tuple[int, UUID, str] | None, limit: int
) -> Sequence[RowMapping]:
    """A page; `after` is (kind's number, grid, person's number) of the last one seen."""
    names = ("after_ord", "after_grid", "after_no")
    position = dict(zip(names, after or (None, None, None), strict=True))
    wanted = KINDS.index(kind) if kind else None
    values = {**scope.values(), **position, "kind": wanted, "limit": limit}
    return (await conn.execute(LIST, values)).mappings().all()


async def counts(conn: AsyncConnection, scope: Scope) -> dict[str, int]:
    """How many of each kind there are, on all pages."""
    rows = {row.ord: row.n for row in await conn.execute(COUNTS, scope.values())}
    return {kind: rows.get(number, 0) for number, kind in enumerate(KINDS)}


async def has_desk(conn: AsyncConnection, person: UUID | None) -> bool:
    """Whether the person sits at any desk."""
    return bool((await conn.execute(HAS_DESK, {"person": person})).scalar_one())
