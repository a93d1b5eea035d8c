"""Messaging: templates, the outbox, the gates, the channels and what comes back through tracked links.

What for: a Send step puts a draft into the outbox; a worker claims it, composes it with today's prices, passes it
through the gates and hands it to a provider, and every message ends in exactly one state with a reason.

What never: a message is never handed out twice, never without the consent that its class asks for, and never before
its state ``sending`` is committed. This room knows neither campaigns nor shops: it gets verdicts and asks the port.

Where to start: ``delivery.deliver`` is the loop, ``outbox`` the queue, ``templates`` what a merchant may write.
"""

from crm_plugin.messaging.declared import attributes_named
from crm_plugin.messaging.delivery import deliver
from crm_plugin.messaging.foreseeing import foresee
from crm_plugin.messaging.gates import Planned
from crm_plugin.messaging.languages import choose_language
from crm_plugin.messaging.models import Link, Message, MessageClass, MessageState, Template
from crm_plugin.messaging.outbox import Claimed, Delivered, Draft, claim, enqueue, sweep
from crm_plugin.messaging.outcomes import CampaignCap, Go, Hold, Item, Reason, Skip, Verdict
from crm_plugin.messaging.responses import Responses, responses
from crm_plugin.messaging.templates import Content, TemplateSource, save_template
from crm_plugin.messaging.tracking import (
    Addressee,
    Tracked,
    addressee,
    project_tracking,
    read_click,
    read_open,
    read_unsubscribe,
)
from crm_plugin.messaging.upkeep import absorb, forget, lag, messages, refresh_stale
from crm_plugin.messaging.webhooks import CallDraft, deliver_calls, enqueue_calls

__all__ = [
    "Addressee",
    "CallDraft",
    "CampaignCap",
    "Claimed",
    "Content",
    "Delivered",
    "Draft",
    "Go",
    "Hold",
    "Item",
    "Link",
    "Message",
    "MessageClass",
    "MessageState",
    "Planned",
    "Reason",
    "Responses",
    "Skip",
    "Template",
    "TemplateSource",
    "Tracked",
    "Verdict",
    "absorb",
    "addressee",
    "attributes_named",
    "choose_language",
    "claim",
    "deliver",
    "deliver_calls",
    "enqueue",
    "enqueue_calls",
    "foresee",
    "forget",
    "lag",
    "messages",
    "project_tracking",
    "read_click",
    "read_open",
    "read_unsubscribe",
    "refresh_stale",
    "responses",
    "save_template",
    "sweep",
]
