"""The code at the door: made from the meeting and its number in the .ics, so that nobody stores it, and a moved
meeting has another."""

import hmac
from uuid import UUID

from shared.keys import Keys

DIGITS = 6


def door_code(keys: Keys, meeting: UUID, sequence: int) -> str:
    number = int.from_bytes(keys.digest("door", meeting.bytes + sequence.to_bytes(4, "big")), "big")
    return f"{number % 10**DIGITS:0{DIGITS}}"


def opens_door(keys: Keys, meeting: UUID, sequence: int, code: str) -> bool:
    return hmac.compare_digest(door_code(keys, meeting, sequence).encode(), code.strip().encode())
