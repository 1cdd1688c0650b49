"""Sets a database up: roles, schemas, rights, and the migrations of every service (Alembic, plain SQL beside each
revision). Safe to run again and by several at once; the order of services does not matter."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only

from shared.db import OWNER, role_name
from shared.keys import Keys

MIGRATION_LOCK = 0x1ADDE3
HERE = Path(__file__).parent
log = structlog.get_logger()


class Migrated(Protocol):
    """What a service tells about its tables."""

    @property
    def name(self) -> str: ...
    @property
    def migrations(self) -> Path: ...


def sql_beside(revision_file: str) -> None:
    """Runs the SQL file of the same name as the revision, several statements at once."""
    run_sql(Path(revision_file).with_suffix(".sql").read_text())


def messaging_tables() -> None:
    """Makes outbox, seen, quarantine and idempotency in the schema that is being migrated."""
    run_sql((HERE / "messaging" / "tables.sql").read_text())


def run_sql(script: str) -> None:
    """asyncpg prepares what SQLAlchemy sends, which allows one statement only; its own `execute` takes a script."""
    await_only(op.get_bind().connection.driver_connection.execute(script))  # type: ignore[union-attr]


async def migrate(engine: AsyncEngine, services: Sequence[Migrated], keys: Keys) -> None:
    """Brings the database of `engine` (the owner's) to the newest version of all `services`."""
    async with engine.connect() as conn:
        # The lock lies on the session: Alembic commits between revisions. Whoever comes second waits for the first,
        # however long that takes.
        await conn.execute(text("SET LOCAL lock_timeout = 0"))
        await conn.execute(text("SET LOCAL statement_timeout = 0"))
        await conn.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        await conn.commit()
        try:
            await _ensure_roles(conn, [service.name for service in services], keys)
            await _ensure_schemas(conn, [service.name for service in services])
            await conn.run_sync(_upgrade, "public", HERE / "migrations")
            for service in services:
                await conn.run_sync(_upgrade, service.name, service.migrations)
        finally:
            await conn.rollback()  # after an error, so that it is this error that is seen
            await conn.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            await conn.commit()


async def _ensure_roles(conn: AsyncConnection, names: Sequence[str], keys: Keys) -> None:
    """Roles belong to the whole cluster and locks to one database: databases set up side by side may make one at
    once, and whoever is second finds it there."""
    for role in (role_name(name) for name in names):
        create = f"CREATE ROLE {role} LOGIN PASSWORD '{keys.role_password(role)}'"
        await conn.execute(
            text(f"DO $$ BEGIN {create}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
        )
        if keys.rotated:
            await conn.execute(text(f"ALTER ROLE {role} PASSWORD '{keys.role_password(role)}'"))
    await conn.commit()


async def _ensure_schemas(conn: AsyncConnection, names: Sequence[str]) -> None:
    """A schema per service in which its role may read and write rows and nothing else; functions are nobody's
    unless granted (globally: per schema the revoke does nothing)."""
    await conn.execute(text(f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"))
    for name in names:
        role = role_name(name)
        for statement in (
            f"CREATE SCHEMA IF NOT EXISTS {name}",
            f"GRANT USAGE ON SCHEMA {name} TO {role}",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {name}"
            f" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {name} GRANT USAGE ON SEQUENCES TO {role}",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {name} GRANT EXECUTE ON FUNCTIONS TO {role}",
            f"DO $$ BEGIN EXECUTE format("
            f"'ALTER ROLE {role} IN DATABASE %I SET search_path = {name}, public', current_database()); END $$",
        ):
            await conn.execute(text(statement))
    await conn.commit()


def _upgrade(connection: Connection, schema: str, versions: Path) -> None:
    connection.execute(text(f"SET search_path = {schema}, public"))
    connection.commit()
    _alembic(connection, schema, versions, _steps)
    connection.execute(text("RESET search_path"))
    connection.commit()


def _steps(script: ScriptDirectory, current: tuple[str, ...]) -> Any:
    """What is to be done, from what is there. Nothing in a database of a newer version: migrations only widen what the
    version before needs, so a version that was rolled back runs on it."""
    ours = {revision.revision for revision in script.walk_revisions()}
    if set(current) - ours:
        log.warning("migrate.newer", revisions=sorted(current))
        return []
    return script._upgrade_revs("head", current)  # type: ignore[arg-type]


def _alembic(connection: Connection, schema: str, versions: Path, steps: Any) -> None:
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    script = ScriptDirectory.from_config(config)
    context = EnvironmentContext(config, script, fn=lambda current, _: steps(script, current))
    context.configure(connection=connection, version_table="migration", version_table_schema=schema)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
