"""The CRM's permissions among Saleor's, and who may call which field."""

from __future__ import annotations

from typing import Any

import pytest
from saleor.graphql.api import schema
from saleor.graphql.tests.fixtures import ApiClient

from crm_plugin.models import Campaign
from tests.saleor import asking
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

ADD_TO_GROUP = """
mutation($input: PermissionGroupCreateInput!) { permissionGroupCreate(input: $input) {
  group { permissions { code } } errors { field code message } } }
"""
CREATE = """
mutation($input: CrmCampaignCreateInput!) { crmCampaignCreate(input: $input) {
  campaign { name } errors { field code message } } }
"""
#: Every root field with arguments that are well formed, so that only the caller can be the reason of a refusal.
STAFF_FIELDS = {
    "crmCampaigns": "{ crmCampaigns(first: 1) { edges { node { id } } } }",
    "crmCampaign": '{ crmCampaign(id: "Q3JtQ2FtcGFpZ246MQ==") { id } }',
    "crmCampaignPublishPreview": '{ crmCampaignPublishPreview(id: "Q3JtQ2FtcGFpZ246MQ==") { version } }',
    "crmCampaignDefinitionSchema": "{ crmCampaignDefinitionSchema }",
    "crmCampaignDryRun": '{ crmCampaignDryRun(definition: {trigger: {type: "activity", activity: "signed_up"}, '
    'steps: [{type: "exit", id: "end"}]}) { people } }',
    "crmCampaignExplain": '{ crmCampaignExplain(campaign: "Q3JtQ2FtcGFpZ246MQ==", contact: "Q3JtQ29udGFjdDox") '
    "{ errors { code } } }",
    "crmMessageExplain": '{ crmMessageExplain(id: "Q3JtTWVzc2FnZTox") { errors { code } } }',
    "crmEnrollments": '{ crmEnrollments(first: 1, campaign: "Q3JtQ2FtcGFpZ246MQ==") { edges { node { id } } } }',
    "crmRecipes": "{ crmRecipes(first: 1) { edges { node { name } } } }",
    "crmMessages": "{ crmMessages(first: 1) { edges { node { id } } } }",
    "crmContacts": "{ crmContacts(first: 1) { edges { node { id } } } }",
    "crmReviews": "{ crmReviews(first: 1) { edges { node { id } } } }",
    "crmCouponTemplates": "{ crmCouponTemplates(first: 1) { edges { node { id } } } }",
    "crmCouponTemplate": '{ crmCouponTemplate(id: "Q3JtQ291cG9uVGVtcGxhdGU6MQ==") { id } }',
    "crmCoupons": "{ crmCoupons(first: 1) { edges { node { id } } } }",
    "crmSettings": "{ crmSettings { senderName } }",
    "crmSegments": "{ crmSegments(first: 1) { edges { node { id } } } }",
    "crmSegment": '{ crmSegment(id: "Q3JtU2VnbWVudDox") { id } }',
    "crmAttributeChanges": '{ crmAttributeChanges(contact: "Q3JtQ29udGFjdDox", first: 1) { edges { cursor } } }',
    "crmAttributes": "{ crmAttributes(first: 1) { edges { node { id } } } }",
    "crmListImports": "{ crmListImports(first: 1) { edges { node { id } } } }",
    "crmListImport": '{ crmListImport(id: "Q3JtTGlzdEltcG9ydDox") { id } }',
    "crmExports": "{ crmExports(first: 1) { edges { node { id } } } }",
    "crmAudiencePreview": '{ crmAudiencePreview(definition: {include: {type: "everybody"}}) { count } }',
    "crmAudienceExplain": '{ crmAudienceExplain(definition: {include: {type: "everybody"}}, '
    'contact: "Q3JtQ29udGFjdDox") { holds } }',
    "crmAudiencePreviewCancel": 'mutation { crmAudiencePreviewCancel(requestId: "r") { errors { code } } }',
    "crmAlsoBought": '{ crmAlsoBought(product: "UHJvZHVjdDox") { count } }',
    "crmBoughtAlso": '{ crmBoughtAlso(product: "UHJvZHVjdDox", other: "UHJvZHVjdDoy") { both } }',
    "crmCartedNotBought": '{ crmCartedNotBought(product: "UHJvZHVjdDox") { count } }',
    "crmViewedNotBought": '{ crmViewedNotBought(product: "UHJvZHVjdDox") { count } }',
    "crmProductsCartedNotBought": "{ crmProductsCartedNotBought { count } }",
    "crmProductsViewedNotBought": "{ crmProductsViewedNotBought { count } }",
    "crmTopInterests": "{ crmTopInterests { score } }",
    "crmWaitingList": '{ crmWaitingList(variantId: "UHJvZHVjdFZhcmlhbnQ6MQ==", first: 1) { edges { cursor } } }',
    "crmWaitingLists": "{ crmWaitingLists(first: 1) { edges { cursor } } }",
    "crmTopics": "{ crmTopics(first: 1) { edges { node { slug } } } }",
    "crmSenderCheck": "{ crmSenderCheck { domain } }",
    "crmTemplateSchema": "{ crmTemplateSchema }",
    "crmTemplateCheck": "{ crmTemplateCheck(template: {}) { errors { code } } }",
    "crmTemplatePreview": "{ crmTemplatePreview(template: {}) { errors { code } } }",
    "crmPartials": "{ crmPartials(first: 1) { edges { node { name } } } }",
    "crmDeliverySummary": "{ crmDeliverySummary { channels { sent } } }",
    "crmDeliverability": "{ crmDeliverability { total { sent } } }",
    "crmGroupSearch": '{ crmGroupSearch(text: "a") { key } }',
    "crmMostLiked": "{ crmMostLiked(limit: 1) { likedNow } }",
    "crmPriceDropForecast": '{ crmPriceDropForecast(productId: "UHJvZHVjdDox", percent: 9) { likersCount } }',
}
MANAGER_FIELDS = {
    "crmSettingsUpdate": 'mutation { crmSettingsUpdate(input: {senderName: "X"}) { errors { code } } }',
    "crmCampaignCreate": 'mutation { crmCampaignCreate(input: {name: "X", recipe: "liked_price_drop"}) '
    "{ errors { code } } }",
    "crmCampaignUpdate": 'mutation { crmCampaignUpdate(id: "Q3JtQ2FtcGFpZ246MQ==", input: {}) { errors { code } } }',
    "crmCampaignPublish": 'mutation { crmCampaignPublish(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmCampaignPause": 'mutation { crmCampaignPause(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmCampaignResume": 'mutation { crmCampaignResume(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmCampaignEnd": 'mutation { crmCampaignEnd(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmCampaignClone": 'mutation { crmCampaignClone(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmCampaignMoveInFlight": 'mutation { crmCampaignMoveInFlight(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmWebhookSecret": "{ crmWebhookSecret }",
    "crmWebhookSecretRotate": "mutation { crmWebhookSecretRotate { errors { code } } }",
    "crmTopicSave": 'mutation { crmTopicSave(slug: "x", names: [{language: "en", name: "X"}]) { errors { code } } }',
    "crmTopicDelete": 'mutation { crmTopicDelete(slug: "x") { errors { code } } }',
    "crmTemplateTestSend": 'mutation { crmTemplateTestSend(template: {}, address: "a@b.example") { errors { code } } }',
    "crmPartialSave": 'mutation { crmPartialSave(name: "x", source: {}) { errors { code } } }',
    "crmPartialDelete": 'mutation { crmPartialDelete(name: "x") { errors { code } } }',
    "crmConsentProofCreate": 'mutation { crmConsentProofCreate(contactId: "Q3JtQ29udGFjdDox") { errors { code } } }',
    "crmMessagesResend": "mutation { crmMessagesResend(input: {ids: []}) { errors { code } } }",
    "crmCouponTemplateCreate": 'mutation { crmCouponTemplateCreate(input: {name: "X"}) { errors { code } } }',
    "crmCouponTemplateUpdate": 'mutation { crmCouponTemplateUpdate(id: "Q3JtQ291cG9uVGVtcGxhdGU6MQ==", input: {}) '
    "{ errors { code } } }",
    "crmCouponTemplateArchive": 'mutation { crmCouponTemplateArchive(id: "Q3JtQ291cG9uVGVtcGxhdGU6MQ==") '
    "{ errors { code } } }",
    "crmCouponCodesUpload": 'mutation { crmCouponCodesUpload(template: "Q3JtQ291cG9uVGVtcGxhdGU6MQ==", codes: ["A"]) '
    "{ errors { code } } }",
    "crmCouponIssue": 'mutation { crmCouponIssue(template: "Q3JtQ291cG9uVGVtcGxhdGU6MQ==", '
    'contact: "Q3JtQ29udGFjdDox") { errors { code } } }',
    "crmCouponAssign": "mutation { crmCouponAssign(pairs: []) { errors { code } } }",
    "crmCouponWithdraw": 'mutation { crmCouponWithdraw(id: "Q3JtQ291cG9uOjE=") { errors { code } } }',
    "crmSuppression": '{ crmSuppression(address: "a@example.com", channel: EMAIL) { reason } }',
    "crmSuppress": 'mutation { crmSuppress(address: "a@example.com", channel: EMAIL) { errors { code } } }',
    "crmSuppressionLift": 'mutation { crmSuppressionLift(address: "a@b.example", channel: EMAIL) { errors { code } } }',
    "crmReviewPublish": 'mutation { crmReviewPublish(id: "Q3JtUmV2aWV3OjE=") { errors { code } } }',
    "crmReviewReject": 'mutation { crmReviewReject(id: "Q3JtUmV2aWV3OjE=", remark: "x") { errors { code } } }',
    "crmReviewAnswer": 'mutation { crmReviewAnswer(id: "Q3JtUmV2aWV3OjE=", text: "x") { errors { code } } }',
    "crmReviewDelete": 'mutation { crmReviewDelete(id: "Q3JtUmV2aWV3OjE=", remark: "x") { errors { code } } }',
    "crmCampaignDelete": 'mutation { crmCampaignDelete(id: "Q3JtQ2FtcGFpZ246MQ==") { errors { code } } }',
    "crmSegmentCreate": 'mutation { crmSegmentCreate(input: {name: "VIPs"}) { errors { code } } }',
    "crmSegmentUpdate": 'mutation { crmSegmentUpdate(id: "Q3JtU2VnbWVudDox", input: {}) { errors { code } } }',
    "crmSegmentArchive": 'mutation { crmSegmentArchive(id: "Q3JtU2VnbWVudDox") { errors { code } } }',
    "crmSegmentRestore": 'mutation { crmSegmentRestore(id: "Q3JtU2VnbWVudDox") { errors { code } } }',
    "crmSegmentMembersAdd": 'mutation { crmSegmentMembersAdd(segment: "Q3JtU2VnbWVudDox", emails: ["a@example.com"]) '
    "{ errors { code } } }",
    "crmSegmentMembersRemove": 'mutation { crmSegmentMembersRemove(segment: "Q3JtU2VnbWVudDox", '
    'emails: ["a@example.com"]) { errors { code } } }',
    "crmListImportCreate": 'mutation { crmListImportCreate(segment: "Q3JtU2VnbWVudDox", content: "") '
    "{ errors { code } } }",
    "crmLookAlikeCreate": 'mutation { crmLookAlikeCreate(input: {name: "X", limit: 1}) { errors { code } } }',
    "crmExportCreate": 'mutation { crmExportCreate(definition: {include: {type: "everybody"}}) { errors { code } } }',
    "crmPersonErase": 'mutation { crmPersonErase(person: {email: "nobody@example.com"}) { errors { code } } }',
    "crmAttributeDeclare": 'mutation { crmAttributeDeclare(name: "points", kind: NUMBER) { errors { code } } }',
    "crmContactAttributesUpdate": 'mutation { crmContactAttributesUpdate(contact: "Q3JtQ29udGFjdDox", attributes: {}) '
    "{ errors { code } } }",
}
CUSTOMER_FIELDS = {
    "crmMe": "{ crmMe { email } }",
    "crmProductLike": 'mutation { crmProductLike(productId: "UHJvZHVjdDox") { isLiked } }',
    "crmReceiptConfirm": 'mutation { crmReceiptConfirm(order: "T3JkZXI6MQ==") { isConfirmed } }',
    "crmVisitorIdentify": 'mutation { crmVisitorIdentify(visitorId: "0123456789abcdef") { isIdentified } }',
    "crmStockRequest": 'mutation { crmStockRequest(productId: "UHJvZHVjdDox", variantId: "UHJvZHVjdFZhcmlhbnQ6MQ==") '
    "{ isAvailable } }",
    "crmStockRequestCancel": 'mutation { crmStockRequestCancel(variantId: "UHJvZHVjdFZhcmlhbnQ6MQ==") '
    "{ isCancelled } }",
    "crmTopicsUpdate": "mutation { crmTopicsUpdate(refused: []) { errors { code } } }",
    "crmReviewCreate": 'mutation { crmReviewCreate(input: {productId: "UHJvZHVjdDox", rating: 5}) '
    "{ errors { code } } }",
    "crmInboxMarkRead": "mutation { crmInboxMarkRead(all: true) { errors { code } } }",
    "crmDeviceRegister": 'mutation { crmDeviceRegister(input: {channel: APP_PUSH, address: "t"}) { errors { code } } }',
    "crmDeviceForget": 'mutation { crmDeviceForget(channel: APP_PUSH, address: "t") { errors { code } } }',
    "crmWishlistCreate": 'mutation { crmWishlistCreate(name: "X") { errors { code } } }',
    "crmWishlistUpdate": 'mutation { crmWishlistUpdate(id: "x") { errors { code } } }',
    "crmWishlistDelete": 'mutation { crmWishlistDelete(id: "x") { errors { code } } }',
    "crmProductUnlike": 'mutation { crmProductUnlike(productId: "UHJvZHVjdDox") { isLiked } }',
    "crmConsentUpdate": "mutation { crmConsentUpdate(input: {channel: EMAIL, isGranted: true}) { errors { code } } }",
}

#: What the shop shows in public.
ANYONE_FIELDS = {
    "crmLikes": '{ crmLikes(productIds: ["UHJvZHVjdDox"]) { count } }',
    "crmProductRatings": '{ crmProductRatings(productIds: ["UHJvZHVjdDox"]) { count } }',
    "crmProductReviews": '{ crmProductReviews(productId: "UHJvZHVjdDox", first: 1) { edges { node { id } } } }',
    "crmWishlist": '{ crmWishlist(key: "x") { name } }',
}


def _codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["exception"]["code"] for error in answer.get("errors", ())]


def test_every_field_of_the_crm_is_in_these_tests() -> None:
    fields = {name for root in ("Query", "Mutation") for name in schema.get_type(root).fields if name.startswith("crm")}

    assert fields == {*STAFF_FIELDS, *MANAGER_FIELDS, *CUSTOMER_FIELDS, *ANYONE_FIELDS}


@pytest.mark.parametrize("field", [*STAFF_FIELDS, *MANAGER_FIELDS, *CUSTOMER_FIELDS])
def test_nobody_is_refused_everywhere(field: str, crm: Any) -> None:
    query = {**STAFF_FIELDS, **MANAGER_FIELDS, **CUSTOMER_FIELDS}[field]

    assert _codes(asking.post(asking.anybody(), query)) == ["PermissionDenied"]


@pytest.mark.parametrize("field", ANYONE_FIELDS)
def test_what_is_public_is_for_anybody(field: str, crm: Any, world: SaleorWorld) -> None:
    ann = world.make_customer(email="ann@example.com")
    callers = [asking.anybody(), asking.customer(ann), asking.staff(), asking.app("manage_products")]

    assert [_codes(asking.post(caller, ANYONE_FIELDS[field])) for caller in callers] == [[]] * 4


@pytest.mark.parametrize("field", [*STAFF_FIELDS, *MANAGER_FIELDS])
@pytest.mark.parametrize("who", ["a customer", "staff without the permission", "an app without the permission"])
def test_others_are_refused_what_is_staffs(field: str, who: str, crm: Any, world: SaleorWorld) -> None:
    caller: ApiClient = {
        "a customer": lambda: asking.customer(world.make_customer(email="ann@example.com")),
        "staff without the permission": lambda: asking.staff("manage_products"),
        "an app without the permission": lambda: asking.app("manage_products"),
    }[who]()

    answer = asking.post(caller, {**STAFF_FIELDS, **MANAGER_FIELDS}[field])

    assert _codes(answer) == ["PermissionDenied"]
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("field", MANAGER_FIELDS)
def test_who_may_only_look_may_not_change(field: str, crm: Any) -> None:
    assert _codes(asking.post(asking.staff("view_crm"), MANAGER_FIELDS[field])) == ["PermissionDenied"]


@pytest.mark.parametrize("field", STAFF_FIELDS)
@pytest.mark.parametrize("permission", ["view_crm", "manage_crm"])
def test_who_may_look_sees(field: str, permission: str, crm: Any) -> None:
    assert _codes(asking.post(asking.staff(permission), STAFF_FIELDS[field])) == []


@pytest.mark.parametrize("make", [asking.staff, asking.app])
def test_who_may_manage_creates_a_campaign(make: Any, crm: Any) -> None:
    answer = asking.ask(make("manage_crm"), CREATE, input={"name": "Drops", "recipe": "liked_price_drop"})

    assert answer["campaign"]["name"] == "Drops"
    assert Campaign.objects.count() == 1


def test_a_superuser_may(crm: Any) -> None:
    client = asking.staff()
    client.user.is_superuser = True
    client.user.save()

    assert "errors" not in asking.post(client, STAFF_FIELDS["crmSettings"])


def test_the_permissions_are_saleors_too(crm: Any) -> None:
    codes = {value.name for value in schema.get_type("PermissionEnum").values}

    listed = asking.ask(asking.staff(), "{ shop { permissions { code name } } }")

    assert {"VIEW_CRM", "MANAGE_CRM"} <= codes
    assert {"VIEW_CRM", "MANAGE_CRM"} <= {permission["code"] for permission in listed["permissions"]}


def test_a_permission_group_grants_them(crm: Any) -> None:
    admin = asking.staff("manage_staff", "view_crm", "manage_crm")

    answer = asking.ask(
        admin,
        ADD_TO_GROUP,
        input={"name": "Marketing", "addPermissions": ["VIEW_CRM"], "restrictedAccessToChannels": False},
    )

    assert [permission["code"] for permission in answer["group"]["permissions"]] == ["VIEW_CRM"]


def test_while_the_plugin_is_off_nothing_answers(configure: Any) -> None:
    configure(active=False)

    for query in (*STAFF_FIELDS.values(), *MANAGER_FIELDS.values()):
        assert _codes(asking.post(asking.staff("manage_crm", email=f"{hash(query)}@example.com"), query)) == [
            "NotActive"
        ]
