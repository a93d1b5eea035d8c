"""The ready-made campaigns of the story: staff start them, a newcomer is greeted, the past catches up with others.

Kept apart from ``story``: these are the mutations, and what the story needs to know of the recipes. Nobody waits for
days in a demo, so the times of day are moved to the next moment, and the night is not spared.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from demo.accounts import CART_EMAIL, PASSWORD
from demo.browser import Browser, PageError
from demo.goods import STORY_PRODUCT

#: The recipes, and whether they start at a time of day.
RECIPES = {
    "welcome_series": False,
    "cart_reminder": False,
    "review_request": True,
    "win_back": True,
    "review_reward": False,
}
SHOP_ZONE = ZoneInfo("Asia/Seoul")
#: How soon the campaigns that start at a time of day do so: after the last of them has been published.
SOON = timedelta(seconds=15)

_CREATE = """
mutation($input: CrmCampaignCreateInput!) {
  crmCampaignCreate(input: $input) { campaign { id definition } errors { field message } } }
"""
_UPDATE = """
mutation($id: ID!, $input: CrmCampaignUpdateInput!) {
  crmCampaignUpdate(id: $id, input: $input) { campaign { id } errors { field message } } }
"""
_PUBLISH = """
mutation($id: ID!) { crmCampaignPublish(id: $id) { campaign { id state } errors { field message } } }
"""
_AGREE = """
mutation { crmConsentUpdate(input: {channel: EMAIL, isGranted: true, source: "registration"}) {
  consents { isGranted } errors { message } } }
"""


def start(staff: Browser) -> dict[str, str]:
    """Create and publish the campaigns from their recipes; return their ids by recipe."""
    at = (datetime.now(SHOP_ZONE) + SOON).time().replace(microsecond=0).isoformat()
    return {recipe: _start(staff, recipe, at=at if is_timed else "") for recipe, is_timed in RECIPES.items()}


def _start(staff: Browser, recipe: str, *, at: str) -> str:
    made = _done(staff.graphql(_CREATE, {"input": {"name": recipe.replace("_", " ").capitalize(), "recipe": recipe}}))
    definition = {**made["campaign"]["definition"], "quiet_hours": None}
    if at:
        definition["trigger"] = {**definition["trigger"], "at": at}
    _done(staff.graphql(_UPDATE, {"id": made["campaign"]["id"], "input": {"definition": definition}}))
    campaign: str = _done(staff.graphql(_PUBLISH, {"id": made["campaign"]["id"]}))["campaign"]["id"]
    return campaign


def sign_up(person: Browser) -> str:
    """Register in the storefront and agree to mail; return the address."""
    email = f"new.{uuid.uuid4().hex[:8]}@example.com"
    page = person.get("/accounts/login/")
    form = page.form("register_form")
    values = {
        "registration__email": email,
        "registration__password1": PASSWORD,
        "registration__password2": PASSWORD,
        "registration_submit": "Register",
    }
    after = person.submit(page, form, **values)
    if "/logout/" not in after.html:
        raise PageError(f"{email} could not register. {after.complaints()}")
    _done(person.graphql(_AGREE))
    return email


def leave_a_cart(person: Browser) -> str:
    """Sign in, put something into the cart, and go; return who."""
    page = person.get("/accounts/login/")
    credentials = {"login__username": CART_EMAIL, "login__password": PASSWORD, "login_submit": "Log In"}
    person.submit(page, page.form("login_form"), **credentials)
    found = person.get(f"/search/?q={STORY_PRODUCT.replace(' ', '+')}")
    product = next((link for link, _text in found.links if "/catalogue/" in link and "_" in link), "")
    page = person.get(product)
    person.submit(page, page.form("/basket/add/"), quantity="1")
    return CART_EMAIL


_DRY_RUN = """
query($id: ID!) { crmCampaignDryRun(id: $id, days: 4) {
  foreseen { at outcome reason stepId contact { email } } errors { message } } }
"""


def foreseen(staff: Browser, campaign: str, *, email: str) -> list[dict[str, Any]]:
    """Return what the campaign would send to somebody in the next days, by its dry run."""
    found = _done(staff.graphql(_DRY_RUN, {"id": campaign}))["foreseen"]
    return [one for one in found if one["contact"] and one["contact"]["email"] == email]


def _done(answer: dict[str, Any]) -> Any:
    (found,) = answer.values()
    if found["errors"]:
        raise PageError(f"The CRM refused: {found['errors']}")
    return found
