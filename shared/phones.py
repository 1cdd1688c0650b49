"""Telephone numbers in one form (E.164), so that one person is found by however the number was typed."""

import phonenumbers

REGION = "CN"
MAX_LENGTH = 32


def e164(typed: str) -> str | None:
    """`199 0000 0016` as `+8619900000016`; None for what is no telephone number. Never raises."""
    if len(typed) > MAX_LENGTH or not typed.isprintable():
        return None
    try:
        number = phonenumbers.parse(typed, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
