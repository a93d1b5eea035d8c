"""Reviews: asking for them, taking them up, judging them, showing them.

What for: what people wrote about products, in every shop in one table (``Review``), with a rating of each product that
is always that of a recount. A shop that keeps reviews itself gets a copy of ours and is mirrored here.

What never: no review is taken away for its stars, none is published twice, none of a person about a product of an order
is there twice, and no file is served as it was sent. This room sends nothing: campaigns ask ``may_ask``.

Where to start: ``submitting`` and ``moderation`` change reviews, ``hearing`` mirrors a shop's, ``reading`` shows them.
"""

from crm_plugin.reviews.asking import Ask, mark_asked, may_ask
from crm_plugin.reviews.copying import copy_of
from crm_plugin.reviews.forgetting import forget_past
from crm_plugin.reviews.hearing import hear
from crm_plugin.reviews.json_ld import json_ld
from crm_plugin.reviews.links import Link, LinkState, link, read_link
from crm_plugin.reviews.models import Review, ReviewPicture, ReviewState
from crm_plugin.reviews.moderation import answer, publish, reject, take_down
from crm_plugin.reviews.orphans import drop_orphans
from crm_plugin.reviews.ownership import absorb, forget
from crm_plugin.reviews.pictures import MAX_BYTES as MAX_PICTURE_BYTES
from crm_plugin.reviews.pictures import MAX_PICTURES
from crm_plugin.reviews.pictures import url_of as picture_url
from crm_plugin.reviews.ratings import ProductRating, ratings
from crm_plugin.reviews.reading import Place, Shelf, Sort, Span, published, queue, reviews_of, with_pictures
from crm_plugin.reviews.submitting import (
    MAX_AUTHOR,
    MAX_BODY,
    MAX_TITLE,
    AlreadyReviewed,
    Source,
    Submission,
    submit,
)

__all__ = [
    "MAX_AUTHOR",
    "MAX_BODY",
    "MAX_PICTURES",
    "MAX_PICTURE_BYTES",
    "MAX_TITLE",
    "AlreadyReviewed",
    "Ask",
    "Link",
    "LinkState",
    "Place",
    "ProductRating",
    "Review",
    "ReviewPicture",
    "ReviewState",
    "Shelf",
    "Sort",
    "Source",
    "Span",
    "Submission",
    "absorb",
    "answer",
    "copy_of",
    "drop_orphans",
    "forget",
    "forget_past",
    "hear",
    "json_ld",
    "link",
    "mark_asked",
    "may_ask",
    "picture_url",
    "publish",
    "published",
    "queue",
    "ratings",
    "read_link",
    "reject",
    "reviews_of",
    "submit",
    "take_down",
    "with_pictures",
]
