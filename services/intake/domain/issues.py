"""An issue as it is told: the words, the place, and who may have told it how."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

REACH = 1000.0
"""Metres between a point and a grid's own: so far a village's houses may lie from its middle. A point farther from all
is taken to be outside the district."""
METRES = 111_320.0
"""In a degree of latitude."""


@dataclass(frozen=True, slots=True)
class ToldPlace:
    """Where it is, in the teller's way: a grid's code (the door's QR code), an address, or a point (WGS-84).

    Exactly one of the three; where it fits no grid without doubt the issue waits at the desk to be placed.
    """

    grid: str | None = None
    address: str | None = None
    lng: float | None = None
    lat: float | None = None

    @property
    def is_sound(self) -> bool:
        """Whether exactly one way is used, and a point is whole."""
        if (self.lng is None) != (self.lat is None):
            return False
        return sum(way is not None for way in (self.grid, self.address, self.lng)) == 1


@dataclass(frozen=True, slots=True)
class Report:
    """A report whose form has been checked: the item exists and phones are in E.164."""

    category: str
    text: str
    place: ToldPlace
    phone: str | None = None
    on_behalf_of: str | None = None
    """Phone of the resident for whom a leader or desk reports; the resident gets the messages."""
    may_contact: bool = False
    own: bool = False
    """A leader's own find (自办自结)."""
    about_leader: bool = False
    """The reporter wants nobody with a post at the place's own grid to see it."""
    external: tuple[str, str] | None = None
    """Another system and the number it gave."""
    attachments: Sequence[UUID] = ()
    """Photos, the teller's own."""

    @property
    def needs_sign_in(self) -> bool:
        """Whether a leader or desk must be behind it; everything else anybody may report."""
        return self.own or self.on_behalf_of is not None
