"""Addresses as the ledger keeps them: a keyed hash to find them by, and sealed to write back to."""

from shared.keys import Keys


def address_digest(keys: Keys, address: str) -> bytes:
    """How the ledger names an address (a phone in national form, an openid)."""
    return keys.digest("sandbox-address", address.removeprefix("+86").encode())


def seal_address(keys: Keys, address: str) -> bytes:
    return keys.seal(keys.digest("sandbox", b"seal"), {"address": address})


def open_address(keys: Keys, sealed: bytes) -> str:
    return str(keys.open(keys.digest("sandbox", b"seal"), sealed)["address"])
