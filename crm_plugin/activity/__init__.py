"""The event stream: what people did, what they are interested in, and what the shop's prices do.

A shop tells this room facts (``record``); the drain (``claim``, ``people_in``, ``project``) turns them into activities
and interests; the watch (``look``) finds prices that fell, and ``concerned_by`` the people they concern. This room
starts no campaign and sends nothing; ``pipeline`` hands its batches on. Start in ``recording`` and ``projection``.
"""

from crm_plugin.activity.balances import tell_balances
from crm_plugin.activity.confirming import Receipt, confirm_receipt, read_receipt, receipt_token
from crm_plugin.activity.copying import copy_of
from crm_plugin.activity.deliveries import delivered_at, delivered_key, derive_deliveries
from crm_plugin.activity.drops import (
    Drop,
    DropRule,
    concerned_by,
    concerned_if,
    cooling_down,
    mark_alerted,
    still_interested,
)
from crm_plugin.activity.epochs import Turn, is_wave_due, next_wave
from crm_plugin.activity.forgetting import BEHAVIOUR, forget_behaviour, forget_past
from crm_plugin.activity.groups import refresh_groups
from crm_plugin.activity.guests import (
    forget_guests,
    guest_likes,
    hand_likes_over,
    like_as_guest,
    unlike_as_guest,
)
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
from crm_plugin.activity.likes import (
    KeptLike,
    like_own,
    likes_since,
    own_like_counts,
    own_liked,
    own_likes,
    unlike_own,
)
from crm_plugin.activity.liking import Liked, Liking, likers_count, most_liked, prices_when_liked
from crm_plugin.activity.models import WaveKind
from crm_plugin.activity.ownership import absorb, forget
from crm_plugin.activity.projection import INTERNAL_KINDS, project
from crm_plugin.activity.purchases import bought_among, doers_of
from crm_plugin.activity.reconcile import Purpose, Step, restart, step
from crm_plugin.activity.recording import look_again, record, record_many
from crm_plugin.activity.redemptions import CouponUse, coupon_uses, coupons_told_of
from crm_plugin.activity.restocks import waiting_for
from crm_plugin.activity.selectors import inflows, lag, last_times, latest_of, touch_people, tracked
from crm_plugin.activity.supposing import supposed_drops
from crm_plugin.activity.vouchers import could_use, voucher_of, voucher_waves
from crm_plugin.activity.waiting import (
    ASK_WITHIN,
    Ask,
    Asked,
    AskStanding,
    Awaited,
    ask_for_stock,
    ask_unconfirmed,
    awaited_by,
    cancel_ask,
    confirm_ask,
    forget_unconfirmed,
    is_available,
    look_at_ask,
    put_back,
    stop_waiting,
)
from crm_plugin.activity.waiting_lists import Epoch, WaitingList, people_waiting, waiting_lists
from crm_plugin.activity.watch import Look, forget_unwanted, look, look_now, watched
from crm_plugin.activity.waves import INTERESTS, InterestRule, Select, Source, kind_of
from crm_plugin.activity.wishlists import (
    change_own_wishlist,
    drop_own_wishlist,
    make_own_wishlist,
    own_wishlists,
    public_own_wishlist,
)

__all__ = [
    "ASK_WITHIN",
    "BEHAVIOUR",
    "INTERESTS",
    "INTERNAL_KINDS",
    "OF_ORDERS",
    "Ask",
    "AskStanding",
    "Asked",
    "Awaited",
    "Batch",
    "CouponUse",
    "Drop",
    "DropRule",
    "Epoch",
    "Happening",
    "InterestRule",
    "KeptLike",
    "Liked",
    "Liking",
    "Look",
    "Purpose",
    "Receipt",
    "Select",
    "Source",
    "Step",
    "Turn",
    "WaitingList",
    "WaveKind",
    "absorb",
    "ask_for_stock",
    "ask_unconfirmed",
    "awaited_by",
    "bought_among",
    "broken",
    "cancel_ask",
    "change_own_wishlist",
    "claim",
    "claim_one",
    "concerned_by",
    "concerned_if",
    "confirm_ask",
    "confirm_receipt",
    "cooling_down",
    "copy_of",
    "could_use",
    "coupon_uses",
    "coupons_told_of",
    "delivered_at",
    "delivered_key",
    "derive_deliveries",
    "doers_of",
    "drop_erased",
    "drop_own_wishlist",
    "forget",
    "forget_behaviour",
    "forget_guests",
    "forget_past",
    "forget_unconfirmed",
    "forget_unwanted",
    "groups_of",
    "guest_likes",
    "hand_likes_over",
    "hand_over",
    "happenings",
    "inflows",
    "is_available",
    "is_wave_due",
    "kind_of",
    "lag",
    "last_times",
    "latest_of",
    "like_as_guest",
    "like_own",
    "likers_count",
    "likes_since",
    "look",
    "look_again",
    "look_at_ask",
    "look_now",
    "make_own_wishlist",
    "mark_alerted",
    "most_liked",
    "next_wave",
    "oldest",
    "own_like_counts",
    "own_liked",
    "own_likes",
    "own_wishlists",
    "people_in",
    "people_waiting",
    "prices_when_liked",
    "project",
    "public_own_wishlist",
    "put_back",
    "read_receipt",
    "receipt_token",
    "record",
    "record_many",
    "refresh_groups",
    "restart",
    "set_aside",
    "step",
    "still_interested",
    "stop_waiting",
    "supposed_drops",
    "take_back",
    "tell_balances",
    "touch_people",
    "tracked",
    "unlike_as_guest",
    "unlike_own",
    "voucher_of",
    "voucher_waves",
    "waiting_for",
    "waiting_lists",
    "watched",
]
