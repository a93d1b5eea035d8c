"""The form of a review: the signed link in the request is all that it takes, no login, no cookie, no script.

GET shows the form and changes nothing. A POST keeps the review; the same link sent again, or a hundred times at once,
finds it there. What people typed is shown to them again when something is wrong; pictures have to be chosen anew, as
browsers have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse

from crm_plugin import reviews, shop
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.http import clients, pages
from crm_plugin.http.branding import brand
from crm_plugin.http.doors import not_found, public
from crm_plugin.http.wording import Page, Reviewing, Wording
from crm_plugin.reviews import AlreadyReviewed, Link, LinkState, Review, ReviewState, Source, Submission
from crm_plugin.shop import ProductCard, ProductRef

#: All pictures and the text.
MAX_BYTES: Final = reviews.MAX_PICTURES * reviews.MAX_PICTURE_BYTES + 256 * 1024
#: Of the events that one client may tell in a minute: pictures cost time.
COST: Final = 60
_MOST_STARS: Final = 5
_FIELDS: Final = ("rating", "title", "body", "author", "pictures")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Star:
    """One choice of the form."""

    number: int
    name: str
    drawn: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong, and where on the page that can be put right."""

    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """What the template shows; ``wrong`` is what is wrong with a field, by its name."""

    image_url: str
    stars: tuple[_Star, ...]
    title: str
    body: str
    author: str
    pictures_hint: str
    note: str
    wrong: Mapping[str, str]
    longest_title: int = reviews.MAX_TITLE
    longest_body: int = reviews.MAX_BODY
    longest_author: int = reviews.MAX_AUTHOR

    @property
    def problems(self) -> list[_Problem]:
        """Everything that is wrong, in the order of the page."""
        return [_Problem(field, self.wrong[field]) for field in _FIELDS if field in self.wrong]


@non_atomic_requests
@public("GET", "HEAD", "POST", max_bytes=MAX_BYTES)
def review(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form, or keep what was written."""
    link = reviews.read_link(token)
    if link is None:
        return not_found()
    page = _Page.of(request, link)
    if link.state is not LinkState.OPEN or page.card is None:
        return page.instead(link.state if page.card is not None else LinkState.GONE)
    if request.method != "POST":
        return page.form({"author": link.author})
    if seconds := clients.spend(clients.address(request), COST):
        return page.too_often(request, seconds)
    return _keep(request, link, page)


def _keep(request: HttpRequest, link: Link, page: _Page) -> HttpResponse:
    chosen = request.POST.get("rating", "")
    if chosen not in {str(number) for number in range(1, _MOST_STARS + 1)}:
        return page.form(request.POST.dict(), {"rating": page.ours.no_stars})
    try:
        kept = reviews.submit(_submission(request, link, int(chosen)))
    except AlreadyReviewed:
        return page.instead(LinkState.REVIEWED)
    except NotFound:
        return page.instead(LinkState.GONE)
    except InvalidInput as error:
        return page.form(request.POST.dict(), page.wrong(error))
    return page.thanks(kept)


def _submission(request: HttpRequest, link: Link, rating: int) -> Submission:
    files = request.FILES.getlist("pictures")
    return Submission(
        contact_id=link.contact_id,
        product_id=link.product_id,
        variant_id=link.variant_id,
        order_ref=link.order_ref,
        shop_channel=link.shop_channel,
        rating=rating,
        title=request.POST.get("title", ""),
        body=request.POST.get("body", ""),
        author=request.POST.get("author", ""),
        language=link.language,
        # One more byte than may be is enough to be refused.
        pictures=[one.read(reviews.MAX_PICTURE_BYTES + 1) for one in files[: reviews.MAX_PICTURES + 1] if one.size],
        source=Source.LINK,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The page for one link, in one language; ``card`` is None when the product is gone."""

    words: Wording
    ours: Reviewing
    card: ProductCard | None

    @classmethod
    def of(cls, request: HttpRequest, link: Link) -> _Page:
        words = pages.words_for(request, link.language)
        ref = ProductRef(link.product_id, link.shop_channel, link.variant_id)
        whole = ProductRef(link.product_id, link.shop_channel)
        cards = shop.current().product_cards({ref, whole}, language=words.language)
        return cls(words=words, ours=words.reviewing, card=cards.get(ref) or cards.get(whole))

    def form(self, typed: Mapping[str, Any], wrong: Mapping[str, str] | None = None) -> HttpResponse:
        """Return the form with what was typed already."""
        shown = _Form(
            image_url=self.card.image_url if self.card else "",
            stars=self._stars(str(typed.get("rating", ""))),
            title=str(typed.get("title", "")),
            body=str(typed.get("body", "")),
            author=str(typed.get("author", "")),
            pictures_hint=self.ours.pictures_hint.format(limit=reviews.MAX_PICTURES),
            note=self.ours.note.format(sender=brand().sender),
            wrong=wrong or {},
        )
        image = [shown.image_url] if shown.image_url else []
        values = {
            "title": self.ours.ask.title,
            "text": self.ours.ask.text.format(product=self._product),
            "form": shown,
            "reviewing": self.ours,
        }
        answer = pages.render("review.html", self.words, values, images=image)
        answer.status_code = 422 if wrong else 200
        return answer

    def wrong(self, error: InvalidInput) -> dict[str, str]:
        """Return what to say of a refusal, by the field of the form."""
        field, _, _place = error.field.partition(".")
        limits = {"title": reviews.MAX_TITLE, "body": reviews.MAX_BODY, "author": reviews.MAX_AUTHOR}
        if field in limits:
            return {field: self.ours.too_long.format(limit=limits[field])}
        if field == "rating":
            return {field: self.ours.no_stars}
        said = {
            "LIMIT": self.ours.too_many_pictures.format(limit=reviews.MAX_PICTURES),
            "TOO_LARGE": self.ours.picture_too_large,
        }
        return {"pictures": said.get(error.code, self.ours.no_picture)}

    def thanks(self, kept: Review) -> HttpResponse:
        """Return the page after the review was kept."""
        done = self.ours.done
        return self._tell(
            Page(title=done.title, text=self.ours.published) if kept.state == ReviewState.PUBLISHED else done
        )

    def instead(self, state: LinkState) -> HttpResponse:
        """Return the page of a link with which nothing can be written."""
        told = {LinkState.REVIEWED: self.ours.already, LinkState.EXPIRED: self.ours.expired}
        return self._tell(told.get(state, self.ours.gone))

    def too_often(self, request: HttpRequest, seconds: int) -> HttpResponse:
        """Return the form again: nothing of it is lost."""
        answer = self.form(request.POST.dict(), {"rating": self.ours.too_often})
        answer.status_code = 429
        answer.headers["Retry-After"] = str(seconds)
        return answer

    def _stars(self, chosen: str) -> tuple[_Star, ...]:
        return tuple(
            _Star(
                number=number,
                name=name,
                drawn="★" * number + "☆" * (_MOST_STARS - number),
                is_chosen=chosen == str(number),
            )
            for number, name in reversed(list(enumerate(self.ours.stars, start=1)))
        )

    def _tell(self, page: Page) -> HttpResponse:
        return pages.tell(page, self.words, {"product": self._product})

    @property
    def _product(self) -> str:
        return self.card.name if self.card else ""
