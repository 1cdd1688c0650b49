"""Changes to the tree, one grid at a time: added, split, moved, merged, voided. Open cases follow: whoever changes the
tree holds the ladder, and routing hears GridChanged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory import grid_store, store
from services.directory.commands import grid_answer
from services.directory.domain.checks import PARENTS
from services.directory.domain.codes import is_code
from shared.auth import Principal
from shared.contracts.directory import GridChanged
from shared.contracts.levels import RANK
from shared.db import LADDER_EXCLUSIVE
from shared.ids import new_id
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish
from shared.problems import forbidden, invalid, not_found


@dataclass(frozen=True)
class NewGrid:
    """A grid that does not exist yet; `lng`, `lat` are WGS-84 degrees."""

    code: str
    level: str
    label: str
    parent: str
    village: bool = False
    kind: str | None = None
    households: int | None = None
    lng: float | None = None
    lat: float | None = None


async def may_change_tree(conn: AsyncConnection, caller: Principal, code: str | None = None) -> None:
    """Administrators and command may. Raises not-found for a grid there never was, forbidden for anybody else."""
    if code is not None and await grid_store.node(conn, code) is None:
        raise not_found()
    if caller.role not in ("admin", "command"):
        raise forbidden()


async def add_grid(conn: AsyncConnection, caller: Principal, new: NewGrid, takes: Sequence[str]) -> dict[str, Any]:
    """Adds a grid below `parent`; the grids it `takes` hang on it from now on (that is how one is split).

    Who may is `may_change_tree`. Tells GridChanged for each. Raises invalid.
    """
    await conn.execute(LADDER_EXCLUSIVE)
    _check_new(new)
    known = await grid_store.node(conn, new.code)
    if known is not None:
        void = known["void_at"] is not None
        words = (
            ("这个编码已作废，不能再用", "was voided and is never used again") if void else ("已有这个编码", "exists")
        )
        raise invalid(("body", "code"), *words)
    parent = await _in_force(conn, ("body", "parent"), new.parent)
    _check_level(("body", "parent"), new.level, parent)
    id_ = new_id()
    taken = [
        await _taken(conn, ("body", "takes", place), code, new.level, parent["id"]) for place, code in enumerate(takes)
    ]
    await grid_store.add(conn, {**asdict(new), "id": id_, "rank": RANK[new.level], "parent": parent["id"]})
    await grid_store.hang(conn, taken, id_)
    await grid_store.grown(conn, [id_])
    await _tell(conn, {id_: "added", **dict.fromkeys(taken, "moved")})
    return await grid_answer(conn, caller, new.code)


def _check_new(new: NewGrid) -> None:
    if not is_code(new.code):
        raise invalid(("body", "code"), "只能用字母、数字和 - _ .，最多 48 个", "may only have letters, digits and -_.")
    if new.village and new.level != "community":
        raise invalid(("body", "village"), "村是社区一级", "is of the level community only")
    if (new.lng is None) != (new.lat is None):
        missing = "lat" if new.lat is None else "lng"
        raise invalid(("body", missing), "经度和纬度要一起填", "is required beside the other coordinate")


async def _taken(conn: AsyncConnection, loc: tuple[str | int, ...], code: str, level: str, parent: UUID) -> UUID:
    child = await _in_force(conn, loc, code)
    _check_level(loc, child["level"], {"level": level})
    if await grid_store.lies_under(conn, parent, child["id"]):
        raise invalid(loc, "它在新网格之上", "lies above the new grid")
    return UUID(str(child["id"]))


async def move_grid(
    conn: AsyncConnection, caller: Principal, code: str, parent: str, label: str | None
) -> dict[str, Any]:
    """Hangs a grid, with all that lies below it, on another parent, and names it anew if `label` says so.

    Who may is `may_change_tree`. Tells GridChanged. Raises invalid.
    """
    await conn.execute(LADDER_EXCLUSIVE)
    grid = await _changeable(conn, code)
    above = await _in_force(conn, ("body", "parent"), parent)
    if await grid_store.lies_under(conn, above["id"], grid["id"]):
        raise invalid(("body", "parent"), "上级关系成环", "would make the parents form a circle")
    _check_level(("body", "parent"), grid["level"], above)
    if label is not None:
        await grid_store.relabel(conn, grid["id"], label)
    await grid_store.hang(conn, [grid["id"]], above["id"])
    await grid_store.grown(conn, [grid["id"]])
    await _tell(conn, {grid["id"]: "moved"})
    return await grid_answer(conn, caller, code)


async def void_grid(conn: AsyncConnection, code: str, into: str | None) -> dict[str, Any]:
    """Voids a grid for good. Merged `into` another of its level, that one gets what lay below it, its seats, rooms and
    bindings, and whatever is open there; without, nothing may lie below it, and what is open there climbs on. Whoever
    had a post there has left it.

    Who may is `may_change_tree`. Tells GridChanged. Raises invalid.
    """
    await conn.execute(LADDER_EXCLUSIVE)
    grid = await _changeable(conn, code)
    heir = await _in_force(conn, ("body", "into"), into) if into is not None else None
    if heir is None and await grid_store.children(conn, grid["id"]):
        raise invalid(("body", "into"), "下面还有网格，请说明并到哪里", "must be named: grids lie below")
    if heir is not None and heir["id"] == grid["id"]:
        raise invalid(("body", "into"), "不能并到自己", "must be another grid")
    if heir is not None and (heir["level"], heir["village"]) != (grid["level"], grid["village"]):
        raise invalid(("body", "into"), "只能并到同一层级的网格", "must be of the same level")
    heir_id = heir["id"] if heir is not None else None
    await grid_store.void(conn, grid["id"], heir_id)
    await grid_store.grown(conn, [grid["id"], *([heir_id] if heir_id else [])])
    await _tell(conn, {grid["id"]: "voided"}, heir_id)
    return {"code": code, "void": True, "into": into}


async def _in_force(conn: AsyncConnection, loc: tuple[str | int, ...], code: str) -> RowMapping:
    found = await grid_store.node(conn, code)
    if found is None:
        raise invalid(loc, "没有这个网格", "names an unknown grid")
    if found["void_at"] is not None:
        raise invalid(loc, "这个网格已作废", "names a grid that was voided")
    return found


async def _changeable(conn: AsyncConnection, code: str) -> RowMapping:
    """A grid named in the address that can be moved or voided: any in force but the district itself."""
    grid = await _in_force(conn, ("path", "code"), code)
    if grid["parent"] is None:
        raise invalid(("path", "code"), "区不能移动，也不能作废", "is the district itself")
    return grid


def _check_level(loc: tuple[str | int, ...], level: str, parent: RowMapping | Mapping[str, Any]) -> None:
    if parent["level"] not in PARENTS.get(level, ()) or parent.get("village"):
        raise invalid(loc, "这一层级不能直接在它之下", f"a {level} grid cannot lie directly under that one")


async def _tell(conn: AsyncConnection, changed: Mapping[UUID, str], into: UUID | None = None) -> None:
    events = [
        NewEvent(grid, await store.take_seq(conn, grid), GridChanged(grid=grid, how=how, into=into))
        for grid, how in changed.items()
    ]
    await publish(conn, events)
