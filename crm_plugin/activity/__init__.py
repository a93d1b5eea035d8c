"""The event stream: what people did, what they are interested in, and what the shop's prices do.

A shop tells this room facts (``record``); the drain (``claim``, ``people_in``, ``project``) turns them into activities
and interests; the watch (``look``) finds prices that fell, and ``concerned_by`` the people they concern. This room
starts no campaign and sends nothing; ``pipeline`` hands its batches on. Start in ``recording`` and ``projection``.
"""

from crm_plugin.activity.deliveries import delivered_key, derive_deliveries
from crm_plugin.activity.drops import DropRule, concerned_by, cooling_down, mark_alerted, still_interested
from crm_plugin.activity.groups import refresh_groups
from crm_plugin.activity.happenings import OF_ORDERS, Happening, groups_of, happenings
from crm_plugin.activity.inbox import (
    Batch,
    broken,
    claim,
    claim_one,
    drop_erased,
    hand_over,
    oldest,
    people_in,
    set_aside,
    take_back,
)
from crm_plugin.activity.likes import KeptLike, like_own, likes_since, own_likes, unlike_own
from crm_plugin.activity.models import WaveKind
from crm_plugin.activity.ownership import absorb, forget
from crm_plugin.activity.projection import INTERNAL_KINDS, project
from crm_plugin.activity.reconcile import Purpose, Step, restart, step
from crm_plugin.activity.recording import look_again, record, record_many
from crm_plugin.activity.restocks import waiting_for
from crm_plugin.activity.selectors import inflows, lag, last_times, latest_of, touch_people, tracked
from crm_plugin.activity.vouchers import could_use, voucher_of, voucher_waves
from crm_plugin.activity.watch import Look, forget_unwanted, look, look_now, watched
from crm_plugin.activity.waves import InterestRule, Select, Source, kind_of

__all__ = [
    "INTERNAL_KINDS",
    "OF_ORDERS",
    "Batch",
    "DropRule",
    "Happening",
    "InterestRule",
    "KeptLike",
    "Look",
    "Purpose",
    "Select",
    "Source",
    "Step",
    "WaveKind",
    "absorb",
    "broken",
    "claim",
    "claim_one",
    "concerned_by",
    "cooling_down",
    "could_use",
    "delivered_key",
    "derive_deliveries",
    "drop_erased",
    "forget",
    "forget_unwanted",
    "groups_of",
    "hand_over",
    "happenings",
    "inflows",
    "kind_of",
    "lag",
    "last_times",
    "latest_of",
    "like_own",
    "likes_since",
    "look",
    "look_again",
    "look_now",
    "mark_alerted",
    "oldest",
    "own_likes",
    "people_in",
    "project",
    "record",
    "record_many",
    "refresh_groups",
    "restart",
    "set_aside",
    "step",
    "still_interested",
    "take_back",
    "touch_people",
    "tracked",
    "unlike_own",
    "voucher_of",
    "voucher_waves",
    "waiting_for",
    "watched",
]
