"""Every model, re-exported: Django wants one models module."""

from crm_plugin.activity.models import (
    Activity,
    GroupedProduct,
    Inbox,
    Inflow,
    Interest,
    OwnLike,
    PriceDrop,
    PriceWatch,
    PriceWave,
    ProductGroup,
    Watermark,
)
from crm_plugin.audience.models import Export, ListImport, Member, Score, Segment, SegmentVersion
from crm_plugin.automations.models import Campaign, CampaignVersion, Enrollment, FanOut, ScheduleSlot
from crm_plugin.contacts.models import (
    Attribute,
    Consent,
    ConsentEvent,
    Contact,
    ContactSpend,
    Erasure,
    Suppression,
    Touched,
    Visitor,
)
from crm_plugin.guard import Failure
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.models import Link, Message, Template

__all__ = [
    "Activity",
    "Attribute",
    "Campaign",
    "CampaignVersion",
    "Consent",
    "ConsentEvent",
    "Contact",
    "ContactSpend",
    "Enrollment",
    "Erasure",
    "Export",
    "Failure",
    "FanOut",
    "GroupedProduct",
    "Inbox",
    "Inflow",
    "Interest",
    "Link",
    "ListImport",
    "Member",
    "Merchant",
    "Message",
    "OwnLike",
    "PriceDrop",
    "PriceWatch",
    "PriceWave",
    "ProductGroup",
    "ScheduleSlot",
    "Score",
    "Segment",
    "SegmentVersion",
    "Suppression",
    "Template",
    "Touched",
    "Visitor",
    "Watermark",
]
