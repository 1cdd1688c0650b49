"""The settings a district may edit, parsed from the policy's YAML body."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


@dataclass(frozen=True)
class QuietHours:
    """From `start` in the evening to `end` in the morning, Asia/Shanghai."""

    start: time
    end: time


@dataclass(frozen=True)
class Policy:
    """When messages wait, how often a provider is tried, and what a message costs."""

    quiet: QuietHours | None
    """None: no quiet hours."""
    own_act: timedelta
    """A message to a resident within this time of the resident's own act is an answer, and is not held."""
    bundling: timedelta
    """Zero: nothing is bundled."""
    receipts: Mapping[str, timedelta]
    """Channel → how long to wait for the receipt before the next channel is used. Missing: for ever."""
    tries: int
    pause: timedelta
    """Between two tries, and before the status of a call with unknown end is asked."""
    per_minute: int | None
    per_day: int | None
    """SMS per number; None: no limit of ours."""
    cost: Mapping[str, float]
    """Channel → price of a message, yuan."""
    template_ids: Mapping[str, Mapping[str, str]]
    """Channel → our template's name → the id the provider gave it. Missing: our own name."""


def parse_duration(text: str) -> timedelta:
    """`90s`, `2m`, `1h`. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", str(text))
    if not found:
        raise ValueError(f"not a duration: {text!r}")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def parse_policy(body: Mapping[str, Any]) -> Policy:
    """Raises ValueError or KeyError when the body has not the shape of `policy/default.yaml`."""
    quiet, frequency = body["quiet_hours"], body["frequency"] or {}
    policy = Policy(
        quiet=QuietHours(time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])) if quiet else None,
        own_act=parse_duration(body["own_act"]),
        bundling=parse_duration(body["bundling"]),
        receipts={channel: parse_duration(wait) for channel, wait in body["receipts"].items()},
        tries=int(body["retry"]["tries"]),
        pause=parse_duration(body["retry"]["pause"]),
        per_minute=frequency.get("minute"),
        per_day=frequency.get("day"),
        cost={channel: float(price) for channel, price in body["cost"].items()},
        template_ids=body["template_ids"],
    )
    if policy.tries < 1:
        raise ValueError("retry.tries must be at least 1")
    return policy
