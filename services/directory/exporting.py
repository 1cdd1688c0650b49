"""Exporting a whole district: the workbook that would make it what it is."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.directory import export_store as store
from services.directory.domain.workbook import (
    Binding,
    Department,
    Grid,
    Officer,
    Person,
    Post,
    Seat,
    Venue,
    Workbook,
)
from shared.db import transaction
from shared.keys import Keys


async def export_workbook(engine: AsyncEngine, keys: Keys) -> Workbook:
    """The district as a workbook, with everybody's name and contacts. Runs as the owner of the database; that they were
    opened is logged person by person. An address that turned out dead is exported too: it is what the workbook says."""
    async with transaction(engine) as conn:
        await conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

        async def rows(statement: Any, record: Any) -> tuple[Any, ...]:
            return tuple(record(**row) for row in await store.read(conn, statement))

        return Workbook(
            grids=await rows(store.GRIDS, Grid),
            people=tuple(_person(keys, row) for row in await store.read(conn, store.PEOPLE)),
            posts=await rows(store.POSTS, Post),
            departments=tuple(
                Department(row["code"], row["label"], tuple(row["duties"]))
                for row in await store.read(conn, store.DEPARTMENTS)
            ),
            officers=await rows(store.OFFICERS, Officer),
            seats=await rows(store.SEATS, Seat),
            venues=await rows(store.VENUES, Venue),
            bindings=await rows(store.BINDINGS, Binding),
        )


def _person(keys: Keys, row: Any) -> Person:
    contacts = keys.open(keys.unwrap(bytes(row["wrapped"])), bytes(row["sealed"]))
    return Person(
        no=row["no"],
        name=contacts["name"],
        phone=contacts["phone"],
        party=row["party"],
        openid=contacts["openid"],
        wecom=contacts["wecom"],
        channels=tuple(row["channels"]),
    )
