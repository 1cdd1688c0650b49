"""The ladder: where a case starts and how far each kind of climb may go. Who takes it there is picked in SQL
(`store/move.sql`), where the tree, the posts and the absences of the moment are."""

from dataclasses import dataclass

COMMUNITY, SUBDISTRICT, DISTRICT = 5, 6, 7


@dataclass(frozen=True)
class Climb:
    """Ranks a case may go to: from `first` up to `top`; `clocks`: whether the new hop has deadlines."""

    first: int
    top: int
    clocks: bool = True
    supervised: bool = False


def opening(place: int, start: int, *, about_leader: bool = False) -> Climb:
    """The start level is the higher of the place's and the item's; a place above community starts at its desk, a
    complaint about that desk's people at the one above."""
    first = max(place, start)
    above = min(first + 1, DISTRICT) if about_leader and place >= COMMUNITY else COMMUNITY
    return Climb(first, max(first, above))


def by_clock(rank: int) -> Climb:
    """A timeout climbs to community at most; from there on the case stays, supervised."""
    return Climb(rank + 1, COMMUNITY)


def by_hand(rank: int) -> Climb:
    """Only the community's desk hands on to the subdistrict."""
    return Climb(rank + 1, SUBDISTRICT if rank >= COMMUNITY else COMMUNITY)


def can_climb(rank: int, noes: int) -> bool:
    """After the third "no" the case stays with its desk; the subdistrict has nobody above it to pass it to."""
    return rank < SUBDISTRICT and noes < 3


def not_solved(rank: int, noes: int) -> Climb:
    """Where a "not solved" goes; `noes` counts this one. Not to the same hand again: one level up. The third goes to
    the desk above the last handler. A subdistrict (or the district) keeps it, supervised."""
    if noes >= 3:
        first = min(max(rank + 1, COMMUNITY), DISTRICT)
        return Climb(first, DISTRICT, clocks=False, supervised=True)
    if rank >= SUBDISTRICT:
        return Climb(rank, rank, supervised=True)
    return by_hand(rank)
