"""Who enters a campaign because of what they did: new activities meet the triggers of running campaigns.

The triggers are sorted by kind and by product, so that an activity meets only those that it can start: two hundred
campaigns cost no more than one. Everybody enters by one statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from crm_plugin import activity, clock
from crm_plugin.activity import Happening
from crm_plugin.audience import What
from crm_plugin.automations.entering import Entrant, enroll, entrant_of, key_of
from crm_plugin.automations.inside import inside
from crm_plugin.automations.running import Running, running
from crm_plugin.automations.triggers import ActivityTrigger, Deed
from crm_plugin.conf import settings
from crm_plugin.shop import FactKind


@dataclass(slots=True)
class Index:
    """Triggers by what an activity must be about to start them."""

    by_product: dict[str, list[tuple[Running, Deed]]] = field(default_factory=lambda: defaultdict(list))
    by_group: dict[str, list[tuple[Running, Deed]]] = field(default_factory=lambda: defaultdict(list))
    anything: list[tuple[Running, Deed]] = field(default_factory=list)

    def add(self, one: Running, deed: Deed) -> None:
        """Sort a campaign in."""
        for product_id in deed.what.products:
            self.by_product[product_id].append((one, deed))
        for group in deed.what.groups:
            self.by_group[group].append((one, deed))
        if not deed.what.products and not deed.what.groups:
            self.anything.append((one, deed))

    def candidates(self, happening: Happening, groups: Mapping[str, frozenset[str]]) -> Iterator[tuple[Running, Deed]]:
        """Walk over the campaigns that the activity may start, each once."""
        found = {id(one): (one, deed) for one, deed in self.anything}
        for product_id in happening.product_ids:
            found |= {id(one): (one, deed) for one, deed in self.by_product.get(product_id, ())}
            if self.by_group:
                for group in groups.get(product_id, ()):
                    found |= {id(one): (one, deed) for one, deed in self.by_group.get(group, ())}
        if happening.kind is FactKind.GROUP_VIEWED:
            found |= {id(one): (one, deed) for one, deed in self.by_group.get(happening.subject, ())}
        yield from found.values()


def match(added: Mapping[FactKind, Sequence[int]]) -> int:
    """Enroll the people whose new activities (ids by kind) start a campaign; return how many.

    Activities from before the campaign ran, or too old to be news (backfill), start nothing. Must run in the
    transaction that wrote the activities: their contacts are locked.
    """
    started = [
        (one, one.definition.trigger) for one in running() if isinstance(one.definition.trigger, ActivityTrigger)
    ]
    return enroll([_entrant(*meeting) for meeting in meetings(added, started)])


def meetings(
    added: Mapping[FactKind, Sequence[int]], campaigns: Sequence[tuple[Running, Deed]]
) -> list[tuple[Running, Deed, Happening]]:
    """Return which of the new activities meet which of the campaigns: kind, filters, age and audience."""
    indexes: dict[FactKind, Index] = defaultdict(Index)
    for one, deed in campaigns:
        if added.get(deed.activity):
            indexes[deed.activity].add(one, deed)
    ids = [pk for kind in indexes for pk in added[kind]]
    if not ids:
        return []
    happenings = activity.happenings(ids)
    has_groups = any(index.by_group for index in indexes.values())
    groups = activity.groups_of({p for one in happenings for p in one.product_ids}) if has_groups else {}
    oldest = clock.now() - timedelta(hours=settings().trigger_max_age_hours)
    met = [
        (one, deed, happening)
        for happening in happenings
        for one, deed in indexes[happening.kind].candidates(happening, groups)
        if happening.occurred_at >= max(oldest, one.since) and suits(deed, happening)
    ]
    return list(_in_audience(met))


def suits(deed: Deed, happening: Happening) -> bool:
    """Whether the activity passes the filters of the trigger that are not about products."""
    if deed.is_first_order and not happening.is_first_order:
        return False
    if not all(one.holds_for(happening.data) for one in deed.said):
        return False
    if deed.crosses is not None and not has_crossed(deed.crosses, happening):
        return False
    return suits_what(deed.what, happening) and (
        deed.amount is None
        or (
            happening.amount is not None
            and happening.currency == deed.amount.currency
            and deed.amount.holds_for(happening.amount)
        )
    )


def has_crossed(mark: Decimal, happening: Happening) -> bool:
    """Whether the balance was below the mark, or unknown, and is not any more."""
    before, after = happening.data.get("before"), happening.data.get("after")
    return after is not None and after >= mark and (before is None or before < mark)


def suits_what(what: What, happening: Happening) -> bool:
    """Whether the activity has the subject and the shop channel that are asked for."""
    if what.shop_channels and happening.shop_channel not in what.shop_channels:
        return False
    return what.subject is None or what.subject.holds_for(happening.subject)


def _in_audience(met: Sequence[tuple[Running, Deed, Happening]]) -> Iterator[tuple[Running, Deed, Happening]]:
    people: dict[int, set[int]] = defaultdict(set)
    asked: dict[int, dict[str, Any]] = {}
    for one, deed, happening in met:
        if deed.audience is not None:
            people[one.campaign_id].add(happening.contact_id)
            asked[one.campaign_id] = deed.audience
    members = {campaign_id: inside(audience, people[campaign_id]) for campaign_id, audience in asked.items()}
    for one, deed, happening in met:
        if deed.audience is None or happening.contact_id in members[one.campaign_id]:
            yield one, deed, happening


def _entrant(one: Running, deed: Deed, happening: Happening) -> Entrant:
    key = key_of(deed.reentry, deed.concurrency, subject=happening.subject_key, occasion=happening.activity_id)
    who = {"campaign_id": one.campaign_id, "version_id": one.version.version_id}
    return entrant_of(deed, happening, key, **who, due_at=clock.now())
