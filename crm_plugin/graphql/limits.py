"""How much one request may ask for.

Saleor has limits of its own and takes ``COSTS``; the CRM's own endpoint counts with ``check``. Every bound is taken in
time linear in the length of the document, before GraphQL's validation, whose worst case is not linear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import GraphQLError
from graphql.language import ast

from crm_plugin.graphql.pagination import PAGE_LIMIT

_PAGE: Final = {"complexity": 1, "multipliers": ["first", "last"]}
_READ: Final = {"complexity": 1}
#: What is computed over all people: ten in one request, here as in Saleor with its default limit.
_COUNT: Final = {"complexity": 5_000}
#: What is counted over the people of one row.
_SUM: Final = {"complexity": 20}
#: A page of what is counted for each of its rows.
_SUMS: Final = {"complexity": 20, "multipliers": ["first", "last"]}

#: Type -> field -> cost, in the form of Saleor's ``COST_MAP``; what is not named costs nothing there.
COSTS: Final[dict[str, dict[str, Any]]] = {
    "Query": {
        "crmAlsoBought": _COUNT,
        "crmAttributeChanges": _PAGE,
        "crmAttributes": _PAGE,
        "crmAudienceExplain": _COUNT,
        "crmAudiencePreview": _COUNT,
        "crmBoughtAlso": _COUNT,
        "crmCampaign": _READ,
        "crmCampaignDefinitionSchema": _READ,
        "crmCampaignDryRun": _COUNT,
        "crmCampaignExplain": _COUNT,
        "crmCampaignPublishPreview": _COUNT,
        "crmCampaigns": _PAGE,
        "crmCartedNotBought": _COUNT,
        "crmContacts": _PAGE,
        "crmCouponTemplate": _READ,
        "crmCouponTemplates": _PAGE,
        "crmCoupons": _PAGE,
        "crmDeliverability": _COUNT,
        "crmDeliverySummary": _COUNT,
        "crmEnrollments": _PAGE,
        "crmExports": _PAGE,
        "crmGroupSearch": _READ,
        "crmLikes": _SUM,
        "crmListImport": _READ,
        "crmListImports": _PAGE,
        "crmMe": _READ,
        "crmMessageExplain": _READ,
        "crmMessages": _PAGE,
        "crmMostLiked": _COUNT,
        "crmPartials": _PAGE,
        "crmPriceDropForecast": _COUNT,
        "crmProductRatings": {"complexity": 1, "multipliers": ["productIds"]},
        "crmProductReviews": _PAGE,
        "crmProductsCartedNotBought": _COUNT,
        "crmProductsViewedNotBought": _COUNT,
        "crmRecipes": _PAGE,
        "crmReviews": _PAGE,
        "crmSegment": _READ,
        "crmSegments": _PAGE,
        "crmSenderCheck": _COUNT,
        "crmSettings": _READ,
        "crmSuppression": _READ,
        "crmTemplateCheck": _SUM,
        "crmTemplatePreview": _SUM,
        "crmTemplateSchema": _READ,
        "crmTopInterests": _COUNT,
        "crmTopics": _PAGE,
        "crmViewedNotBought": _COUNT,
        "crmWaitingList": _PAGE,
        "crmWaitingLists": _SUMS,
        "crmWebhookSecret": _READ,
        "crmWishlist": _READ,
    },
    "CrmCampaign": {"inFlight": _READ, "statistics": _SUM},
    "CrmContact": {"consents": _READ, "inflow": _READ, "score": _READ, "segments": _READ, "spent": _READ},
    "CrmCoupon": {"contact": _READ, "template": _READ, "usedBy": _READ},
    "CrmCouponTemplate": {
        "expiredCount": _SUM,
        "freeCount": _SUM,
        "isLow": _READ,
        "issuedCount": _SUM,
        "usedCount": _SUM,
    },
    "CrmEnrollment": {"campaign": _READ, "contact": _READ, "stepId": _READ},
    "CrmLike": {"isInStock": _READ, "priceNow": _READ, "priceThen": _READ},
    "CrmListImport": {"segment": _READ},
    "CrmMe": {
        "consents": _READ,
        "coupons": _PAGE,
        "inbox": _PAGE,
        "inboxUnreadCount": _READ,
        "likes": _PAGE,
        "reviews": _PAGE,
        "stockRequests": _SUM,
        "topics": _READ,
        "wishlists": _SUM,
    },
    "CrmMessage": {"campaign": _READ, "contact": _READ, "tries": _READ},
    "CrmModeratedReview": {"contact": _READ},
    "CrmProductRating": {"jsonLd": _READ},
    "CrmSegment": {"members": _PAGE, "summary": _READ},
    "CrmSharedLike": {"isInStock": _READ, "priceNow": _READ},
    "CrmSharedWishlist": {"likes": _PAGE},
    "CrmWaiting": {"contact": _READ},
    "CrmWishlist": {"likes": _PAGE, "likesCount": _READ},
}

_COUNTED: Final = {name: cost["complexity"] for name, cost in COSTS["Query"].items()}

MAX_FIELDS = 400
MAX_ALIASES = 50
MAX_DEPTH = 15
MAX_COST = 50_000

#: Lists of the introspection schema have no size argument; a type has about so many fields.
_INTROSPECTION_LISTS = frozenset(
    {"args", "enumValues", "fields", "inputFields", "interfaces", "possibleTypes", "types"}
)
_INTROSPECTION_SIZE = 10


def check(document: ast.Document, variables: Mapping[str, Any]) -> None:
    """Refuse a document that asks for too much.

    Raises:
        GraphQLError: saying which bound it breaks.
    """
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, ast.FragmentDefinition)}
    count = _Count(fragments, variables)
    sizes = [count.of(part.selection_set) for part in document.definitions if hasattr(part, "selection_set")]
    for name, found, limit in (
        ("fields", count.fields, MAX_FIELDS),
        ("aliases", count.aliases, MAX_ALIASES),
        ("levels", max((size.depth for size in sizes), default=0), MAX_DEPTH),
        ("points of cost", max((size.cost for size in sizes), default=0), MAX_COST),
    ):
        if found > limit:
            raise GraphQLError(f"The query has {found} {name}; at most {limit} are allowed.")


@dataclass(frozen=True, slots=True)
class _Size:
    depth: int = 0
    cost: int = 0


@dataclass(slots=True)
class _Count:
    """Depth and cost of selections. Each fragment is counted once: what spreads it takes over the result."""

    fragments: Mapping[str, Any]
    variables: Mapping[str, Any]
    fields: int = 0
    aliases: int = 0
    _known: dict[str, _Size] = field(default_factory=dict)

    def of(self, selections: Any) -> _Size:
        """Return the size of a set of selections."""
        parts = [self._of_one(part) for part in selections.selections] if selections is not None else []
        return _Size(max((part.depth for part in parts), default=0), sum(part.cost for part in parts))

    def _of_one(self, part: Any) -> _Size:
        match part:
            case ast.FragmentSpread():
                return self._of_fragment(part.name.value)
            case ast.InlineFragment():
                return self.of(part.selection_set)
            case _:
                return self._of_field(part)

    def _of_field(self, part: ast.Field) -> _Size:
        self.fields += 1
        self.aliases += part.alias is not None
        inside = self.of(part.selection_set)
        return _Size(inside.depth + 1, _COUNTED.get(part.name.value, 1) + self._times(part) * inside.cost)

    def _of_fragment(self, name: str) -> _Size:
        if name not in self._known:
            self._known[name] = _Size()  # a fragment inside itself is for the validation to refuse
            if name in self.fragments:
                self._known[name] = self.of(self.fragments[name].selection_set)
        return self._known[name]

    def _times(self, part: ast.Field) -> int:
        if part.name.value in _INTROSPECTION_LISTS:
            return _INTROSPECTION_SIZE
        sizes = [self._value(given.value) for given in part.arguments if given.name.value in {"first", "last"}]
        return max(sizes, default=1)

    def _value(self, node: Any) -> int:
        """Return the size that a page asks for; what cannot be read counts as a full page."""
        value = self.variables.get(node.name.value) if isinstance(node, ast.Variable) else getattr(node, "value", None)
        try:
            return max(1, int(value))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return PAGE_LIMIT
