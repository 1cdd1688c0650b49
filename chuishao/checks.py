"""The doctor's checks: each looks at one thing and says in a line how it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2
from aiokafka.errors import KafkaError
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection

from chuishao import store
from chuishao.broker import LagMeter
from chuishao.target import Target, as_owner
from chuishao.wiring import SERVICES
from chuishao.words import date_time, level_name, span
from shared.db import DatabaseAway
from shared.disks import room

State = Literal["ok", "warn", "fail"]

LATE_SECONDS = 5.0
"""Deadlines and events older than this have been forgotten, not just about to be handled."""
AUDIT_SECONDS = 30.0
"""The auditor looks every few seconds."""
LAG = 10_000
CALENDAR_WARNS, CALENDAR_FAILS = 60, 14
"""Days before the published holidays end."""
DISKS = {"postgres": "数据库", "kafka": "消息队列", "photos": "照片", "log": "日志"}
"""Folder in the data directory -> what it is called."""
DISK_WARNS, DISK_FAILS = 2**31, 2**26
"""Bytes of room."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    state: State
    text: str


def migrations(versions: Path) -> ScriptDirectory:
    """The migrations in a folder."""
    config = Config()
    config.set_main_option("script_location", str(versions))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


Check = Callable[[Target], Awaitable[list[Finding]]]


async def examine(target: Target) -> list[Finding]:
    """All findings; a check that cannot be done is a finding too."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            found += await check(target)
        except DatabaseAway:
            found.append(Finding(name, "fail", "数据库连不上"))
        except (KafkaError, OSError, httpx2.HTTPError) as error:
            found.append(Finding(name, "fail", f"连不上（{type(error).__name__}）"))
    return found


async def _database(target: Target) -> list[Finding]:
    async with as_owner(target) as conn:
        now = await store.now(conn)
    return [Finding("database", "ok", f"连得上，规则的时钟是 {date_time(now)}")]


async def _http(target: Target) -> list[Finding]:
    found = []
    async with httpx2.AsyncClient(base_url=target.base_url, timeout=5, trust_env=False) as client:
        for service in SERVICES:
            answer = await client.get(f"{_mount(service.name)}/readyz")
            good = answer.status_code == 200
            found.append(Finding(f"http {service.name}", "ok" if good else "fail", f"答 {answer.status_code}"))
    return found


def _mount(service: str) -> str:
    return "/sandbox" if service == "sandbox" else f"/api/{service}"


async def _migrations(target: Target) -> list[Finding]:
    found = []
    async with as_owner(target) as conn:
        for service in SERVICES:
            present = await store.revisions(conn, service.name)
            found.append(_migrated(service.name, migrations(service.migrations), present))
    return found


def _migrated(service: str, script: ScriptDirectory, present: set[str]) -> Finding:
    check, missing = f"migrations {service}", set(script.get_heads()) - present
    if present - {revision.revision for revision in script.walk_revisions()}:
        return Finding(check, "warn", "数据库比这个程序新：版本回退过")
    if missing:
        return Finding(check, "fail", f"还没升到 {'、'.join(sorted(missing))}：运行 chuishao migrate")
    return Finding(check, "ok", "是最新的")


async def _lag(target: Target) -> list[Finding]:
    async with LagMeter(target.kafka, target.groups(SERVICES)) as meter:
        behind = await meter.measure()
    return [
        Finding(f"lag {group}", "fail" if count > LAG else "ok", f"还有 {count} 条没读")
        for group, count in behind.items()
    ]


async def _outboxes(target: Target) -> list[Finding]:
    found = []
    async with as_owner(target) as conn:
        for service in SERVICES:
            waiting = await store.unpublished(conn, service.name)
            late = waiting.seconds > LATE_SECONDS
            text = f"{waiting.rows} 条没发出，最久 {span(waiting.seconds)}" if waiting.rows else "都发出了"
            found.append(Finding(f"outbox {service.name}", "fail" if late else "ok", text))
    return found


async def _deadlines(target: Target) -> list[Finding]:
    async with as_owner(target) as conn:
        waiting = await store.overdue(conn)
    late = waiting.seconds > LATE_SECONDS
    text = f"{waiting.rows} 件到点没动，最久 {span(waiting.seconds)}" if late else "没有到点没动的"
    return [Finding("deadlines", "fail" if late else "ok", text)]


async def _auditor(target: Target) -> list[Finding]:
    async with as_owner(target) as conn:
        age = await store.audited(conn)
    if age is None or age > AUDIT_SECONDS:
        return [Finding("auditor", "fail", "还没看过" if age is None else f"上次看是 {span(age)} 前")]
    return [Finding("auditor", "ok", "每几秒看一次到点没动的")]


async def _quarantine(target: Target) -> list[Finding]:
    found = []
    async with as_owner(target) as conn:
        for service in SERVICES:
            count = await store.quarantined(conn, service.name)
            text = f"{count} 条处理不了：chuishao quarantine list" if count else "空的"
            found.append(Finding(f"quarantine {service.name}", "fail" if count else "ok", text))
    return found


async def _calendar(target: Target) -> list[Finding]:
    async with as_owner(target) as conn:
        calendars = await store.calendars(conn)
        missing = await store.calendars_missing(conn)
    return [
        *(_calendar_end(name, f"{until:%Y-%m-%d}", days) for name, until, days in calendars),
        *(Finding(f"calendar {name}", "fail", "政策要用，可是没有数据") for name in missing),
    ] or [Finding("calendar", "ok", "这个政策按自然时间算，不用日历")]


def _calendar_end(name: str, until: str, days: float) -> Finding:
    state: State = "fail" if days < CALENDAR_FAILS else "warn" if days < CALENDAR_WARNS else "ok"
    return Finding(f"calendar {name}", state, f"节假日公布到 {until}，还有 {max(int(days), 0)} 天")


async def _district(target: Target) -> list[Finding]:
    async with as_owner(target) as conn:
        return [*await _vacancies(conn), *await _people(conn)]


async def _vacancies(conn: AsyncConnection) -> list[Finding]:
    levels = await store.vacancies(conn)
    text = "，".join(f"{level_name(level)} {vacant}/{grids}" for level, grids, vacant in levels)
    found = [Finding("vacancies", "ok", f"没有人的网格：{text}" if text else "还没有网格")]
    desks = await store.empty_desks(conn)
    if desks:
        # From community up the desk is the last to be tried: an empty one leaves a case with nobody.
        found.append(Finding("desks", "warn", f"{len(desks)} 个值班台没有人：{_some(desks)}"))
    return found


async def _people(conn: AsyncConnection) -> list[Finding]:
    nobody = await store.unreachable(conn)
    text = f"{len(nobody)} 个有岗位的人收不到消息：{_some(nobody)}" if nobody else "有岗位的人都收得到消息"
    return [Finding("channels", "warn" if nobody else "ok", text)]


async def _disks(target: Target) -> list[Finding]:
    """The disks of an embedded system; other servers have an operator of their own."""
    found = []
    for name, words in DISKS.items():
        free = room(target.settings.data / name)
        if free is not None:
            state: State = "fail" if free < DISK_FAILS else "warn" if free < DISK_WARNS else "ok"
            text = f"{words}的磁盘还有 {free / 2**20:,.0f} MiB" + ("：满了，腾出地方就好" if state == "fail" else "")
            found.append(Finding(f"disk {name}", state, text))
    return found


def _some(names: list[str], most: int = 10) -> str:
    return "、".join(names[:most]) + (" …" if len(names) > most else "")


CHECKS: dict[str, Check] = {
    "database": _database,
    "http": _http,
    "migrations": _migrations,
    "lag": _lag,
    "outbox": _outboxes,
    "deadlines": _deadlines,
    "auditor": _auditor,
    "quarantine": _quarantine,
    "calendar": _calendar,
    "district": _district,
    "disk": _disks,
}
