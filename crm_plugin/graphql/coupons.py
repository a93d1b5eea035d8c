"""Codes: whose they are, what became of them, uploading, giving out, assigning and withdrawing them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from secrets import token_hex
from typing import Any, Self

import graphene

from crm_plugin import contacts, coupons
from crm_plugin.coupons import MAX_CODES, MAX_PAIRS, STAFF, CouponState, Refusal, Request, Wanted
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import NOBODY, contact_named, key_or_none, row_key
from crm_plugin.graphql.contacts import CrmContact
from crm_plugin.graphql.coupon_templates import CrmCouponTemplate
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_by_key
from crm_plugin.graphql.rows import Row, RowChange, row_id
from crm_plugin.graphql.scalars import Date, DateTime
from crm_plugin.shop import Actor

#: An occasion of staff's, without the prefix that says that it is theirs.
_LONGEST_OCCASION = 70
_REFUSED = {
    "used": ("They had one for this occasion, and used it.", "contact", "UNIQUE"),
    "expired": ("They had one for this occasion, and it expired.", "contact", "UNIQUE"),
    "void": ("They had one for this occasion, and it was withdrawn.", "contact", "UNIQUE"),
    "pool_empty": ("The pool is empty; upload codes.", "template", "POOL_EMPTY"),
    "archived": ("This coupon is archived, or was never there.", "template", "IS_ARCHIVED"),
    "series_refused": ("The shop refuses to make such a code; look at the terms.", "template", "COUPONS_UNAVAILABLE"),
}


class CrmCouponState(CrmEnum):
    """Where a code stands."""

    class Meta:
        enum = CouponState
        words = {
            CouponState.FREE: "In a pool, nobody's yet.",
            CouponState.ISSUED: "Somebody's, and still good.",
            CouponState.USED: "An order used it.",
            CouponState.EXPIRED: "Its last day is over.",
            CouponState.VOID: "Withdrawn by the merchant, or deleted in the shop.",
        }


class CrmCoupon(Row):
    """One code."""

    template = graphene.Field(
        CrmCouponTemplate,
        resolver=beside("coupon_template", "template_id"),
        description="Null: the merchant made the code in the shop itself.",
    )
    contact = graphene.Field(
        CrmContact,
        resolver=beside("contact", "contact_id"),
        description="Whose it is; null: nobody's yet, or the person was erased.",
    )
    code = graphene.String(required=True, description="As the shop writes it; unique, whatever its case.")
    name = graphene.String(required=True, description="What the merchant calls the offer.")
    state = CrmCouponState(required=True, description="Whether it can be used.")
    occasion = graphene.String(required=True, description="Why they got it; one occasion, one code.")
    issued_at = DateTime(description="When somebody got it; null: nobody yet.")
    expires_on = Date(description="The last day on which it is good, by the shop's clocks; null: no end.")
    expires_at = DateTime(description="The moment from which it is no longer good.")
    used_at = DateTime(description="When it was ordered with; null: not used.")
    order_ref = graphene.String(required=True, description="The shop's id of the order that used it; empty: none.")
    used_by = graphene.Field(
        CrmContact,
        resolver=beside("contact", "used_by_id"),
        description="Who ordered, when it was not the person whose code it is.",
    )


class CrmCouponConnection(Page, node=CrmCoupon):
    """A page of codes, the one made last first."""


@admits(Caller.VIEWER)
def _coupons(
    _actor: Actor,
    _info: Any,
    *,
    template: str | None = None,
    contact: str | None = None,
    code: str | None = None,
    state: str | None = None,
    is_misused: bool | None = None,
    **page: Any,
) -> Any:
    wanted = Wanted(
        template_id=key_or_none("CrmCouponTemplate", template, field="template"),
        contact_id=key_or_none("CrmContact", contact, field="contact"),
        code=code,
        state=None if state is None else CouponState(state),
        is_misused=is_misused,
    )
    return page_by_key(CrmCouponConnection, partial(coupons.newest, wanted), **page)


class CouponQueries(graphene.ObjectType):
    """Root fields that read codes."""

    crm_coupons = list_field(
        CrmCouponConnection,
        description="Codes, the one made last first. Requires view_crm.",
        resolver=_coupons,
        template=graphene.ID(description="Only of this CrmCouponTemplate."),
        contact=graphene.ID(description="Only of this CrmContact."),
        code=graphene.String(description="Only this one, in any case."),
        state=CrmCouponState(description="Only in this state."),
        is_misused=graphene.Boolean(description="Only those that somebody else used, or (false) only the others."),
    )


class CrmOwnCoupon(graphene.ObjectType):
    """A code of the customer's own that is still good."""

    code = graphene.String(required=True, description="What the customer types in.")
    name = graphene.String(required=True, description="What the merchant calls the offer.")
    expires_on = Date(description="The last day on which it is good, by the shop's clocks; null: no end.")


class CrmOwnCouponConnection(Page, node=CrmOwnCoupon):
    """A page of the customer's codes, the one got last first."""


@reads
def _own_coupons(actor: Actor, _info: Any, **page: Any) -> Any:
    contact = contacts.find(customer_id=actor.customer_id)
    return page_by_key(CrmOwnCouponConnection, partial(coupons.held_by, contact.pk if contact else NOBODY), **page)


class CouponFields:
    """The part of ``crmMe`` that is the customer's coupons."""

    coupons = list_field(
        CrmOwnCouponConnection,
        description="The customer's own codes that are still good, the one got last first.",
        resolver=_own_coupons,
    )


class CrmCouponCodesUpload(CrmMutation, caller=Caller.MANAGER):
    """Put codes of another system into a pool: those that are new. Requires manage_crm."""

    template = result(CrmCouponTemplate)
    added_count = graphene.Int(description="Codes that are new in the pool; null when refused.")
    repeated_count = graphene.Int(description="Codes that were in the upload twice, however written.")
    repeated_codes = graphene.List(graphene.NonNull(graphene.String), description="The first of them.")
    taken_count = graphene.Int(description="Codes that are known already, in this pool or elsewhere.")
    taken_codes = graphene.List(graphene.NonNull(graphene.String), description="The first of them.")

    class Arguments:
        template = row_id("CrmCouponTemplate")
        codes = graphene.List(graphene.NonNull(graphene.String), description=f"At most {MAX_CODES}.")
        text = graphene.String(
            description="Instead of `codes`: one a line, or a CSV file with a column `code`. In variables."
        )

    @classmethod
    def perform(
        cls, _actor: Actor, *, template: str, codes: Sequence[str] | None = None, text: str | None = None
    ) -> Self:
        """Put them in."""
        if (codes is None) == (text is None):
            raise InvalidInput("Give either `codes` or `text`.", field="codes", code="REQUIRED")
        pk = row_key("CrmCouponTemplate", template, field="template")
        found = coupons.upload(pk, coupons.read_codes(text) if text is not None else list(codes or ()))
        return cls(
            template=coupons.templates().get(pk=pk),
            added_count=found.added,
            repeated_count=found.repeated,
            repeated_codes=found.repeated_codes,
            taken_count=found.taken,
            taken_codes=found.taken_codes,
        )


class CrmCouponIssue(CrmMutation, caller=Caller.MANAGER):
    """Give somebody a code; for the same occasion, they get the same one. Requires manage_crm."""

    coupon = result(CrmCoupon)

    class Arguments:
        template = row_id("CrmCouponTemplate")
        contact = row_id("CrmContact")
        occasion = graphene.String(
            description=f"Why, at most {_LONGEST_OCCASION} characters; left out: a new code every time."
        )

    @classmethod
    def perform(cls, _actor: Actor, *, template: str, contact: str, occasion: str | None = None) -> Self:
        """Issue it."""
        pk = row_key("CrmCouponTemplate", template, field="template")
        given = (occasion or "").strip()
        if len(given) > _LONGEST_OCCASION or not given.isprintable():
            raise InvalidInput(f"At most {_LONGEST_OCCASION} printable characters.", field="occasion")
        contact_id = contact_named(contact, field="contact").pk
        request = Request("one", contact_id, f"{STAFF}{given or token_hex(8)}")
        found = coupons.issue(pk, [request])["one"]
        if isinstance(found, Refusal):
            message, field, code = _REFUSED[found.reason]
            raise InvalidInput(message, field=field, code=code)
        return cls(coupon=coupons.coupons().get(pk=found.coupon_id))


def _known_contacts(keys: Sequence[int], *, fields: Sequence[str]) -> list[int]:
    known = set(contacts.contacts().filter(pk__in=keys, erased_at=None).values_list("pk", flat=True))
    for key, field in zip(keys, fields, strict=True):
        if key not in known:
            raise InvalidInput("There is no such contact.", field=field, code="NOT_FOUND")
    return list(keys)


class CrmCouponOwnerInput(graphene.InputObjectType):
    """A code, and whose it is: name the contact or the address."""

    code = graphene.String(required=True, description="As it is in the shop, in any case.")
    contact = graphene.ID(description="A CrmContact.")
    email = graphene.String(description="Of a contact, in any case.")


class CrmCouponAssign(CrmMutation, caller=Caller.MANAGER):
    """Say of codes that were made in the shop itself whose they are. All of them, or none. Requires manage_crm."""

    assigned_count = graphene.Int(description="Of how many that was not known.")

    class Arguments:
        pairs = graphene.List(graphene.NonNull(CrmCouponOwnerInput), required=True, description=f"At most {MAX_PAIRS}.")

    @classmethod
    def perform(cls, _actor: Actor, *, pairs: Sequence[dict[str, Any]]) -> Self:
        """Keep it."""
        if not 0 < len(pairs) <= MAX_PAIRS:
            raise InvalidInput(f"Give 1 to {MAX_PAIRS} codes.", field="pairs", code="LIMIT")
        owners = _owners(pairs)
        named = [(str(pair["code"]).strip(), owner) for pair, owner in zip(pairs, owners, strict=True)]
        return cls(assigned_count=coupons.assign(named))


def _owners(pairs: Sequence[dict[str, Any]]) -> list[int]:
    """Return the contact of each pair."""
    for place, pair in enumerate(pairs):
        if bool(pair.get("contact")) == bool(pair.get("email")):
            raise InvalidInput("Name either the contact or the e-mail.", field=f"pairs.{place}", code="REQUIRED")
    plain = [contacts.normalize_email(pair.get("email") or "") for pair in pairs]
    known = contacts.contacts().filter(erased_at=None, email__in=[one for one in plain if one])
    by_email = dict(known.values_list("email", "pk"))
    keys, fields = [], []
    for place, (pair, email) in enumerate(zip(pairs, plain, strict=True)):
        by_id = pair.get("contact")
        field = f"pairs.{place}.{'contact' if by_id else 'email'}"
        keys.append(row_key("CrmContact", by_id, field=field) if by_id else by_email.get(email, 0))
        fields.append(field)
    return _known_contacts(keys, fields=fields)


class CrmCouponWithdraw(RowChange, caller=Caller.MANAGER):
    """Take a code back that was not used. One that the CRM made is deleted in the shop. Requires manage_crm."""

    kind, answer = "CrmCoupon", "coupon"
    coupon = result(CrmCoupon)
    change = staticmethod(coupons.withdraw)


class CouponMutations(graphene.ObjectType):
    """Root fields that change codes."""

    crm_coupon_codes_upload = CrmCouponCodesUpload.Field()
    crm_coupon_issue = CrmCouponIssue.Field()
    crm_coupon_assign = CrmCouponAssign.Field()
    crm_coupon_withdraw = CrmCouponWithdraw.Field()
