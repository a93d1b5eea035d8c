"""Messaging: templates, the outbox, the gates, the channels and what comes back through tracked links.

What for: a Send step puts a draft into the outbox; a worker claims it, composes it with today's prices, passes it
through the gates and hands it to a provider, and every message ends in exactly one state with a reason.

What never: a message is never handed out twice, never without the consent that its class asks for, and never before
its state ``sending`` is committed. This room knows neither campaigns nor shops: it gets verdicts and asks the port.

Where to start: ``delivery.deliver`` is the loop, ``outbox`` the queue, ``templates`` what a merchant may write.
"""

from crm_plugin.messaging.advertising import Advert, advertises
from crm_plugin.messaging.channels import missing_provider
from crm_plugin.messaging.copying import copy_of
from crm_plugin.messaging.declared import attributes_named
from crm_plugin.messaging.deliverability import (
    ChannelFigures,
    DomainFigures,
    Rates,
    by_domain,
    rates,
    siblings,
    summary,
)
from crm_plugin.messaging.delivery import deliver, sweep
from crm_plugin.messaging.devices import Subscription, read_subscription, read_token
from crm_plugin.messaging.foreseeing import Foresight, Outlook
from crm_plugin.messaging.forgetting import forget_past
from crm_plugin.messaging.gates import Planned
from crm_plugin.messaging.hosted import night_ban, preferences_path
from crm_plugin.messaging.inbox import clear_notes, mark_read, notes_of, unread_count
from crm_plugin.messaging.languages import choose_language
from crm_plugin.messaging.models import (
    Link,
    Message,
    MessageClass,
    MessageForm,
    MessageState,
    Partial,
    ReceiptKind,
    Template,
)
from crm_plugin.messaging.needed import settings_missing
from crm_plugin.messaging.notices import Notice, enqueue_notices, verdicts_of_notices
from crm_plugin.messaging.outbox import Claimed, Delivered, Draft, claim, enqueue
from crm_plugin.messaging.outcomes import UNREACHED, CampaignCap, GateTerms, Go, Hold, Item, Reason, Skip, Verdict
from crm_plugin.messaging.partials import delete_partial, partials, save_partial
from crm_plugin.messaging.previewing import Preview, PreviewFor, Remark, preview
from crm_plugin.messaging.providers import (
    PROVIDERS,
    Forged,
    UnknownProvider,
    Unreadable,
    provider_problems,
    read_receipts,
    receipts_url,
)
from crm_plugin.messaging.receipts import Told, forget_receipts, keep, settle_receipts
from crm_plugin.messaging.resending import Resent, resend
from crm_plugin.messaging.responses import Responses, responses
from crm_plugin.messaging.sender_domain import PointState, SenderCheck, check_sender
from crm_plugin.messaging.templates import TemplateSource, problems, save_template, template_schema
from crm_plugin.messaging.throttles import forget_counts
from crm_plugin.messaging.tracking import (
    Addressee,
    Tracked,
    addressee,
    note_machine,
    project_tracking,
    read_click,
    read_open,
    read_preferences,
    read_short,
    read_unsubscribe,
)
from crm_plugin.messaging.trying import send_test
from crm_plugin.messaging.upholding import (
    confirmation_path,
    consents_by_purchase,
    read_confirmation,
    told_at,
    uphold_consents,
)
from crm_plugin.messaging.upkeep import absorb, forget, lag, messages, refresh_stale
from crm_plugin.messaging.vapid import make_vapid_keys, vapid_public_key
from crm_plugin.messaging.variables import about_cart
from crm_plugin.messaging.webhooks import CallDraft, deliver_calls, enqueue_calls

__all__ = [
    "PROVIDERS",
    "UNREACHED",
    "Addressee",
    "Advert",
    "CallDraft",
    "CampaignCap",
    "ChannelFigures",
    "Claimed",
    "Delivered",
    "DomainFigures",
    "Draft",
    "Foresight",
    "Forged",
    "GateTerms",
    "Go",
    "Hold",
    "Item",
    "Link",
    "Message",
    "MessageClass",
    "MessageForm",
    "MessageState",
    "Notice",
    "Outlook",
    "Partial",
    "Planned",
    "PointState",
    "Preview",
    "PreviewFor",
    "Rates",
    "Reason",
    "ReceiptKind",
    "Remark",
    "Resent",
    "Responses",
    "SenderCheck",
    "Skip",
    "Subscription",
    "Template",
    "TemplateSource",
    "Told",
    "Tracked",
    "UnknownProvider",
    "Unreadable",
    "Verdict",
    "about_cart",
    "absorb",
    "addressee",
    "advertises",
    "attributes_named",
    "by_domain",
    "check_sender",
    "choose_language",
    "claim",
    "clear_notes",
    "confirmation_path",
    "consents_by_purchase",
    "copy_of",
    "delete_partial",
    "deliver",
    "deliver_calls",
    "enqueue",
    "enqueue_calls",
    "enqueue_notices",
    "forget",
    "forget_counts",
    "forget_past",
    "forget_receipts",
    "keep",
    "lag",
    "make_vapid_keys",
    "mark_read",
    "messages",
    "missing_provider",
    "night_ban",
    "note_machine",
    "notes_of",
    "partials",
    "preferences_path",
    "preview",
    "problems",
    "project_tracking",
    "provider_problems",
    "rates",
    "read_click",
    "read_confirmation",
    "read_open",
    "read_preferences",
    "read_receipts",
    "read_short",
    "read_subscription",
    "read_token",
    "read_unsubscribe",
    "receipts_url",
    "refresh_stale",
    "resend",
    "responses",
    "save_partial",
    "save_template",
    "send_test",
    "settings_missing",
    "settle_receipts",
    "siblings",
    "summary",
    "sweep",
    "template_schema",
    "told_at",
    "unread_count",
    "uphold_consents",
    "vapid_public_key",
    "verdicts_of_notices",
]
