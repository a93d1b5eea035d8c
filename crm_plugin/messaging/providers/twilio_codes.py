"""Twilio's error codes (its "Error and Warning Dictionary") that say something about the recipient."""

from __future__ import annotations

from typing import Final

#: Not a number, not one that is reached from there, not a mobile one, a landline.
NO_SUCH_NUMBER: Final = frozenset({21211, 21214, 21217, 21421, 21614, 21635, 30005, 30006})
#: The person answered STOP before.
REFUSED_BY_PERSON: Final = frozenset({21610})
