"""The database as it is set up: who may do what, migrations by several at once, what counts as "away"."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from chuishao.wiring import SERVICES
from shared import db
from shared.db import DatabaseAway, events_written, make_engine, note_events, service_url, transaction
from shared.embedded import Endpoints
from shared.migrate import migrate
from shared.service import Service
from tests.integration.messaging import until
from tests.world import KEYS, database_url, new_database

NAMES = [service.name for service in SERVICES]
READ = {"SELECT"}
APPEND = {"SELECT", "INSERT"}
KEEP = {"SELECT", "INSERT", "UPDATE"}
ALL = {"SELECT", "INSERT", "UPDATE", "DELETE"}
# A service's own tables in which it may not do everything.
LIMITED = {
    "routing.history": APPEND,
    "routing.notes": APPEND,
    "routing.answers": APPEND,
    "routing.whistle_history": APPEND,
    "routing.whistle_ratings": APPEND,
    "deliberation.history": APPEND,
    "intake.issue": KEEP,
    "notify.receipt": APPEND,
    "notify.inbound": APPEND,
    "notify.message": KEEP,
    "notify.attempt": KEEP,
}
EVERYBODYS = {"public.clock_shift", "public.calendar_span", "public.calendar_horizon"}
READERS = {"directory", "intake", "routing", "deliberation", "notify"}
# What a service publishes for some others only.
PUBLISHED = {"routing": {"intake.v1_attachment"}}
PUBLISHED_FUNCTIONS = {"intake": {("directory", "v1_grid_named")}, "routing": {("intake", "v1_attach")}}
VAULT_CALLERS = {"directory", "intake", "notify"}
PUBLIC_FUNCTIONS = {"clock_now", "opened", "open_between", "due", "admit", "forget_allowances"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(instance: Endpoints) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(await new_database(instance))
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine, statement: str, **values: Any) -> Sequence[Any]:
    async with transaction(engine) as conn:
        return (await conn.execute(text(statement), values)).all()


# -- rights -----------------------------------------------------------------------------------------------
# A range type's constructors belong to the server, whoever makes the type, and nobody else can take them away.
MADE_BY_US = "pg_get_userbyid(f.proowner) = 'chuishao'"
OURS = "n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"


def expected(service: str, table: str) -> set[str]:
    """What a service's role may do with a table or view."""
    schema, _, name = table.partition(".")
    if schema == service:
        return LIMITED.get(table, ALL)
    published = schema == "directory" and name.startswith("v1_") and service in READERS
    published |= name == "v1_due" and service == "notify"  # for the auditor
    published |= table in PUBLISHED.get(service, ())
    return READ if published or table in EVERYBODYS else set()


@pytest.mark.parametrize("service", NAMES)
async def test_a_role_may_work_in_its_own_schema_and_read_what_others_publish_and_nothing_else(
    owner: AsyncEngine, service: str
) -> None:
    found = await rows(
        owner,
        f"""SELECT n.nspname || '.' || c.relname AS name, array_agg(p) FILTER (
                   WHERE has_table_privilege(:role, c.oid, p)) AS may
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
             WHERE c.relkind IN ('r', 'v', 'm', 'p') AND {OURS} GROUP BY 1""",
        role=f"chuishao_{service}",
    )
    assert len(found) > 30
    assert {row.name: set(row.may or ()) for row in found} == {row.name: expected(service, row.name) for row in found}


@pytest.mark.parametrize("service", NAMES)
async def test_a_role_may_enter_only_its_own_schema_and_the_published_ones_and_create_nothing(
    owner: AsyncEngine, service: str
) -> None:
    found = await rows(
        owner,
        f"""SELECT n.nspname AS name, has_schema_privilege(:role, n.oid, 'USAGE') AS enters,
                   has_schema_privilege(:role, n.oid, 'CREATE') AS creates
              FROM pg_namespace n WHERE {OURS}""",
        role=f"chuishao_{service}",
    )
    allowed = {"public", service, *(["directory"] if service in READERS else [])}
    allowed |= {"vault"} if service in VAULT_CALLERS else set()
    allowed |= {"routing", "deliberation"} if service == "notify" else set()
    allowed |= {table.partition(".")[0] for table in PUBLISHED.get(service, ())}
    assert {row.name for row in found if row.enters} == allowed
    assert not [row.name for row in found if row.creates]
    (database,) = await rows(
        owner,
        "SELECT has_database_privilege(:role, current_database(), 'CREATE') AS creates",
        role=f"chuishao_{service}",
    )
    assert not database.creates


@pytest.mark.parametrize("service", NAMES)
async def test_a_role_may_call_its_own_functions_and_the_published_ones_and_no_other(
    owner: AsyncEngine, service: str
) -> None:
    found = await rows(
        owner,
        f"""SELECT n.nspname AS schema, f.proname AS name, has_function_privilege(:role, f.oid, 'EXECUTE') AS may
              FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
             WHERE {OURS} AND {MADE_BY_US}""",
        role=f"chuishao_{service}",
    )
    assert len(found) > 8

    def allowed(row: Any) -> bool:
        if row.schema == "public":
            return row.name in PUBLIC_FUNCTIONS
        if (row.schema, row.name) in PUBLISHED_FUNCTIONS.get(service, ()):
            return True
        return row.schema == service or (row.schema == "vault" and service in VAULT_CALLERS)

    assert {(row.schema, row.name) for row in found if row.may} == {(r.schema, r.name) for r in found if allowed(r)}


async def test_no_function_of_ours_is_for_everybody_except_clock_calendar_and_limits(owner: AsyncEngine) -> None:
    found = await rows(
        owner,
        f"""SELECT f.proname AS name FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
             WHERE {OURS} AND {MADE_BY_US}
               AND (f.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(f.proacl) a WHERE a.grantee = 0))""",
    )
    assert {row.name for row in found} == PUBLIC_FUNCTIONS


async def test_a_function_that_runs_as_the_owner_trusts_no_search_path(owner: AsyncEngine) -> None:
    found = await rows(
        owner,
        f"""SELECT f.proname AS name, f.proconfig AS config FROM pg_proc f
              JOIN pg_namespace n ON n.oid = f.pronamespace WHERE f.prosecdef AND {OURS}""",
    )
    assert len(found) >= 4
    assert {row.name for row in found if row.config != ['search_path=""']} == set()


async def test_service_roles_own_nothing_belong_to_nobody_and_have_no_rights_of_the_server(
    owner: AsyncEngine,
) -> None:
    found = await rows(
        owner,
        """SELECT r.rolname AS name,
                  r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS mighty,
                  EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) AS member,
                  EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) AS owns
             FROM pg_roles r WHERE r.rolname LIKE 'chuishao\\_%'""",
    )
    assert {f"chuishao_{name}" for name in NAMES} <= {row.name for row in found}
    assert not [row for row in found if row.mighty or row.member or row.owns]


async def test_a_role_finds_its_own_tables_first(owner: AsyncEngine) -> None:
    url = owner.url.render_as_string(hide_password=False)
    for name in NAMES:
        engine = make_engine(service_url(url, name, KEYS), pool=1)
        (row,) = await rows(engine, "SELECT current_schemas(false) AS path, current_user AS who")
        await engine.dispose()
        assert (row.path, row.who) == ([name, "public"], f"chuishao_{name}")


# -- migrations -------------------------------------------------------------------------------------------
@asynccontextmanager
async def empty_database(endpoints: Endpoints) -> AsyncIterator[AsyncEngine]:
    """A database in which nothing was made yet, by its owner."""
    admin = make_engine(endpoints.postgres, pool=1)
    name = f"t_{secrets.token_hex(6)}"
    async with admin.connect() as conn:
        await (await conn.execution_options(isolation_level="AUTOCOMMIT")).execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    engine = make_engine(database_url(endpoints, name))
    yield engine
    await engine.dispose()


async def shape(engine: AsyncEngine) -> Sequence[Any]:
    """Every table, index and function there is, and the revision of every schema."""
    versions = " UNION ALL ".join(f"SELECT '{s}', version_num FROM {s}.migration" for s in ("public", *NAMES))
    return await rows(
        engine,
        f"""SELECT c.oid::text, c.relname::text FROM pg_class c
              JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}
            UNION ALL
            SELECT f.oid::text, f.proname FROM pg_proc f
              JOIN pg_namespace n ON n.oid = f.pronamespace WHERE {OURS}
            UNION ALL {versions} ORDER BY 1, 2""",
    )


async def test_migrating_a_second_time_changes_nothing(instance: Endpoints) -> None:
    async with empty_database(instance) as engine:
        await migrate(engine, SERVICES, KEYS)
        before = await shape(engine)
        await migrate(engine, SERVICES, KEYS)
        assert await shape(engine) == before


async def test_a_version_that_was_rolled_back_leaves_a_newer_database_as_it_is(instance: Endpoints) -> None:
    async with empty_database(instance) as engine:
        await migrate(engine, SERVICES, KEYS)
        async with transaction(engine) as conn:
            await conn.execute(text("UPDATE routing.migration SET version_num = 'routing_9999'"))
        before = await shape(engine)
        await migrate(engine, SERVICES, KEYS)
        assert await shape(engine) == before


async def test_two_that_migrate_a_database_at_once_set_it_up_once(instance: Endpoints) -> None:
    async with empty_database(instance) as one:
        two = make_engine(one.url.render_as_string(hide_password=False))
        await asyncio.gather(migrate(one, SERVICES, KEYS), migrate(two, SERVICES, KEYS))
        await two.dispose()
        assert len([row for row in await shape(one) if row[1] == "outbox"]) == len(NAMES)


async def test_the_order_of_the_services_does_not_matter(instance: Endpoints) -> None:
    async with empty_database(instance) as engine:
        await migrate(engine, SERVICES[::-1], KEYS)
        assert len([row for row in await shape(engine) if row[1] == "outbox"]) == len(NAMES)


async def test_two_databases_set_up_at_once_share_a_new_role(instance: Endpoints) -> None:
    newcomer = Service(f"new_{secrets.token_hex(4)}", Path(__file__).parent / "echo")
    role = f"chuishao_{newcomer.name}"
    async with empty_database(instance) as one, empty_database(instance) as two:
        async with one.begin() as first:
            await first.execute(text(f"CREATE ROLE {role}"))
            second = asyncio.create_task(migrate(two, [newcomer], KEYS))
            await until(lambda: _waits(one, two))
        await second
        assert await rows(two, f"SELECT id FROM {newcomer.name}.outbox") == []


async def _waits(engine: AsyncEngine, other: AsyncEngine) -> bool:
    """Whether somebody in the other database waits for a lock."""
    async with engine.connect() as conn:
        found = await conn.execute(
            text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND wait_event_type = 'Lock'"),
            {"name": make_url(other.url).database},
        )
        return bool(found.scalar_one())


async def test_a_migration_that_fails_says_why_and_leaves_the_way_free(instance: Endpoints, tmp_path: Path) -> None:
    (tmp_path / "0001_bad.py").write_text(
        "from shared.migrate import run_sql\nrevision = 'bad_0001'\ndown_revision = None\n"
        "def upgrade() -> None:\n    run_sql('SELECT 1 / 0')\n"
    )
    async with empty_database(instance) as engine:
        with pytest.raises(Exception, match="division by zero"):
            await migrate(engine, [Service("echo", tmp_path)], KEYS)
        await migrate(engine, [Service("echo", Path(__file__).parent / "echo")], KEYS)


async def test_a_role_that_cannot_be_made_is_what_the_error_tells(instance: Endpoints, tmp_path: Path) -> None:
    async with empty_database(instance) as engine:
        with pytest.raises(Exception, match="syntax error"):
            await migrate(engine, [Service("no name", tmp_path)], KEYS)


# -- transactions -----------------------------------------------------------------------------------------
async def run(engine: AsyncEngine, *statements: str, then: type[Exception] | None = None) -> None:
    """A transaction of some statements that writes events, and perhaps fails at its end."""
    async with transaction(engine) as conn:
        for statement in statements:
            await conn.execute(text(statement))
        note_events(conn)
        if then:
            raise then


async def test_an_error_rolls_the_transaction_back_and_wakes_nobody(owner: AsyncEngine) -> None:
    wake = events_written(owner)
    wake.clear()
    with pytest.raises(ZeroDivisionError):
        await run(owner, "CREATE TABLE public.gone (n int)", then=ZeroDivisionError)
    assert await rows(owner, "SELECT to_regclass('public.gone')") == [(None,)]
    assert not wake.is_set()


async def test_a_commit_that_wrote_events_wakes_the_relay_and_another_does_not(owner: AsyncEngine) -> None:
    wake = events_written(owner)
    wake.clear()
    async with transaction(owner):
        pass
    assert not wake.is_set()
    await run(owner)
    assert wake.is_set()


@pytest.mark.parametrize(
    "statements",
    [
        ["SELECT pg_terminate_backend(pg_backend_pid())"],
        ["SET LOCAL transaction_read_only = on", "CREATE TABLE public.gone (n int)"],
    ],
    ids=["gone", "a standby"],
)
async def test_a_server_that_ends_the_connection_or_is_a_standby_is_away(
    owner: AsyncEngine, statements: list[str]
) -> None:
    with pytest.raises(DatabaseAway):
        await run(owner, *statements)
    assert await rows(owner, "SELECT 1") == [(1,)], "the pool has noticed"


async def test_a_server_that_is_not_there_is_away(tmp_path: Path) -> None:
    engine = make_engine(f"postgresql+asyncpg://nobody@/nothing?host={tmp_path}")
    with pytest.raises(DatabaseAway):
        await run(engine)


async def test_an_empty_pool_is_away(owner: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(owner.url.render_as_string(hide_password=False), pool=1)
    monkeypatch.setattr(engine.sync_engine.pool, "_timeout", 0.1)
    async with transaction(engine):
        with pytest.raises(DatabaseAway):
            await run(engine)
    await engine.dispose()


async def test_of_two_that_wait_for_each_other_one_is_told_to_try_again(owner: AsyncEngine) -> None:
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with transaction(owner) as conn:
            await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": first})
            await both.wait()
            await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": second})

    results = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["DatabaseAway", "NoneType"]


async def test_a_statement_that_is_wrong_is_not_away(owner: AsyncEngine) -> None:
    with pytest.raises(Exception, match="nowhere") as caught:
        await rows(owner, "SELECT FROM nowhere")
    assert not isinstance(caught.value, DatabaseAway)


async def test_a_connection_lost_while_it_lay_idle_is_noticed_before_use(
    instance: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE_SECONDS", 0.0)
    ours, other = make_engine(instance.postgres, pool=1), make_engine(instance.postgres, pool=1)
    try:
        async with transaction(ours) as conn:
            pid = (await conn.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
        async with transaction(other) as conn:
            await conn.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
        async with transaction(ours) as conn:
            assert (await conn.exec_driver_sql("SELECT 1")).scalar_one() == 1
    finally:
        await ours.dispose()
        await other.dispose()
