"""Who we may message: identity, consent, suppression, privacy.

One ``Contact`` stands for one person, known by customer id first and by lower-cased e-mail second, or for a visitor of
the storefront who has said neither yet. This room never sends anything, never looks at what people did (that is
``activity``) and never raises because a person is unknown. Start reading in ``identity.py`` and ``visitors.py``; why
identity works like this is in ``docs/decisions/identity.md``.
"""

from crm_plugin.contacts.attributes import (
    attributes,
    clean_attribute,
    declare_attribute,
    set_attributes,
    set_attributes_of,
)
from crm_plugin.contacts.consent import consents_of, set_consent
from crm_plugin.contacts.identity import get_or_create, resolve
from crm_plugin.contacts.merging import absorb
from crm_plugin.contacts.models import Attribute, AttributeKind, ChannelKind, Contact, SuppressionReason
from crm_plugin.contacts.people import (
    VISITOR_KEY,
    Handover,
    Merge,
    Person,
    Resolution,
    clean_visitor_id,
    normalize_email,
)
from crm_plugin.contacts.privacy import erase
from crm_plugin.contacts.refreshing import refresh_customers
from crm_plugin.contacts.selectors import (
    Reach,
    contacts,
    find,
    lock_identity,
    reach,
    rows_of,
    visitor_ids,
    withdrawals,
    zones_of,
)
from crm_plugin.contacts.suppression import lift_suppression, suppress, suppressed, suppression_digest_sql
from crm_plugin.contacts.touching import claim_touched, touch
from crm_plugin.contacts.visitors import forget_visitors

__all__ = [
    "VISITOR_KEY",
    "Attribute",
    "AttributeKind",
    "ChannelKind",
    "Contact",
    "Handover",
    "Merge",
    "Person",
    "Reach",
    "Resolution",
    "SuppressionReason",
    "absorb",
    "attributes",
    "claim_touched",
    "clean_attribute",
    "clean_visitor_id",
    "consents_of",
    "contacts",
    "declare_attribute",
    "erase",
    "find",
    "forget_visitors",
    "get_or_create",
    "lift_suppression",
    "lock_identity",
    "normalize_email",
    "reach",
    "refresh_customers",
    "resolve",
    "rows_of",
    "set_attributes",
    "set_attributes_of",
    "set_consent",
    "suppress",
    "suppressed",
    "suppression_digest_sql",
    "touch",
    "visitor_ids",
    "withdrawals",
    "zones_of",
]
