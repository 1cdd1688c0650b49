"""The vault: a phone finds a person, every opening is logged, and nobody reads the tables."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.directory.files import small_district
from shared.db import make_engine, service_url, transaction
from shared.embedded import Endpoints
from tests.integration.directory import District, empty_district
from tests.world import KEYS

PERMITTED = ("chuishao_directory", "chuishao_intake", "chuishao_notify")
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def district(instance: Endpoints) -> AsyncIterator[District]:
    async with empty_district(instance) as found:
        await found.load(small_district())
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def notify(district: District) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(service_url(district.url, "notify", KEYS))
    yield engine
    await engine.dispose()


async def run(engine: AsyncEngine, statement: str, **values: Any) -> Sequence[Any]:
    """A statement as the service whose engine it is."""
    async with transaction(engine) as conn:
        return (await conn.execute(text(statement), values)).all()


async def by_phone(engine: AsyncEngine, phone: str) -> UUID:
    key, wrapped = KEYS.new_person_key()
    sealed = KEYS.seal(key, {"name": None, "phone": phone, "openid": None, "wecom": None})
    statement = "SELECT vault.v1_person_by_phone(:index, :wrapped, :sealed) AS person"
    rows = await run(engine, statement, index=KEYS.phone_index(phone), wrapped=wrapped, sealed=sealed)
    return UUID(str(rows[0].person))


async def test_a_phone_finds_its_person(district: District, notify: AsyncEngine) -> None:
    assert await by_phone(notify, "+8619900000016") == await district.person("P016")


async def test_an_unknown_phone_makes_a_person_who_is_reached_by_text_message(
    district: District, notify: AsyncEngine
) -> None:
    person = await by_phone(notify, "+8613800000001")
    assert await by_phone(notify, "+8613800000001") == person
    channels = await district.rows("SELECT channel, ord FROM vault.channel WHERE person = :id", id=person)
    assert [tuple(row) for row in channels] == [("sms", 1)]
    assert await district.rows("SELECT 1 FROM directory.v1_reachable WHERE person = :id", id=person)


async def test_fifty_reports_at_once_from_a_new_phone_are_one_person(district: District, notify: AsyncEngine) -> None:
    people = await asyncio.gather(*(by_phone(notify, "+8613800000050") for _ in range(50)))
    assert len(set(people)) == 1


async def test_finding_a_phone_creates_nobody(district: District, notify: AsyncEngine) -> None:
    index = KEYS.phone_index("+8613800000099")
    before = await district.scalar("SELECT count(*) FROM vault.person")
    found = await run(notify, "SELECT vault.v1_find_phone(:index) AS person", index=index)
    assert [row.person for row in found] == [None]
    assert await district.scalar("SELECT count(*) FROM vault.person") == before


async def test_contacts_come_sealed_with_the_channels_in_order_and_every_opening_is_logged(
    district: District, notify: AsyncEngine
) -> None:
    known, unknown = await district.person("P030"), UUID(int=1)
    rows = await run(notify, "SELECT * FROM vault.v1_contacts(:persons, 'send')", persons=[known, unknown])
    assert [(row.person, row.channels) for row in rows] == [(known, ["wecom", "sms"])]
    assert KEYS.open(KEYS.unwrap(rows[0].wrapped), rows[0].sealed) == {
        "name": "水务甲",
        "phone": "+8619900000030",
        "openid": None,
        "wecom": "wecom030",
    }
    log = await district.rows("SELECT person, by_role, purpose FROM vault.opening WHERE purpose = 'send'")
    assert [tuple(row) for row in log] == [(known, "chuishao_notify", "send")]


async def test_an_opening_follows_the_clock_of_the_rules(district: District, notify: AsyncEngine) -> None:
    await district.rows("UPDATE public.clock_shift SET shift = '100 days'")
    try:
        persons = [await district.person("P031")]
        await run(notify, "SELECT vault.v1_contacts(:persons, 'later')", persons=persons)
        late = "SELECT at > now() + interval '99 days' FROM vault.opening WHERE purpose = 'later'"
        assert await district.scalar(late)
    finally:
        await district.rows("UPDATE public.clock_shift SET shift = '0'")


@pytest.mark.parametrize("purpose", ["''", "NULL"])
async def test_an_opening_without_a_purpose_is_refused(district: District, notify: AsyncEngine, purpose: str) -> None:
    persons = [await district.person("P016")]
    with pytest.raises(DBAPIError, match="opening"):
        await run(notify, f"SELECT vault.v1_contacts(:persons, {purpose})", persons=persons)


async def test_a_dropped_address_is_not_offered_again(district: District, notify: AsyncEngine) -> None:
    person = await district.person("P032")
    for channel, left in (("wecom", ["sms"]), ("sms", [])):
        drop = "SELECT vault.v1_drop_address(:person, :channel, 'refused')"
        await run(notify, drop, person=person, channel=channel)
        contacts = "SELECT channels FROM vault.v1_contacts(:persons, 'test')"
        assert [row.channels for row in await run(notify, contacts, persons=[person])] == [left]
    assert not await district.rows("SELECT 1 FROM directory.v1_reachable WHERE person = :id", id=person)


async def test_no_personal_data_lies_in_the_clear(district: District) -> None:
    """Neither a name nor a number nor an address of anybody in the workbook, in any column of any table."""
    secrets = [
        secret
        for person in small_district().people
        for secret in (person.name, person.phone, person.openid, person.wecom)
        if secret
    ]
    tables = await district.rows(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('directory', 'vault')"
    )
    for schema, table in tables:
        stored = "\n".join(str(row) for row in await district.rows(f'SELECT * FROM "{schema}"."{table}"'))
        stored = stored.replace("居民委员会", "")  # a word of places; somebody is called 居民委员
        assert not [secret for secret in secrets if secret in stored], f"{schema}.{table}"
        assert not [secret for secret in secrets if secret.encode().hex() in stored]


async def test_no_service_has_any_right_on_a_table_of_the_vault(district: District) -> None:
    pairs = await district.rows(
        """
        SELECT r.rolname, c.oid::regclass::text, p.privilege
          FROM pg_roles r CROSS JOIN pg_class c CROSS JOIN unnest(CAST(:rights AS text[])) AS p (privilege)
         WHERE r.rolname LIKE 'chuishao\\_%' AND c.relnamespace = 'vault'::regnamespace AND c.relkind IN ('r', 'v')
           AND has_table_privilege(r.oid, c.oid, p.privilege)
        """,
        rights=list(RIGHTS),
    )
    assert pairs == []
    assert await district.scalar("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'chuishao\\_%'") >= 4


async def test_the_functions_of_the_vault_are_for_directory_intake_and_notify_only(district: District) -> None:
    rows = await district.rows(
        """
        SELECT r.rolname, f.proname, has_function_privilege(r.oid, f.oid, 'EXECUTE') AND
               has_schema_privilege(r.oid, 'vault', 'USAGE') AS may, f.prosecdef, f.proconfig
          FROM pg_roles r CROSS JOIN pg_proc f
         WHERE r.rolname LIKE 'chuishao\\_%' AND f.pronamespace = 'vault'::regnamespace
        """
    )
    assert {row.proname for row in rows} == {
        "v1_person_by_phone",
        "v1_find_phone",
        "v1_contacts",
        "v1_drop_address",
    }
    assert all(row.may == (row.rolname in PERMITTED) for row in rows)
    assert all(row.prosecdef and row.proconfig == ['search_path=""'] for row in rows)


async def test_other_services_read_the_published_views_and_nothing_else_of_the_directory(
    district: District,
) -> None:
    rows = await district.rows(
        """
        SELECT r.rolname, c.relname, p.privilege,
               has_table_privilege(r.oid, c.oid, p.privilege) AS may
          FROM pg_roles r CROSS JOIN pg_class c CROSS JOIN unnest(CAST(:rights AS text[])) AS p (privilege)
         WHERE r.rolname IN ('chuishao_intake', 'chuishao_routing', 'chuishao_notify')
           AND c.relnamespace = 'directory'::regnamespace AND c.relkind IN ('r', 'v')
        """,
        rights=list(RIGHTS),
    )
    views = await district.rows("SELECT viewname FROM pg_views WHERE schemaname = 'directory'")
    assert len(views) == 13
    assert all(row.viewname.startswith("v1_") for row in views)
    assert {(row.rolname, row.relname, row.privilege) for row in rows if row.may} == {
        (f"chuishao_{service}", row.viewname, "SELECT") for service in ("intake", "routing", "notify") for row in views
    }


@pytest.mark.parametrize("statement", ["SELECT * FROM vault.person", "DELETE FROM vault.opening"])
async def test_a_service_cannot_touch_the_vault_even_if_it_tries(notify: AsyncEngine, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await run(notify, statement)
