"""Requests for reviews: of which products a message may ask now, the way to each form, and that it was asked.

The rules (how many, how often, how late; features part 2a) are the reviews room's; here is what a run is about. What
was sent back or refunded nobody is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from crm_plugin import activity, contacts, reviews, shop
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.extras import Surroundings
from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.running import Version, versions
from crm_plugin.automations.steps import SendStep
from crm_plugin.messaging import Claimed, Delivered, Item, MessageState
from crm_plugin.shop import Line, Order


@dataclass(frozen=True, slots=True)
class Requests:
    """Of which products the runs of a pass may ask, in the order in which they are shown, by run."""

    products: Mapping[int, Sequence[str]]
    languages: Mapping[int, str]
    public_url: str

    @classmethod
    def of(
        cls,
        claimed: Sequence[Claimed],
        runs: Mapping[int | None, Enrollment],
        known: Mapping[int, Version],
        surroundings: Surroundings,
    ) -> Requests:
        """Ask the reviews room about all requests among the messages at once; nothing is asked when there are none."""
        asking = {
            run.pk: run
            for message in claimed
            for run in (runs[message.enrollment_id],)
            if is_request(known[run.version_id].definition, message.step_id)
        }
        if not asking:
            return cls({}, {}, "")
        people = {run.contact_id for run in asking.values()}
        return cls(
            reviews.may_ask(_asks(list(asking.values()), surroundings)),
            dict(contacts.rows_of(people).values_list("pk", "language")),
            shop.current().operator().public_url,
        )

    def items(self, run: Enrollment, items: Sequence[Item]) -> list[Item]:
        """Return those of the items that may be asked about, each with the way to its form."""
        first: dict[str, Item] = {}
        for item in items:
            first.setdefault(item.product_id, item)
        asked = (first[product_id] for product_id in self.products.get(run.pk, ()) if product_id in first)
        return [replace(item, review_url=self._url(run, item)) for item in asked]

    def _url(self, run: Enrollment, item: Item) -> str:
        token = reviews.link(
            run.contact_id,
            item.product_id,
            order_ref=run.context.get("order_ref", ""),
            variant_id=item.variant_id,
            shop_channel=item.shop_channel,
            language=self.languages.get(run.contact_id, ""),
        )
        return f"{self.public_url}review/{token}/"


def is_request(definition: Definition, step_id: str) -> bool:
    """Whether the message of the step asks for reviews."""
    place = definition.program.place_of(step_id)
    step = definition.program.ops[place].step if place is not None else None
    return isinstance(step, SendStep) and step.is_review_request


def note_review_requests(outcomes: Sequence[Delivered]) -> None:
    """Remember what people were asked about. Must run in the transaction that writes the outcomes.

    Args:
        outcomes: messages that may have reached their people. One whose worker died does not say what it was about:
            it is taken to have asked about everything of its run.
    """
    asked = [one for one in outcomes if _is_lost(one) or any(item.review_url for item in one.items)]
    if not asked:
        return
    rows = Enrollment.objects.filter(pk__in={one.enrollment_id for one in asked})
    runs = {row[0]: row for row in rows.values_list("pk", "contact_id", "version_id", "items")}
    known = versions(version_id for _pk, _contact_id, version_id, _items in runs.values())
    told = set[tuple[int, str, int]]()
    for one in asked:
        pk, contact_id, version_id, items = runs[one.enrollment_id]
        if is_request(known[version_id].definition, one.step_id):
            products = [item.product_id for item in one.items] or [item["product_id"] for item in items]
            told |= {(contact_id, product_id, pk) for product_id in products}
    if told:
        reviews.mark_asked(sorted(told))


def _is_lost(one: Delivered) -> bool:
    return one.state == MessageState.UNKNOWN and not one.items


def _asks(runs: Sequence[Enrollment], surroundings: Surroundings) -> list[reviews.Ask]:
    delivered = activity.delivered_at({run.context.get("order_ref", "") for run in runs})
    found = []
    for run in runs:
        order = surroundings.orders.get(run.context.get("order_ref", ""))
        products = dict.fromkeys(item.product_id for item in surroundings.items(run))
        kept = set(products) if order is None else {line.product_id for line in order.lines if _was_kept(line)}
        found.append(
            reviews.Ask(
                enrollment_id=run.pk,
                contact_id=run.contact_id,
                product_ids=tuple(product_id for product_id in products if product_id in kept),
                delivered_at=delivered.get(run.context.get("order_ref", "")),
                prices=_prices(order),
            )
        )
    return found


def _was_kept(line: Line) -> bool:
    return line.refunded_quantity < line.quantity


def _prices(order: Order | None) -> dict[str, Decimal]:
    """Return what one of each product cost; of several variants, the dearest."""
    prices: dict[str, Decimal] = {}
    for line in order.lines if order is not None else ():
        prices[line.product_id] = max(line.unit_price.amount, prices.get(line.product_id, Decimal(0)))
    return prices
