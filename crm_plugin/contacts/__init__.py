"""Who we may message: identity, consent, suppression, privacy.

One ``Contact`` stands for one person, known by customer id first and by lower-cased e-mail second. This room never
sends anything, never looks at what people did (that is ``activity``) and never raises because a person is unknown.
Start reading in ``identity.py``; why identity works like this is in ``docs/decisions/identity.md``.
"""

from crm_plugin.contacts.consent import consents_of, set_consent
from crm_plugin.contacts.identity import get_or_create, resolve
from crm_plugin.contacts.merging import absorb
from crm_plugin.contacts.models import ChannelKind, Contact, SuppressionReason
from crm_plugin.contacts.people import Merge, Person, Resolution, normalize_email
from crm_plugin.contacts.privacy import erase
from crm_plugin.contacts.refreshing import refresh_customers
from crm_plugin.contacts.selectors import Reach, contacts, find, lock_identity, reach
from crm_plugin.contacts.suppression import lift_suppression, suppress

__all__ = [
    "ChannelKind",
    "Contact",
    "Merge",
    "Person",
    "Reach",
    "Resolution",
    "SuppressionReason",
    "absorb",
    "consents_of",
    "contacts",
    "erase",
    "find",
    "get_or_create",
    "lift_suppression",
    "lock_identity",
    "normalize_email",
    "reach",
    "refresh_customers",
    "resolve",
    "set_consent",
    "suppress",
]
