"""All SQL of the command line: what only an operator may ask, as the owner of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sandbox.store import busy
from services.notify.store import TELLING_PLACE

PERSON_BY_NO = text("SELECT id, no FROM directory.v1_person WHERE no = :no AND gone_at IS NULL")
# A desk may have several persons: the first by number.
PERSON_BY_POST = text("""
SELECT p.id, p.no FROM directory.v1_post s JOIN directory.v1_grid g ON g.id = s.grid
  JOIN directory.v1_person p ON p.id = s.person WHERE g.code = :code AND s.kind = :kind ORDER BY p.no LIMIT 1
""")
OFFICER = text("""
SELECT p.id, p.no FROM directory.v1_officer o JOIN directory.v1_person p ON p.id = o.person
 WHERE o.department = :code ORDER BY p.no LIMIT 1
""")
PERSON_BY_PHONE = text("SELECT vault.v1_person_by_phone(:index, :wrapped, :sealed) AS id")
NO_OF = text("SELECT no FROM directory.v1_person WHERE id = :id AND gone_at IS NULL")

FIND_PHONE = text("SELECT vault.v1_find_phone(:index)")
CONTACTS = text("SELECT wrapped, sealed FROM vault.v1_contacts(ARRAY[CAST(:person AS uuid)], 'sandbox.telephone')")
MESSAGES = text("""
SELECT m.id, coalesce(p.no, m.person::text) AS person, m.template, m.reason, m.issue, m.hop
  FROM notify.message m LEFT JOIN directory.v1_person p ON p.id = m.person WHERE m.id = ANY(:ids)
""")

WRAPPED_KEYS = text("""
SELECT id, wrapped_key FROM vault.person
 WHERE CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid) ORDER BY id LIMIT :batch
""")
# Only what is still as it was read: whoever writes meanwhile knows the newest key.
REWRAP = text("""
UPDATE vault.person p SET wrapped_key = n.new
  FROM unnest(CAST(:ids AS uuid[]), CAST(:old AS bytea[]), CAST(:new AS bytea[])) AS n(id, old, new)
 WHERE p.id = n.id AND p.wrapped_key = n.old
""")

ISSUE_BY_NUMBER = text("SELECT id FROM intake.issue WHERE number = :number")
NUMBER_OF_ISSUE = text("SELECT number FROM intake.issue WHERE id = :id")
PLACE_OF = text("SELECT place FROM intake.issue WHERE id = :id")
LADDER = text("""
SELECT g.level, g.code, g.label FROM directory.v1_path p JOIN directory.v1_grid g ON g.id = p.up
 WHERE p.grid = :grid AND p.rank <= 6 ORDER BY p.rank DESC
""")
GRID_LABELS = text("SELECT id, label FROM directory.v1_grid WHERE id = ANY(:ids)")

MOVE_CLOCK = text("UPDATE public.clock_shift SET shift = shift + :by RETURNING public.clock_now()").bindparams(
    bindparam("by", type_=Interval)
)
CLOCK_NOW = text("SELECT public.clock_now()")

MIGRATED = "SELECT version_num FROM {schema}.migration"
UNPUBLISHED = (
    "SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float AS age"
    " FROM {schema}.outbox WHERE published_at IS NULL"
)
QUARANTINED = "SELECT count(*) FROM {schema}.quarantine"
# The worker comes within a second; what is due longer than that has been forgotten.
OVERDUE = text("""
SELECT count(*) AS rows, coalesce(extract(epoch FROM public.clock_now() - min(at)), 0)::float AS late
  FROM (SELECT at FROM routing.v1_due UNION ALL SELECT at FROM deliberation.v1_due) waiting
 WHERE at <= public.clock_now()
""")
# To be looked at now, to be let go now, or in a provider's hands.
MESSAGES_MOVING = text("""
SELECT (SELECT count(*) FROM notify.message
         WHERE (NOT held AND next_attempt_at <= public.clock_now())
            OR (held AND state = 'queued' AND not_before <= public.clock_now()))
     + (SELECT count(*) FROM notify.attempt WHERE state IN ('sending', 'unknown'))
     + (SELECT count(*) FROM notify.card_update WHERE next_at <= now())
     + (SELECT count(*) FROM sandbox.report WHERE next_at IS NOT NULL)
""")
CALENDARS = text("""
SELECT calendar, published_until,
       extract(epoch FROM published_until - public.clock_now())::float / 86400 AS days
  FROM public.calendar_horizon ORDER BY calendar
""")
# What the policy in force counts by and has no hours; the natural clock needs none.
CALENDARS_MISSING = text("""
SELECT DISTINCT c FROM routing.term t JOIN routing.policy_in_force f ON f.policy = t.policy
 CROSS JOIN LATERAL (VALUES (t.accept_calendar), (t.resolve_calendar)) AS used(c)
 WHERE c <> 'natural' AND NOT EXISTS (SELECT FROM public.calendar_span s WHERE s.calendar = c) ORDER BY c
""")
VACANT = text("""
SELECT g.level, count(*) AS grids, count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM directory.v1_post s WHERE s.grid = g.id AND s.kind IN ('leader', 'party'))) AS vacant
  FROM directory.v1_grid g WHERE g.rank <= 4 AND g.void_at IS NULL GROUP BY g.level, g.rank ORDER BY g.rank
""")
EMPTY_DESKS = text("""
SELECT g.code FROM directory.v1_grid g WHERE g.rank >= 5 AND g.void_at IS NULL
   AND NOT EXISTS (SELECT FROM directory.v1_post s WHERE s.grid = g.id AND s.kind = 'desk') ORDER BY g.code
""")
LAST_AUDIT = text("SELECT extract(epoch FROM now() - looked_at)::float FROM notify.audit")
UNREACHABLE = text("""
SELECT DISTINCT p.no FROM directory.v1_post s JOIN directory.v1_person p ON p.id = s.person
 WHERE NOT EXISTS (SELECT FROM directory.v1_reachable r WHERE r.person = s.person) ORDER BY p.no
""")


# One person of each kind to sign in as, on the way up from the story's place or, failing that, anywhere.
EXAMPLE_POSTS = text("""
SELECT DISTINCT ON (g.rank) g.level, g.code, s.kind FROM directory.v1_grid g
  JOIN directory.v1_post s ON s.grid = g.id AND s.kind = CASE WHEN g.rank <= 4 THEN 'leader' ELSE 'desk' END
  LEFT JOIN directory.v1_grid here ON here.code = :here
  LEFT JOIN directory.v1_path up ON up.grid = here.id AND up.up = g.id
 WHERE g.void_at IS NULL ORDER BY g.rank, up.up IS NULL, g.code
""")
EXAMPLE_DEPARTMENTS = text("""
SELECT d.code, d.label FROM directory.v1_department d
 WHERE EXISTS (SELECT FROM directory.v1_officer o WHERE o.department = d.code) ORDER BY d.code LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Examples:
    """Whom one may sign in as: level with `CODE:kind`, and departments as label with code."""

    posts: list[tuple[str, str]]
    departments: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the workbook."""

    id: UUID
    no: str


@dataclass(frozen=True, slots=True)
class Message:
    """What notify knows of a message; `person` is a 编号 or a resident's id."""

    id: UUID
    person: str
    template: str
    reason: str
    issue: UUID | None
    hop: int | None


@dataclass(frozen=True, slots=True)
class Rung:
    """One grid on the way up from a place."""

    level: str
    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows that wait, and for how many seconds the oldest has."""

    rows: int
    seconds: float


async def find_person(conn: AsyncConnection, no: str) -> Person | None:
    return _person((await conn.execute(PERSON_BY_NO, {"no": no})).one_or_none())


async def find_by_post(conn: AsyncConnection, grid: str, kind: str) -> Person | None:
    return _person((await conn.execute(PERSON_BY_POST, {"code": grid, "kind": kind})).one_or_none())


async def find_officer(conn: AsyncConnection, department: str) -> Person | None:
    return _person((await conn.execute(OFFICER, {"code": department})).one_or_none())


def _person(row: Any) -> Person | None:
    return Person(row.id, row.no) if row else None


async def person_by_phone(
    conn: AsyncConnection, index: bytes, wrapped: bytes, sealed: bytes
) -> tuple[UUID, str | None]:
    """The person with this phone, made if there is none, and their 编号 if they are in the workbook."""
    found = await conn.execute(PERSON_BY_PHONE, {"index": index, "wrapped": wrapped, "sealed": sealed})
    person: UUID = found.scalar_one()
    return person, await number_of(conn, person)


async def number_of(conn: AsyncConnection, person: UUID) -> str | None:
    """A person's 编号, if they are in the workbook."""
    return (await conn.execute(NO_OF, {"id": person})).scalar_one_or_none()


async def find_phone(conn: AsyncConnection, index: bytes) -> UUID | None:
    """The person behind a phone's blind index."""
    found: UUID | None = (await conn.execute(FIND_PHONE, {"index": index})).scalar_one()
    return found


async def contacts(conn: AsyncConnection, person: UUID) -> tuple[bytes, bytes] | None:
    """Wrapped key and sealed contacts; the vault logs the opening."""
    row = (await conn.execute(CONTACTS, {"person": person})).one_or_none()
    return (bytes(row.wrapped), bytes(row.sealed)) if row else None


async def messages(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Message]:
    """Those of the ids that are messages of notify's."""
    rows = await conn.execute(MESSAGES, {"ids": list(ids)})
    return {row["id"]: Message(**row) for row in rows.mappings()}


async def find_issue(conn: AsyncConnection, number: str) -> UUID | None:
    return (await conn.execute(ISSUE_BY_NUMBER, {"number": number})).scalar_one_or_none()


async def issue_number(conn: AsyncConnection, issue: UUID) -> str | None:
    return (await conn.execute(NUMBER_OF_ISSUE, {"id": issue})).scalar_one_or_none()


async def ladder(conn: AsyncConnection, issue: UUID) -> list[Rung]:
    """From the subdistrict down to the issue's place; empty while it has none."""
    place = (await conn.execute(PLACE_OF, {"id": issue})).scalar_one_or_none()
    rows = await conn.execute(LADDER, {"grid": place})
    return [Rung(row.level, row.code, row.label) for row in rows]


async def grid_labels(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = await conn.execute(GRID_LABELS, {"ids": list(ids)})
    return {row.id: row.label for row in rows}


async def story_place(conn: AsyncConnection) -> str | None:
    """A grid's code, or None when the district has no such place."""
    return (await conn.execute(TELLING_PLACE)).scalar_one_or_none()


async def examples(conn: AsyncConnection) -> Examples:
    """People of this district, one of each level."""
    posts = await conn.execute(EXAMPLE_POSTS, {"here": await story_place(conn)})
    departments = await conn.execute(EXAMPLE_DEPARTMENTS)
    return Examples(
        [(row.level, f"{row.code}:{row.kind}") for row in posts],
        [(row.label, row.code) for row in departments],
    )


async def move_clock(conn: AsyncConnection, by: timedelta) -> datetime:
    """Moves the clock of all rules and returns the new time."""
    await conn.execute(MOVE_CLOCK, {"by": by})
    return await now(conn)


async def now(conn: AsyncConnection) -> datetime:
    """The time all rules go by."""
    moment: datetime = (await conn.execute(CLOCK_NOW)).scalar_one()
    return moment


async def moving(conn: AsyncConnection, schemas: Sequence[str]) -> dict[str, int]:
    """What waits to happen now, in words, and how much of it."""
    counts = {f"没发出的事件（{schema}）": (await unpublished(conn, schema)).rows for schema in schemas}
    counts["到点没动的事项"] = (await overdue(conn)).rows
    counts["该发没发的消息"] = int((await conn.execute(MESSAGES_MOVING)).scalar_one())
    counts["沙箱没送出的回执"] = int(await busy(conn))
    return counts


async def revisions(conn: AsyncConnection, schema: str) -> set[str]:
    """The migrations a schema stands at."""
    return set((await conn.exec_driver_sql(MIGRATED.format(schema=schema))).scalars())


async def unpublished(conn: AsyncConnection, schema: str) -> Waiting:
    """Events not yet told."""
    row = (await conn.exec_driver_sql(UNPUBLISHED.format(schema=schema))).one()
    return Waiting(row.rows, row.age)


async def quarantined(conn: AsyncConnection, schema: str) -> int:
    return int((await conn.exec_driver_sql(QUARANTINED.format(schema=schema))).scalar_one())


async def overdue(conn: AsyncConnection) -> Waiting:
    """Cases with a deadline that has passed and not been acted on."""
    row = (await conn.execute(OVERDUE)).one()
    return Waiting(row.rows, row.late)


async def audited(conn: AsyncConnection) -> float | None:
    """How many seconds ago the auditor looked; None if he never has."""
    return (await conn.execute(LAST_AUDIT)).scalar_one_or_none()


async def calendars(conn: AsyncConnection) -> list[tuple[str, datetime, float]]:
    """Each calendar, until when its holidays are published, and how many days that still is."""
    return [(row.calendar, row.published_until, row.days) for row in await conn.execute(CALENDARS)]


async def calendars_missing(conn: AsyncConnection) -> list[str]:
    """Calendars that the policy in force counts by and that have no hours."""
    return list((await conn.execute(CALENDARS_MISSING)).scalars())


async def vacancies(conn: AsyncConnection) -> list[tuple[str, int, int]]:
    """Per level below community: how many grids, and how many with neither leader nor party post filled."""
    return [(row.level, row.grids, row.vacant) for row in await conn.execute(VACANT)]


async def empty_desks(conn: AsyncConnection) -> list[str]:
    """Codes of grids from community up at whose desk nobody sits."""
    return list((await conn.execute(EMPTY_DESKS)).scalars())


async def unreachable(conn: AsyncConnection) -> list[str]:
    """编号 of people with a post whom no channel reaches."""
    return list((await conn.execute(UNREACHABLE)).scalars())


async def wrapped_keys(conn: AsyncConnection, after: UUID | None, batch: int) -> list[tuple[UUID, bytes]]:
    """Persons after `after`, by id, with their wrapped keys."""
    return [(row.id, row.wrapped_key) for row in await conn.execute(WRAPPED_KEYS, {"after": after, "batch": batch})]


async def rewrap(conn: AsyncConnection, old: Mapping[UUID, bytes], new: Mapping[UUID, bytes]) -> int:
    """Exchanges wrapped keys; how many."""
    if not old:
        return 0
    values = {"ids": list(old), "old": list(old.values()), "new": [new[id_] for id_ in old]}
    return (await conn.execute(REWRAP, values)).rowcount
