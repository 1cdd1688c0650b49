"""What routing tells about whistles (吹哨). Subject = the case's id; `seq` counts a case's whistle events."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, contract


class WhistleEvent(Contract):
    """The whistle after the event, and the facts of its case that messages need."""

    whistle: UUID
    number: str
    category: str
    place: UUID
    reporter: UUID | None = None
    occasion: str
    """demand, enforcement, emergency or key_work."""
    state: str
    """blown, acknowledged, reported_in, result, confirmed or withdrawn."""
    lead: str
    """Code of the lead department; only it has clocks."""
    assisting: list[str] = Field(default_factory=list)
    desk: UUID
    """Grid of the whistling desk."""
    report_in_by: datetime | None = None
    result_by: datetime | None = None
    confirm_by: datetime | None = None
    disputed: bool = False
    extended: bool = False
    overdue: str | None = None
    """yellow, red or supervision."""
    returns: int = 0
    by: UUID | None = None
    """Who acted; None for the clock."""


@contract("whistle", "routing.whistle.blown.v1")
class WhistleBlown(WhistleEvent):
    """The desk blew it: lead and assisting departments are told."""


@contract("whistle", "routing.whistle.acknowledged.v1")
class WhistleAcknowledged(WhistleEvent):
    """收到: the lead has read it."""


@contract("whistle", "routing.whistle.reported-in.v1")
class WhistleReportedIn(WhistleEvent):
    """报到: a statement of who was there and when; implies acknowledgement."""


@contract("whistle", "routing.whistle.resulted.v1")
class WhistleResulted(WhistleEvent):
    """The lead says what was done; the whistler confirms or returns."""


@contract("whistle", "routing.whistle.confirmed.v1")
class WhistleConfirmed(WhistleEvent):
    """It is over, because the whistler says so (事不完、人不撤)."""


@contract("whistle", "routing.whistle.returned.v1")
class WhistleReturned(WhistleEvent):
    """The whistler is not content: back to reported_in with a new term; `returns` counts (at most 2)."""


@contract("whistle", "routing.whistle.withdrawn.v1")
class WhistleWithdrawn(WhistleEvent):
    """The whistler took it back."""


@contract("whistle", "routing.whistle.disputed.v1")
class WhistleDisputed(WhistleEvent):
    """The lead says it is not theirs; the district's arbiter decides by `decide_by`."""

    decide_by: datetime | None = None


@contract("whistle", "routing.whistle.decided.v1")
class WhistleDecided(WhistleEvent):
    """The arbiter: `outcome` is upheld (it stays) or reassign (a new lead with fresh clocks)."""

    outcome: str
    former_lead: str


@contract("whistle", "routing.whistle.extended.v1")
class WhistleExtended(WhistleEvent):
    """The lead took its one extension."""


@contract("whistle", "routing.whistle.added.v1")
class WhistleAdded(WhistleEvent):
    """A second whistle for the same place and department became an addition to this one."""

    added: UUID | None = None
    """The case it was blown from."""


@contract("whistle", "routing.whistle.overdue.v1")
class WhistleOverdue(WhistleEvent):
    """The report-in is missed: `overdue` is yellow (100 %), red (150 %) or supervision (200 %)."""


@contract("whistle", "routing.whistle.supervised.v1")
class WhistleSupervised(WhistleEvent):
    """The whistle came onto the supervision list: `why` is report_in or unconfirmed."""

    why: str
