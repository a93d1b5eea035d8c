"""GraphQL as a storefront, a dashboard or an app asks it: through Saleor's view, with a real token."""

from __future__ import annotations

from typing import Any

from graphene import Node
from saleor.account.models import Group, User
from saleor.app.models import App
from saleor.graphql.tests.fixtures import ApiClient
from saleor.permission.models import Permission

from tests.saleor.world import SaleorWorld

REGISTER = """
mutation($input: AccountRegisterInput!) { accountRegister(input: $input) { user { id } errors { field code message } } }
"""
LIKE = """
mutation($product: ID!, $channel: String) {
  crmProductLike(productId: $product, channel: $channel) { isLiked errors { field code message } } }
"""
UNLIKE = """
mutation($product: ID!) { crmProductUnlike(productId: $product) { isLiked errors { field code message } } }
"""
CONSENT = """
mutation { crmConsentUpdate(input: {channel: EMAIL, isGranted: true, source: "footer_form"}) {
  consents { isGranted } errors { field code message } } }
"""
PRICE = """
mutation($id: ID!, $input: [ProductVariantChannelListingAddInput!]!) {
  productVariantChannelListingUpdate(id: $id, input: $input) { errors { field code message } } }
"""


def gid(kind: str, pk: object) -> str:
    """Return Saleor's global id."""
    found: str = Node.to_global_id(kind, pk)
    return found


def post(client: ApiClient, query: str, **variables: Any) -> dict[str, Any]:
    """Return the whole answer, errors included."""
    answer: dict[str, Any] = client.post_graphql(query, variables).json()
    return answer


def ask(client: ApiClient, query: str, **variables: Any) -> Any:
    """Return the answer's one field; nothing may have gone wrong in it."""
    answer = post(client, query, **variables)
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    if isinstance(found, dict) and "errors" in found:
        assert found["errors"] == [], found["errors"]
    return found


def anybody() -> ApiClient:
    """A visitor."""
    return ApiClient()


def customer(customer_id: object) -> ApiClient:
    """A person with an account."""
    return ApiClient(user=User.objects.get(pk=customer_id))


def staff(*codenames: str, email: str = "staff@example.com") -> ApiClient:
    """A member of staff, by a permission group with these permissions and no others, for every channel."""
    user = User.objects.create(email=email, is_staff=True, is_active=True, is_confirmed=True)
    group = Group.objects.create(name=f"group of {email}", restricted_access_to_channels=False)
    group.permissions.set(permissions(*codenames))
    user.groups.add(group)
    return ApiClient(user=user)


def app(*codenames: str) -> ApiClient:
    """An app with a token and these permissions."""
    row = App.objects.create(name="An app", is_active=True)
    row.permissions.set(permissions(*codenames))
    return ApiClient(app=row)


def permissions(*codenames: str) -> list[Permission]:
    """Return the permissions; each must exist."""
    rows = list(Permission.objects.filter(codename__in=codenames))
    assert len(rows) == len(codenames), f"no such permission among {codenames}"
    return rows


def set_price(client: ApiClient, variant_id: str, channel_id: object, price: str) -> None:
    """Change a base price as the dashboard does."""
    listing = {"channelId": gid("Channel", channel_id), "price": price}
    ask(client, PRICE, id=gid("ProductVariant", variant_id), input=[listing])


def register(world: SaleorWorld, email: str = "ann@example.com") -> ApiClient:
    """Register in the storefront and agree to mail; return the client."""
    account = {
        "email": email,
        "password": "a-Long-passw0rd",
        "firstName": "Ann",
        "redirectUrl": "https://www.example.com/confirm",
        "channel": world.channel.slug,
    }
    ask(anybody(), REGISTER, input=account)
    client = customer(User.objects.get(email=email).pk)
    ask(client, CONSENT)
    return client
