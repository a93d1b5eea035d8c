"""Telephone numbers: one form for all of them, E.164 (ITU-T), by Google's libphonenumber."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers


@lru_cache(maxsize=4_096)
def normalize_phone(value: str, *, country: str = "") -> str:
    """Return the number in E.164 (``+821012345678``), or ``""`` when it is not one that could be called.

    Args:
        value: as a person wrote it.
        country: ISO 3166, for a number without the country's code; without it, such a number is none.
    """
    try:
        number = phonenumbers.parse(value[:40], country.upper() or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4_096)
def country_of_phone(phone: str) -> str:
    """Return the ISO 3166 country of a number in E.164; empty when it has none (satellite phones)."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone, None)) or ""
    except phonenumbers.NumberParseException:
        return ""
