"""A sale, as staff put a product on one: a promotion of the catalogue, whose prices Saleor has computed."""

from __future__ import annotations

from saleor.product.tasks import update_variant_relations_for_active_promotion_rules_task

from crm_plugin.shop import ProductRef
from tests.saleor import asking, engine
from tests.saleor.world import SaleorWorld

PROMOTION = """
mutation($input: PromotionCreateInput!) { promotionCreate(input: $input) {
  promotion { id } errors { field code message } } }
"""


def put_on_sale(world: SaleorWorld, ref: ProductRef, *, percent: int) -> None:
    """Take so much off the product's price."""
    rule = {
        "name": "Off",
        "channels": [asking.gid("Channel", world.channel.pk)],
        "rewardValueType": "PERCENTAGE",
        "rewardValue": percent,
        "cataloguePredicate": {"productPredicate": {"ids": [asking.gid("Product", ref.product_id)]}},
    }
    manager = asking.staff("manage_products", "manage_discounts", email="sales@example.com")
    asking.ask(manager, PROMOTION, input={"name": "Sale", "type": "CATALOGUE", "rules": [rule]})
    update_variant_relations_for_active_promotion_rules_task.delay()
    engine.saleor_computes_prices()
