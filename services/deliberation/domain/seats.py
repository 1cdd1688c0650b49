"""Who sits where: the preset "1+6+N" filled with the people of a community. Seats are policy, not code."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

CHAIR, RESIDENT = "主持", "居民"


@dataclass(frozen=True)
class Standing:
    """One of the six: its kind, and the kinds that stand in, in this order, where it has nobody."""

    kind: str
    substitutes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seat:
    """`required`: it counts for the quorum. `filled_by`: the kind whose person sits here, where it is another's."""

    kind: str
    person: UUID
    required: bool = False
    filled_by: str | None = None


def fill(
    standing: Sequence[Standing],
    people: Mapping[str, Sequence[UUID]],
    chair: UUID,
    resident: UUID | None,
    called: Iterable[str],
) -> list[Seat]:
    """Seats of a meeting: the chair, the six, the resident concerned, and one for each kind called in.

    `people` holds each kind's people, nearest first; departments are kinds too. Nobody sits twice: the chair and the
    resident are seated first, and each of the six has its own people before anybody stands in elsewhere. A kind with
    nobody left has no seat.
    """
    seats = [Seat(CHAIR, chair)]
    if resident is not None and resident != chair:
        seats.append(Seat(RESIDENT, resident))
    taken = {seat.person for seat in seats}
    own = {each.kind: _first(people, (each.kind,), taken) for each in standing}
    for each in standing:
        found = own[each.kind] or _first(people, each.substitutes, taken)
        if found:
            kind, person = found
            seats.append(Seat(each.kind, person, True, None if kind == each.kind else kind))
    seated = {CHAIR, RESIDENT, *own}
    for kind in dict.fromkeys(called):
        if kind not in seated and (found := _first(people, (kind,), taken)):
            seats.append(Seat(kind, found[1]))
    return seats


def _first(people: Mapping[str, Sequence[UUID]], kinds: Iterable[str], taken: set[UUID]) -> tuple[str, UUID] | None:
    """The first person of the first kind that has one left; takes it."""
    for kind in kinds:
        for person in people.get(kind, ()):
            if person not in taken:
                taken.add(person)
                return kind, person
    return None


def known_kinds(standing: Iterable[Standing], called: Collection[str]) -> frozenset[str]:
    """Every kind a topic may ask for, departments aside."""
    return frozenset({CHAIR, RESIDENT, *called, *(each.kind for each in standing)})
