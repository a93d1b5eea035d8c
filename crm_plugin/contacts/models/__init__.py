"""Tables of the contacts room."""

from crm_plugin.contacts.models.addresses import (
    Blocked,
    Endpoint,
    Erasure,
    KeyFingerprint,
    Suppression,
    SuppressionReason,
)
from crm_plugin.contacts.models.attributes import Attribute, AttributeChange, AttributeKind
from crm_plugin.contacts.models.consents import Consent, ConsentBasis, ConsentEvent, ConsentNotice, RefusedTopic, Topic
from crm_plugin.contacts.models.people import Contact, ContactSpend, Touched, Visitor

__all__ = [
    "Attribute",
    "AttributeChange",
    "AttributeKind",
    "Blocked",
    "Consent",
    "ConsentBasis",
    "ConsentEvent",
    "ConsentNotice",
    "Contact",
    "ContactSpend",
    "Endpoint",
    "Erasure",
    "KeyFingerprint",
    "RefusedTopic",
    "Suppression",
    "SuppressionReason",
    "Topic",
    "Touched",
    "Visitor",
]
