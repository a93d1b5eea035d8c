"""A shop with one of everything, and a call of every mutation that goes well in it.

What tests of the whole API start from: in a call that goes well, whatever is put in the place of one value is the only
thing that can be wrong with it.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crm_plugin import audience, automations, clock, contacts, coupons, merchant, messaging, pipeline, reviews
from crm_plugin.automations import EnrollmentState
from crm_plugin.contacts import AttributeKind, Contact, Person
from crm_plugin.ids import to_global
from crm_plugin.messaging.models import Message, MessageState, Template
from crm_plugin.models import CampaignVersion, Enrollment, InboxNote
from crm_plugin.reviews import Source, Submission
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import CUSTOMER, MANAGER, NOON, WAIT_ONLY
from tests.messaging.conftest import content

EVERYBODY = {"include": {"type": "everybody"}}
TEA = {"include": {"type": "attribute", "name": "country", "op": "is", "value": "KR"}}
FULL = {
    "trigger": {"type": "price_drop", "sources": ["liked"], "min_percent": 15, "min_amount": {"EUR": 5}},
    "exit_when": ["bought_item"],
    "steps": [
        {"type": "wait", "id": "breathe", "seconds": 600},
        {"type": "send", "id": "mail", "template": {"en": content()}},
    ],
}

_SETTINGS: dict[str, Any] = {
    "senderName": "Maru",
    "senderEmail": "a@shop.example",
    "replyTo": "b@shop.example",
    "postalAddress": "1 Moss Street",
    "defaultLanguage": "en",
    "languages": ["en", "ko"],
    "timeZone": "Asia/Seoul",
    "consentText": "You asked.",
    "smsSender": "021234567",
    "smsRefusalNumber": "0801234567",
    "kakaoSenderKey": "k",
    "country": "KR",
    "logoUrl": "https://shop.example/l.png",
    "brandColor": "#1a7f5a",
    "brandFooter": "Bye",
    "quietFrom": "22:00",
    "quietTo": "08:00",
    "quietAction": "HOLD",
    "isDoubleOptIn": False,
    "isSoftOptIn": True,
    "prices": {"sms": "9.9"},
    "priceCurrency": "KRW",
    "softBouncesBlock": 5,
    "pauseBouncePercent": 5.0,
    "pauseComplaintPercent": 0.3,
    "domainLimits": {"gmail.com": 500},
    "warmUpFrom": "2026-03-02",
    "warmUpFirst": 50,
    "deliveredAfterDays": 3,
    "isReviewModerated": True,
    "stockWaveMinutes": 60,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a mutation that goes well."""

    caller: Actor
    variables: dict[str, Any]


class World:
    """One of everything, by its Relay id."""

    def __init__(self, shop: FakeShop) -> None:
        self.shop = shop
        shop.add_customer(customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)
        for number, email in (("8", "ben@example.com"), ("9", "cat@example.com")):
            shop.add_customer(customer_id=number, email=email)
        self.ann = contacts.get_or_create(Person(CUSTOMER.customer_id, CUSTOMER.email))
        self.contact = to_global("CrmContact", self.ann.pk)
        merchant.update(
            sender_name="Fake", sender_email="hi@shop.example", postal_address="1 Street", languages=["en", "ko"]
        )
        self._goods()
        self._campaigns()
        self._audience()
        self._coupons()
        self._talk()

    def _goods(self) -> None:
        mug = self.shop.add_product(name="Mug", price=20)
        gone = self.shop.add_product(name="Cup", price=20)
        self.shop.set_stock(gone.ref, 0)
        self.product, self.variant = _of_the_shop(mug)
        self.cart_ref = self.shop.add_cart(mug.ref, customer_id=CUSTOMER.customer_id).cart_ref
        self.shop.add_shop_coupon("SORRY-1")
        self.sold_out = dict(zip(("productId", "variantId"), _of_the_shop(gone), strict=True))
        order = self.shop.place_order(mug.ref, customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)
        self.order, self.order_ref = to_global("Order", order.order_ref), order.order_ref
        made = (self.shop.make_wishlist(CUSTOMER.customer_id, name=name) for name in ("Party", "Spare"))
        self.wishlist, self.spare = (to_global("CrmWishlist", one.list_ref) for one in made)
        for customer_id, liked in ((CUSTOMER.customer_id, mug), ("8", mug), ("9", gone)):
            self.shop.like(customer_id, liked.ref, list_ref="")
        pipeline.pump()

    def _campaigns(self) -> None:
        names = ("draft", "running", "paused", "other")
        made = {name: automations.create_campaign(name=name, definition=WAIT_ONLY).pk for name in names}
        for name in ("running", "paused"):
            automations.publish(made[name])
        automations.pause(made["paused"])
        automations.update_campaign(made["running"], definition={**WAIT_ONLY, "exit_when": ["ordered"]})
        automations.publish(made["running"])
        self.draft, self.running, self.paused = (to_global("CrmCampaign", made[name]) for name in names[:3])
        self.message = to_global("CrmMessage", message_of(made["running"], self.ann, state=MessageState.FAILED).pk)
        noted = message_of(made["running"], self.ann, channel="inbox")
        note = InboxNote.objects.create(message=noted, contact=self.ann, title="Hi", text="x", created_at=NOON)
        self.note = to_global("CrmInboxNote", note.pk)

    def _audience(self) -> None:
        self.live = to_global("CrmSegment", audience.create_segment("live", TEA).pk)
        static, old = audience.create_segment("static").pk, audience.create_segment("old", TEA).pk
        audience.add_members(static, [self.ann.pk])
        audience.archive_segment(old)
        self.static, self.archived = to_global("CrmSegment", static), to_global("CrmSegment", old)
        contacts.declare_attribute("points", AttributeKind.NUMBER, "Points")
        contacts.declare_attribute("tags", AttributeKind.TAGS, "Tags")
        contacts.declare_attribute("birthday", AttributeKind.DATE, "Birthday")

    def _coupons(self) -> None:
        shop_made = coupons.create_template("Welcome", terms={"kind": "percent", "percent": 10}, expires_in_days=7)
        pool = coupons.create_template("Cinema", source="pool", warn_below=2)
        self.template, self.pool = (to_global("CrmCouponTemplate", one.pk) for one in (shop_made, pool))
        coupons.upload(pool.pk, ["CINEMA-1", "CINEMA-2"])
        issued = coupons.issue(pool.pk, [coupons.Request("one", self.ann.pk, "test")])["one"]
        self.coupon = to_global("CrmCoupon", issued.coupon_id)

    def _talk(self) -> None:
        contacts.save_topic("news", names={"en": "News"})
        messaging.save_partial("hi", {"": "Hi"})
        product_id = next(iter(self.shop.products))
        review = reviews.submit(
            Submission(contact_id=self.ann.pk, product_id=product_id, rating=5, source=Source.LINK, order_ref="1")
        )
        self.review = to_global("CrmReview", review.pk)

    def calls(self) -> dict[str, Call]:
        """Return a call of every mutation that goes well."""
        own = {name: Call(CUSTOMER, given) for name, given in self._of_customers().items()}
        managed = {**self._of_campaigns(), **self._of_audience(), **self._of_coupons(), **self._of_talk()}
        return own | {name: Call(MANAGER, given) for name, given in managed.items()}

    def _of_customers(self) -> dict[str, dict[str, Any]]:
        liked = {"productId": self.product, "variantId": self.variant, "channel": "default", "wishlist": self.wishlist}
        said = {"channel": "SMS", "isGranted": True, "isNight": True, "phone": "+82 10 1234 5678"}
        device = {"channel": "APP_PUSH", "address": "token-of-the-app", "language": "ko", "isGranted": True}
        review = {"productId": self.product, "variantId": self.variant, "channel": "default", "rating": 5}
        words = {"title": "Fine", "body": "Keeps warm.", "author": "Ann", "language": "en", "pictures": []}
        return {
            "crmConsentUpdate": {"input": {**said, "source": "footer_form", "textVersion": "2026-03"}},
            "crmDeviceForget": {"channel": "APP_PUSH", "address": "token-of-the-app"},
            "crmDeviceRegister": {"input": {**device, "textVersion": "1"}},
            "crmInboxMarkRead": {"ids": [self.note]},
            "crmProductLike": liked,
            "crmProductUnlike": liked,
            "crmReceiptConfirm": {"order": self.order},
            "crmReviewCreate": {"input": {**review, **words}},
            "crmStockRequest": {**self.sold_out, "channel": "default"},
            "crmStockRequestCancel": {"variantId": self.sold_out["variantId"], "channel": "default"},
            "crmTopicsUpdate": {"refused": ["news"]},
            "crmVisitorIdentify": {"visitorId": "3f0c9d6e4b7a4d4c9e57"},
            "crmWishlistCreate": {"name": "Summer", "isPublic": True},
            "crmWishlistDelete": {"id": self.spare},
            "crmWishlistUpdate": {"id": self.wishlist, "name": "Summer", "isPublic": True},
        }

    def _of_campaigns(self) -> dict[str, dict[str, Any]]:
        period = {"startsAt": "2027-01-31T09:00:00+09:00", "endsAt": "2027-02-28T09:00:00+09:00"}
        caps = [{"channel": "EMAIL", "count": 1, "hours": 16}, {"count": 3, "days": 7}]
        return {
            "crmCampaignClone": {"id": self.draft, "name": "Copy"},
            "crmCampaignCreate": {"input": {"name": "New", "definition": FULL, **period}},
            "crmCampaignDelete": {"id": self.draft},
            "crmCampaignEnd": {"id": self.running},
            "crmCampaignMoveInFlight": {"id": self.running, "mapping": [{"fromStep": "pause", "toStep": "pause"}]},
            "crmCampaignPause": {"id": self.running},
            "crmCampaignPublish": {"id": self.draft},
            "crmCampaignResume": {"id": self.paused},
            "crmCampaignUpdate": {"id": self.draft, "input": {"name": "New", "definition": FULL, **period}},
            "crmMessagesResend": {"input": {"ids": [self.message], "reasons": ["refused"], "includeUnknown": True}},
            "crmSettingsUpdate": {
                "input": {**_SETTINGS, "caps": caps},
            },
            "crmWebhookSecretRotate": {},
        }

    def _of_audience(self) -> dict[str, dict[str, Any]]:
        people = {"segment": self.static, "contacts": [self.contact], "emails": [CUSTOMER.email]}
        file = b64encode(gzip.compress(b"email,points\nann@example.com,5\n")).decode()
        return {
            "crmAttributeDeclare": {"name": "size", "kind": "NUMBER", "label": "Size", "keepsHistory": True},
            "crmAudiencePreviewCancel": {"requestId": "one"},
            "crmContactAttributesUpdate": {
                "contact": self.contact,
                "attributes": {"points": 5, "tags": ["a"], "birthday": "1990-05-06"},
            },
            "crmExportCreate": {"definition": TEA},
            "crmListImportCreate": {"segment": self.static, "content": file, "dryRun": False},
            "crmLookAlikeCreate": {"input": {"name": "Alike", "segment": self.static, "limit": 9}},
            "crmSegmentArchive": {"id": self.live},
            "crmSegmentCreate": {"input": {"name": "New", "definition": TEA}},
            "crmSegmentMembersAdd": people,
            "crmSegmentMembersRemove": people,
            "crmSegmentRestore": {"id": self.archived},
            "crmSegmentUpdate": {"id": self.live, "input": {"name": "New", "definition": EVERYBODY}},
        }

    def _of_coupons(self) -> dict[str, dict[str, Any]]:
        five = [{"channel": "default", "amount": 5}]
        terms = {
            "kind": "FIXED",
            "amounts": five,
            "minSpend": five,
            "products": [self.product],
            "channels": ["default"],
        }
        coupon = {"name": "Five", "terms": terms, "expiresInDays": 7, "prefix": "HI-"}
        return {
            "crmCouponAssign": {"pairs": [{"code": "SORRY-1", "contact": self.contact}]},
            "crmCouponCodesUpload": {"template": self.pool, "codes": ["CINEMA-3"]},
            "crmCouponIssue": {"template": self.pool, "contact": self.contact, "occasion": "late parcel"},
            "crmCouponTemplateArchive": {"id": self.template},
            "crmCouponTemplateCreate": {"input": {**coupon, "source": "SHOP"}},
            "crmCouponTemplateUpdate": {"id": self.template, "input": coupon},
            "crmCouponWithdraw": {"id": self.coupon},
        }

    def _of_talk(self) -> dict[str, dict[str, Any]]:
        address = {"address": "a@example.com", "channel": "EMAIL"}
        return {
            "crmConsentProofCreate": {"contactId": self.contact},
            "crmPersonErase": {"person": {"customerId": to_global("User", "8"), "email": "ben@example.com"}},
            "crmPartialDelete": {"name": "hi"},
            "crmPartialSave": {"name": "bye", "source": {"": "Bye", "ko": "안녕"}},
            "crmReviewAnswer": {"id": self.review, "text": "Thank you."},
            "crmReviewDelete": {"id": self.review, "remark": "Asked for."},
            "crmReviewPublish": {"id": self.review},
            "crmReviewReject": {"id": self.review, "remark": "Names a customer."},
            "crmSuppress": address,
            "crmSuppressionLift": address,
            "crmTemplateTestSend": {
                "template": {"en": content()},
                "address": "me@shop.example",
                "channel": "EMAIL",
                "language": "en",
                "contact": self.contact,
                "messageClass": "MARKETING",
                "cartRef": self.cart_ref,
            },
            "crmTopicDelete": {"slug": "news"},
            "crmTopicSave": {"slug": "tips", "names": [{"language": "en", "name": "Tips"}], "position": 0},
        }


def _of_the_shop(product: Any) -> tuple[str, str]:
    return to_global("Product", product.product_id), to_global("ProductVariant", product.variant_id)


def message_of(campaign_id: int, contact: Contact, **values: Any) -> Message:
    version = CampaignVersion.objects.get(campaign=campaign_id, number=1)
    template, _ = Template.objects.get_or_create(
        digest="d", defaults={"source": {}, "compiled": {}, "created_at": NOON}
    )
    epoch = Enrollment.objects.filter(campaign=campaign_id, contact=contact).count()
    ended = {"state": EnrollmentState.COMPLETED, "entered_at": NOON, "finished_at": NOON}
    run = Enrollment.objects.create(campaign_id=campaign_id, version=version, contact=contact, epoch=epoch, **ended)
    columns = {"step_id": "mail", "channel": "email", "message_class": "marketing", "state": MessageState.SENT}
    moments = {"due_at": NOON, "stale_at": clock.now() + timedelta(days=2), "created_at": NOON}
    return Message.objects.create(
        contact=contact, enrollment=run, campaign_id=campaign_id, template=template, **(columns | moments | values)
    )
