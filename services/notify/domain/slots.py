"""When a message may go: quiet hours and bundling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.notify.domain.audience import Hold
from services.notify.domain.policy import Policy, QuietHours

ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Wish:
    """A message somebody is to get: what decides when."""

    person: UUID
    bundles: bool
    """It may wait to go together with others (an ordinary `assigned`)."""
    hold: Hold
    spoke_at: datetime | None = None
    """When the resident last did something themselves; None: just now."""


def quiet_until(quiet: QuietHours | None, at: datetime) -> datetime | None:
    """The end of the quiet hours that `at` lies in; None outside them."""
    if quiet is None:
        return None
    local = at.astimezone(ZONE)
    if not _inside(quiet, local.time()):
        return None
    end = local.replace(hour=quiet.end.hour, minute=quiet.end.minute, second=0, microsecond=0)
    return (end if end > local else end + timedelta(days=1)).astimezone(at.tzinfo)


def _inside(quiet: QuietHours, moment: time) -> bool:
    if quiet.start < quiet.end:
        return quiet.start <= moment < quiet.end
    return moment >= quiet.start or moment < quiet.end


def is_answer(spoke_at: datetime | None, now: datetime, own_act: timedelta) -> bool:
    """Whether a message to a resident answers what the resident did a moment ago."""
    return spoke_at is None or now - spoke_at <= own_act


def held_until(wish: Wish, policy: Policy, now: datetime) -> datetime | None:
    """Until when quiet hours hold a message; None: they do not."""
    if wish.hold is Hold.NEVER:
        return None
    if wish.hold is Hold.RESIDENT and is_answer(wish.spoke_at, now, policy.own_act):
        return None
    return quiet_until(policy.quiet, now)


def slots(wishes: Sequence[Wish], last: Mapping[UUID, datetime], policy: Policy, now: datetime) -> list[datetime]:
    """The earliest time of each message, in order.

    `last` is, per person, the slot of the latest `assigned` so far: within `policy.bundling` of it the next one waits
    for the end of that time, and all that wait for the same end go as one message.
    """
    latest = dict(last)
    given = []
    for wish in wishes:
        slot = held_until(wish, policy, now) or now
        if wish.bundles and policy.bundling:
            slot = max(slot, _bundled(latest.get(wish.person), policy.bundling, now))
            latest[wish.person] = slot
        given.append(slot)
    return given


def _bundled(last: datetime | None, window: timedelta, now: datetime) -> datetime:
    if last is None or last + window <= now:
        return now
    return last if last > now else last + window
