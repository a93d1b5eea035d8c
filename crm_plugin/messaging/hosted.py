"""What a page that a message leads to has to know of the message: its reader's law, and where the other pages are."""

from __future__ import annotations

from crm_plugin import contacts, merchant
from crm_plugin.messaging.compliance import pack_of
from crm_plugin.messaging.compliance.packs import NightBan
from crm_plugin.messaging.tracking import Addressee, Found, Links


def night_ban(whose: Addressee) -> NightBan | None:
    """Return the ban of advertisements at night that a consent of the reader would lift; None when there is none."""
    reach = contacts.reach([whose.contact_id], channel=whose.channel).get(whose.contact_id)
    if reach is None:
        return None
    ban = pack_of(reach, merchant.load(), language=whose.language).night_ban
    return ban if ban is not None and ban.night_consent_lifts else None


def preferences_path(whose: Addressee) -> str:
    """Return the address of the preference centre, relative to that of another page of the same message."""
    return Links(whose.public_id, public_url="../../", found=Found()).preferences_url
