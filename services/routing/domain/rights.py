"""Who is what to a case, and what each may do. The one policy function of routing's authorisation."""

from collections.abc import Collection

from services.routing.domain.states import BOUND, DESK, FORMER, HOLDER, REPORTER

READERS = frozenset({"command", "admin", "auditor"})
"""Roles of the deployment that may read every case."""
LAST_NO = 3
COMMUNITY, DISTRICT = 5, 7


def relations(
    *,
    role: str | None,
    rank: int,
    noes: int,
    reports: bool,
    holds: bool,
    desks: Collection[int],
    bound: bool,
    claimable: bool,
) -> frozenset[str]:
    """What a caller is to a case at `rank` (see `states.py`); `desks`: ranks of the desks above the place he sits at.

    A desk above the holder acts on the holder's behalf (代办), so it counts as holder too when it says for whom.
    After the third "no" only the holding desk, the district's desk and command may act.
    """
    found = set()
    if reports:
        found.add(REPORTER)
    if holds:
        found.add(HOLDER)
    above = {desk for desk in desks if desk >= COMMUNITY and desk > rank}
    if noes >= LAST_NO:
        above &= {DISTRICT}
    if above or role == "command":
        found.add(DESK)
    if noes < LAST_NO and claimable and not holds:
        found.add(FORMER)
    if noes < LAST_NO and bound and not holds:
        found.add(BOUND)
    return frozenset(found)


def may_read(
    *,
    role: str | None,
    holds: bool,
    posted: bool,
    bound: bool,
    whistled: bool,
    held: bool,
    complained_of: bool,
) -> bool:
    """Leaders and desks on the place's path and their stand-ins, present and former holders, bound members, officers
    of departments whistled for, and the reading roles. Someone complained of (`about_leader`) does not learn of it by
    his post, but a desk that had it in hand knows of it anyway."""
    if role in READERS or holds or held or whistled:
        return True
    return (posted or bound) and not complained_of


def may_know_skips(*, role: str | None, desks: Collection[int]) -> bool:
    """Skip reasons are for desks, command and the auditor: a visible `recused` would name the reporter."""
    return role in {"command", "auditor"} or any(desk >= COMMUNITY for desk in desks)
