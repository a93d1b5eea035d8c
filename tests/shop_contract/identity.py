"""The contract: who the shop is, what its operator decided, who calls."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from crm_plugin.models import Inbox
from crm_plugin.shop import FactKind, Permission
from tests.shop_contract.asking import FIRST, make_ref
from tests.shop_contract.world import World


@pytest.mark.django_db
class IdentityContract:
    """Who the shop is, what its operator decided, who calls."""

    def test_the_shop_says_who_it_is(self, world: World) -> None:
        identity = world.shop.identity()

        assert identity.name
        assert urlsplit(identity.url).netloc
        assert identity.time_zone
        assert identity.language

    def test_the_operator_gives_an_absolute_public_url(self, world: World) -> None:
        operator = world.shop.operator()

        assert operator.is_enabled
        assert urlsplit(operator.public_url).netloc
        assert operator.public_url.endswith("/")

    def test_channels_have_unique_slugs_and_a_currency_the_default_first(self, world: World) -> None:
        channels = world.shop.channels()

        assert len({channel.slug for channel in channels}) == len(channels) > 0
        assert all(len(channel.currency) == 3 for channel in channels)
        assert channels[0].slug == make_ref(world).shop_channel

    def test_an_anonymous_caller_is_nobody(self, world: World) -> None:
        actor = world.shop.actor(world.context())

        assert not actor.is_known
        assert (actor.customer_id, actor.email, actor.is_staff, actor.permissions) == ("", "", False, frozenset())

    def test_a_customer_is_known_and_may_nothing(self, world: World) -> None:
        customer_id = world.make_customer(email="ann@example.com")

        actor = world.shop.actor(world.context(customer_id=customer_id))

        assert (actor.customer_id, actor.email, actor.is_staff) == (customer_id, "ann@example.com", False)
        assert actor.permissions == frozenset()

    @pytest.mark.parametrize("granted", [(), (Permission.VIEW,), (Permission.VIEW, Permission.MANAGE)])
    def test_staff_may_what_they_were_allowed(self, world: World, granted: tuple[Permission, ...]) -> None:
        actor = world.shop.actor(world.context(is_staff=True, permissions=granted))

        assert actor.is_known
        assert actor.is_staff
        assert actor.permissions == frozenset(granted)

    def test_the_shop_can_be_written_to_in_its_context(self, world: World) -> None:
        with world.shop.writable():
            Inbox.objects.create(kind=FactKind.VIEWED, source_key="contract:1", occurred_at=FIRST.at)

        assert Inbox.objects.filter(source_key="contract:1").exists()
