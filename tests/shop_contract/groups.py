"""The contract: categories and collections."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin.shop import GroupKind
from tests.shop_contract.asking import NOWHERE, make_ref
from tests.shop_contract.world import World


@pytest.mark.django_db
class GroupContract:
    """Categories and collections."""

    def test_a_product_is_in_its_category_and_in_those_above(self, world: World) -> None:
        scents = world.make_category("Scents")
        perfume = world.make_category("Perfume", parent=scents)
        rose = world.make_category("Rose", parent=perfume)
        other = world.make_category("Kitchen")
        ref = make_ref(world)

        world.put_in(ref, rose)

        groups = world.shop.product_groups([ref.product_id])
        assert groups[ref.product_id] >= {scents, perfume, rose}
        assert other not in groups[ref.product_id]

    def test_a_product_is_in_its_collections_too(self, world: World) -> None:
        summer = world.make_collection("Summer")
        if not summer:
            pytest.skip("this shop has no collections")
        scents, ref = world.make_category("Scents"), make_ref(world)

        world.put_in(ref, scents, summer)

        assert world.shop.product_groups([ref.product_id])[ref.product_id] == {scents, summer}

    def test_unknown_products_and_groups_are_left_out(self, world: World) -> None:
        scents, ref = world.make_category("Scents"), make_ref(world)

        found = world.shop.product_groups([ref.product_id, NOWHERE, "x", ""])
        groups = world.shop.groups(
            [scents, f"category:{NOWHERE}", f"collection:{NOWHERE}", "category:x", "x:1", "category:", ""],
            language="en",
        )

        assert set(found) == {ref.product_id}
        assert set(groups) == {scents}

    def test_a_deleted_product_is_in_no_group(self, world: World) -> None:
        scents, ref = world.make_category("Scents"), make_ref(world)
        world.put_in(ref, scents)

        world.delete_product(ref)

        assert not world.shop.product_groups([ref.product_id])

    def test_a_group_has_its_name_and_its_path(self, world: World) -> None:
        scents = world.make_category("Scents")
        perfume = world.make_category("Perfume", parent=scents)

        groups = world.shop.groups([scents, perfume], language="en")

        assert {key: (group.key, group.kind, group.name, group.path) for key, group in groups.items()} == {
            scents: (scents, GroupKind.CATEGORY, "Scents", "Scents"),
            perfume: (perfume, GroupKind.CATEGORY, "Perfume", "Scents / Perfume"),
        }

    def test_groups_are_found_by_name_up_to_the_limit(self, world: World) -> None:
        keys = {world.make_category(f"Red Perfume {number}") for number in range(3)}
        keys.add(world.make_collection("Red perfume set"))
        world.make_category("Kitchen")

        found = world.shop.search_groups("red perfume", language="en", limit=20)
        few = world.shop.search_groups("red perfume", language="en", limit=2)

        assert {group.key for group in found} == keys - {""}
        assert len(few) == 2

    def test_nothing_asked_about_groups_is_nothing_answered(self, world: World) -> None:
        assert not world.shop.product_groups([])
        assert not world.shop.groups([], language="en")

    def test_the_number_of_queries_for_groups_does_not_grow(self, world: World) -> None:
        parent, refs, keys = world.make_category("Scents"), [], []
        for number in range(8):
            refs.append(make_ref(world, name=f"Mug {number}"))
            keys.append(world.make_category(f"Perfume {number}", parent=parent))
            world.put_in(refs[-1], keys[-1])
        one = _queries(world, [refs[0].product_id], keys[:1])

        assert _queries(world, [ref.product_id for ref in refs], keys) == one


def _queries(world: World, product_ids: list[str], keys: list[str]) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert len(world.shop.product_groups(product_ids)) == len(product_ids)
        assert len(world.shop.groups(keys, language="en")) == len(keys)
        assert world.shop.search_groups("perfume", language="en", limit=20)
    return len(seen)
