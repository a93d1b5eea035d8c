"""Every model, re-exported: Django wants one models module."""

from crm_plugin.activity.models import (
    Activity,
    Inbox,
    Interest,
    OwnLike,
    PriceDrop,
    PriceWatch,
    PriceWave,
    Watermark,
)
from crm_plugin.automations.models import Campaign, CampaignVersion, Enrollment, FanOut
from crm_plugin.contacts.models import (
    Consent,
    ConsentEvent,
    Contact,
    ContactSpend,
    Erasure,
    Suppression,
)
from crm_plugin.guard import Failure
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.models import Link, Message, Template

__all__ = [
    "Activity",
    "Campaign",
    "CampaignVersion",
    "Consent",
    "ConsentEvent",
    "Contact",
    "ContactSpend",
    "Enrollment",
    "Erasure",
    "Failure",
    "FanOut",
    "Inbox",
    "Interest",
    "Link",
    "Merchant",
    "Message",
    "OwnLike",
    "PriceDrop",
    "PriceWatch",
    "PriceWave",
    "Suppression",
    "Template",
    "Watermark",
]
