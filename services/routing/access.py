"""From a caller to what he is to a case: the rules are in `domain/rights.py`, the facts come from the database."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.domain import rights
from services.routing.domain.states import ACTS, DESK, FORMER, HOLDER, State, can
from services.routing.present import state
from services.routing.store import reading
from services.routing.store.reading import Ties
from shared.auth import Principal
from shared.problems import forbidden, not_found


@dataclass(frozen=True)
class Access:
    """A caller before a case."""

    case: RowMapping
    ties: Ties
    relations: frozenset[str]
    state: State
    may_know_skips: bool

    @property
    def can(self) -> list[str]:
        return can(self.state, self.relations)


async def access(conn: AsyncConnection, caller: Principal, id_: UUID) -> Access:
    """Raises 404 for whoever is no party to the case and has no post above its place."""
    row = await reading.case(conn, id_)
    if row is None:
        raise not_found()
    found = await look(conn, caller, row)
    ties = found.ties
    if not ties.reports and not rights.may_read(
        role=caller.role,
        holds=ties.holds,
        posted=ties.posted,
        bound=ties.bound,
        whistled=ties.whistled,
        held=ties.held_hop is not None,
        complained_of=ties.complained_of,
    ):
        raise not_found()
    return found


async def look(conn: AsyncConnection, caller: Principal, row: RowMapping) -> Access:
    """What the caller is to a case that he is known to be allowed to read."""
    ties = await reading.ties(conn, row["id"], caller.person) if caller.person else Ties()
    found = rights.relations(
        role=caller.role,
        rank=row["rank"],
        noes=row["noes"],
        reports=ties.reports,
        holds=ties.holds,
        desks=ties.desks,
        bound=ties.bound and not ties.recused,
        claimable=ties.claimable,
    )
    policy = await reading.policy(conn, row["policy"])
    return Access(
        row,
        ties,
        found,
        state(row, policy.microseconds(policy.reopen)),
        rights.may_know_skips(role=caller.role, desks=ties.desks),
    )


def only_reports(found: Access, caller: Principal) -> bool:
    """A resident: she follows the case by `track`, where there are titles and no numbers of persons."""
    ties = found.ties
    return caller.role is None and not (ties.holds or ties.posted or ties.bound or ties.whistled or ties.held_hop)


def check_may(found: Access, act: str) -> None:
    """Raises 403 when nothing ties the caller to this act. Who has, or had, the case in hand passes: what he can no
    longer do is a 409 that tells more."""
    row, mine = ACTS[act], found.relations
    had_it = bool(row.by & {HOLDER, FORMER}) and found.ties.held_hop is not None
    on_behalf = HOLDER in row.by and DESK in mine
    if not (row.by & mine or had_it or on_behalf):
        raise forbidden()
