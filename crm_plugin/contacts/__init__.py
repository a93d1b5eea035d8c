"""Who we may message: identity, consent, suppression, privacy.

One ``Contact`` stands for one person, known by customer id first and by lower-cased e-mail second, or for a visitor of
the storefront who has said neither yet. This room never sends anything, never looks at what people did (that is
``activity``) and never raises because a person is unknown. Start reading in ``identity.py`` and ``visitors.py``; why
identity works like this is in ``docs/decisions/identity.md``.
"""

from crm_plugin.channel_kind import PHONE_CHANNELS, PUSH_CHANNELS, ChannelKind
from crm_plugin.contacts.attribute_history import BalanceChange, ChangeSource, attribute_changes, untold_changes
from crm_plugin.contacts.attributes import (
    attributes,
    clean_attribute,
    declare_attribute,
    set_attributes,
    set_attributes_of,
)
from crm_plugin.contacts.blocks import BLOCKABLE, verify_blocks
from crm_plugin.contacts.choosing import NOTHING_AT_ALL, Change, Choices, Said, choose
from crm_plugin.contacts.consent import (
    CONFIRM_WITHIN,
    Confirmation,
    Purpose,
    confirm_consent,
    look_at_confirmation,
    set_consent,
    set_night_consent,
)
from crm_plugin.contacts.consent_queue import (
    OldConsent,
    Residents,
    ToTell,
    claim_consent_notices,
    mark_reminded,
    old_consents,
)
from crm_plugin.contacts.copying import Part, copy_of
from crm_plugin.contacts.endpoints import (
    add_endpoint,
    contact_in_browser,
    has_endpoints,
    owner_of_endpoint,
    remove_endpoints,
)
from crm_plugin.contacts.gift_cards import refresh_gift_cards
from crm_plugin.contacts.identity import get_or_create, resolve
from crm_plugin.contacts.kept_key import WHAT_TO_DO, adopt_key, is_key_kept, keep_key
from crm_plugin.contacts.merging import absorb
from crm_plugin.contacts.models import (
    Attribute,
    AttributeKind,
    ConsentBasis,
    Contact,
    Endpoint,
    SuppressionReason,
    Topic,
)
from crm_plugin.contacts.people import (
    VISITOR_KEY,
    Handover,
    Merge,
    Person,
    Resolution,
    clean_visitor_id,
    normalize_email,
)
from crm_plugin.contacts.phones import country_of_phone, normalize_phone
from crm_plugin.contacts.privacy import erase
from crm_plugin.contacts.proof import Proof, ProofLine, consent_proof
from crm_plugin.contacts.reaching import ConsentState, Standing, consent_states, set_phone, standing
from crm_plugin.contacts.refreshing import refresh_customers
from crm_plugin.contacts.selectors import (
    Reach,
    contacts,
    find,
    ids_of_identity,
    lock,
    lock_identity,
    people_at,
    reach,
    rows_of,
    topics,
    visitor_ids,
    withdrawals,
    zones_of,
)
from crm_plugin.contacts.soft_consent import Purchase, expire_consents, grant_by_purchase
from crm_plugin.contacts.suppression import (
    lift_suppression,
    suppress,
    suppressed,
    suppression_of,
    suppressions_by_reason,
)
from crm_plugin.contacts.topics import (
    accept_topics,
    delete_topic,
    refuse_topics,
    refused_topics_of,
    save_topic,
    topic_name,
)
from crm_plugin.contacts.touching import claim_touched, touch
from crm_plugin.contacts.visitors import forget_visitors

__all__ = [
    "BLOCKABLE",
    "CONFIRM_WITHIN",
    "NOTHING_AT_ALL",
    "PHONE_CHANNELS",
    "PUSH_CHANNELS",
    "VISITOR_KEY",
    "WHAT_TO_DO",
    "Attribute",
    "AttributeKind",
    "BalanceChange",
    "Change",
    "ChangeSource",
    "ChannelKind",
    "Choices",
    "Confirmation",
    "ConsentBasis",
    "ConsentState",
    "Contact",
    "Endpoint",
    "Handover",
    "Merge",
    "OldConsent",
    "Part",
    "Person",
    "Proof",
    "ProofLine",
    "Purchase",
    "Purpose",
    "Reach",
    "Residents",
    "Resolution",
    "Said",
    "Standing",
    "SuppressionReason",
    "ToTell",
    "Topic",
    "absorb",
    "accept_topics",
    "add_endpoint",
    "adopt_key",
    "attribute_changes",
    "attributes",
    "choose",
    "claim_consent_notices",
    "claim_touched",
    "clean_attribute",
    "clean_visitor_id",
    "confirm_consent",
    "consent_proof",
    "consent_states",
    "contact_in_browser",
    "contacts",
    "copy_of",
    "country_of_phone",
    "declare_attribute",
    "delete_topic",
    "erase",
    "expire_consents",
    "find",
    "forget_visitors",
    "get_or_create",
    "grant_by_purchase",
    "has_endpoints",
    "ids_of_identity",
    "is_key_kept",
    "keep_key",
    "lift_suppression",
    "lock",
    "lock_identity",
    "look_at_confirmation",
    "mark_reminded",
    "normalize_email",
    "normalize_phone",
    "old_consents",
    "owner_of_endpoint",
    "people_at",
    "reach",
    "refresh_customers",
    "refresh_gift_cards",
    "refuse_topics",
    "refused_topics_of",
    "remove_endpoints",
    "resolve",
    "rows_of",
    "save_topic",
    "set_attributes",
    "set_attributes_of",
    "set_consent",
    "set_night_consent",
    "set_phone",
    "standing",
    "suppress",
    "suppressed",
    "suppression_of",
    "suppressions_by_reason",
    "topic_name",
    "topics",
    "touch",
    "untold_changes",
    "verify_blocks",
    "visitor_ids",
    "withdrawals",
    "zones_of",
]
