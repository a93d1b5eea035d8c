"""Who a token makes of its bearer: the dashboard's token for an app, and accounts that were shut down."""

from __future__ import annotations

from typing import Any

import pytest
from saleor.account.models import User
from saleor.app.models import App
from saleor.core.jwt import create_access_token_for_app
from saleor.graphql.tests.fixtures import ApiClient

from tests.saleor import asking
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

LOOK = "{ crmSettings { senderName } }"
TOUCH = 'mutation { crmSettingsUpdate(input: {senderName: "X"}) { errors { code } } }'
ME = "{ crmMe { email } }"


def _in_dashboard(user: User, *codenames: str) -> ApiClient:
    """The page of an app with these permissions, opened by the user: the dashboard hands it a token of its own."""
    app = App.objects.create(name="A page", is_active=True, type="thirdparty")
    app.permissions.set(asking.permissions(*codenames))
    client = ApiClient(user=user)
    client.token = create_access_token_for_app(app, user)
    return client


def _superuser() -> User:
    return User.objects.create(email="root@example.com", is_staff=True, is_superuser=True, is_confirmed=True)


def _allowed(client: ApiClient) -> list[bool]:
    """Whether the client may look and touch."""
    return ["errors" not in asking.post(client, query) for query in (LOOK, TOUCH)]


@pytest.mark.parametrize(
    ("of_user", "of_app", "allowed"),
    [
        (["manage_crm"], ["manage_crm"], [True, True]),
        (["manage_crm", "view_crm"], ["view_crm"], [True, False]),
        (["view_crm"], ["manage_crm", "view_crm"], [True, False]),
        (["manage_crm"], ["view_crm"], [False, False]),
        (["manage_crm"], ["manage_products"], [False, False]),
        (["manage_crm"], [], [False, False]),
        ([], ["manage_crm"], [False, False]),
    ],
)
def test_a_page_in_the_dashboard_may_what_both_app_and_user_may(
    crm: Any, of_user: list[str], of_app: list[str], allowed: list[bool]
) -> None:
    user = asking.staff(*of_user).user

    assert _allowed(_in_dashboard(user, *of_app)) == allowed


@pytest.mark.parametrize(
    ("of_app", "allowed"),
    [(["manage_crm"], [True, True]), (["view_crm"], [True, False]), (["manage_products"], [False, False])],
)
def test_a_superuser_lends_an_app_no_more_than_the_app_has(crm: Any, of_app: list[str], allowed: list[bool]) -> None:
    assert _allowed(_in_dashboard(_superuser(), *of_app)) == allowed


def test_an_app_without_permissions_gets_none_from_a_superuser(crm: Any) -> None:
    root = _superuser()

    assert _allowed(ApiClient(user=root)) == [True, True]
    assert _allowed(_in_dashboard(root)) == [False, False]


def test_an_inactive_member_of_staff_may_nothing(crm: Any) -> None:
    client = asking.staff("manage_crm")
    client.ensure_access_token()
    User.objects.filter(pk=client.user.pk).update(is_active=False)

    assert _allowed(client) == [False, False]


def test_staff_who_became_a_customer_keep_nothing(crm: Any) -> None:
    client = asking.staff("manage_crm")
    User.objects.filter(pk=client.user.pk).update(is_staff=False)
    client.user = User.objects.get(pk=client.user.pk)

    assert _allowed(client) == [False, False]
    assert "errors" not in asking.post(client, ME)


def test_an_inactive_customer_is_nobody(crm: Any, world: SaleorWorld) -> None:
    client = asking.customer(world.make_customer(email="ann@example.com"))
    known = asking.ask(client, ME)
    User.objects.filter(pk=client.user.pk).update(is_active=False)

    answer = asking.post(client, ME)

    assert known == {"email": "ann@example.com"}
    assert answer["errors"]
    assert not (answer.get("data") or {}).get("crmMe")


def test_an_inactive_app_may_nothing(crm: Any) -> None:
    client = asking.app("manage_crm")
    App.objects.update(is_active=False)

    assert _allowed(client) == [False, False]


def test_an_app_is_no_customer(crm: Any) -> None:
    answer = asking.post(asking.app("manage_crm"), ME)

    assert [error["extensions"]["exception"]["code"] for error in answer["errors"]] == ["PermissionDenied"]
