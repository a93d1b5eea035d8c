"""Random small worlds and random rules about them, for hypothesis. Moments lie at the edges of windows on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.audience.reference import Act, Someone, World

ZONE = ZoneInfo("Europe/Berlin")
#: An ordinary day, the days after the clocks changed, a leap day, the 28th of a year without one, midnight itself.
NOWS = (
    datetime(2026, 2, 14, 9, 30, tzinfo=UTC),
    datetime(2026, 3, 30, 10, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 26, 23, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
    datetime(2027, 2, 28, 12, tzinfo=UTC),
    datetime(2026, 2, 13, 23, tzinfo=UTC),
)
PRODUCTS, GROUPS = ("a", "b", "c"), ("category:1", "category:2", "collection:9")
GROUPED = {
    "a": frozenset({"category:1", "collection:9"}),
    "b": frozenset({"category:1"}),
    "c": frozenset({"category:2"}),
}
KINDS = {"nick": "text", "points": "number", "vip": "boolean", "born": "date", "taste": "tags"}
WORDS = ("Red", "red shoes", "100%", "a_b", "빨간 구두")
LIST, LIVE = 901, 902
LIVE_RULE = {
    "include": {
        "type": "did",
        "activity": "viewed",
        "what": {"products": ["a"]},
        "window": {"type": "last_days", "days": 3},
    },
    "exclude": [{"type": "consent", "channel": "email", "is": "withdrawn"}],
}
Acts = Callable[[datetime], st.SearchStrategy[Act]]
_TICK = timedelta(microseconds=1)
_UNITS = ("minutes", "hours", "days")
_WITH_PRODUCT = ("viewed", "viewed", "carted", "carted", "bought", "liked", "checkout_started")


def moments(now: datetime) -> st.SearchStrategy[datetime]:
    """Moments around every bound that a window can have."""
    local = now.astimezone(ZONE)
    midnights = [
        datetime.combine(local.date() - timedelta(days=days), datetime.min.time(), tzinfo=ZONE).astimezone(UTC)
        for days in (-1, 0, 1, 2, 3, 4, 14, 30)
    ]
    ago = [now - timedelta(**{unit: amount}) for unit in _UNITS for amount in (0, 1, 2, 3)]
    hours = [(one.replace(minute=0, second=0, microsecond=0)) for one in ago]
    minutes = [(one.replace(second=0, microsecond=0)) for one in ago]
    edges = sorted({*midnights, *ago, *hours, *minutes})
    return st.builds(lambda edge, ticks: edge + ticks * _TICK, st.sampled_from(edges), st.integers(-1, 1))


def acts(now: datetime) -> st.SearchStrategy[Act]:
    at = moments(now)
    prices = st.sampled_from([None, Decimal("9.99"), Decimal(10), Decimal("10.01")])
    orders = st.sampled_from(["", "o1", "o2"])
    money: Any = {"amount": prices, "currency": st.sampled_from(["EUR", "KRW"])}
    return st.one_of(
        st.builds(
            Act,
            kind=st.sampled_from(_WITH_PRODUCT),
            at=at,
            product=st.sampled_from([*PRODUCTS, *PRODUCTS, ""]),
            channel=st.sampled_from(["default", "kr"]),
            order=orders,
            **money,
        ),
        st.builds(Act, kind=st.sampled_from(["ordered", "ordered", "cancelled"]), at=at, order=orders, **money),
        st.builds(Act, kind=st.just("searched"), at=at, subject=st.sampled_from([word.lower() for word in WORDS])),
        st.builds(Act, kind=st.just("group_viewed"), at=at, subject=st.sampled_from(GROUPS)),
        st.builds(
            Act,
            kind=st.sampled_from(["coupon_issued", "coupon_used"]),
            at=at,
            order=orders,
            subject=st.sampled_from(["TEN-1", "TEN-2", "X"]),
            expires_at=st.one_of(st.none(), at),
        ),
        st.builds(Act, kind=st.sampled_from(["message_opened", "message_clicked", "visited", "custom"]), at=at),
    )


def plain_acts(now: datetime) -> st.SearchStrategy[Act]:
    """Few kinds, one product: most of them are what a question about time is about."""
    money: Any = {"amount": st.just(Decimal(10)), "currency": st.just("EUR")}
    kinds = st.sampled_from(["viewed", "viewed", "carted", "ordered", "message_opened"])
    return st.builds(Act, kind=kinds, at=moments(now), product=st.just("a"), **money)


def _maybe(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


def people(now: datetime, acts: Acts) -> st.SearchStrategy[list[Someone]]:
    at = moments(now)
    one = st.builds(
        Someone,
        is_erased=st.sampled_from([False] * 9 + [True]),
        values=_maybe(
            first_name=st.sampled_from(WORDS),
            language=st.sampled_from(["en", "ko", "EN"]),
            country=st.sampled_from(["KR", "DE"]),
            joined_at=at,
            first_order_at=at,
            last_order_at=at,
            last_seen_at=at,
            orders_count=st.integers(0, 3),
        ),
        attributes=_maybe(
            nick=st.sampled_from(WORDS),
            points=st.sampled_from([2999, 3000, 8000, 0.5]),
            vip=st.booleans(),
            born=st.sampled_from(["1990-02-28", "1992-02-29", "1990-02-14", "1985-03-01", "2026-02-12", "2026-03-29"]),
            taste=st.lists(st.sampled_from(["wood", "rose"]), min_size=1, unique=True),
        ),
        acts=st.lists(acts(now), min_size=1, max_size=8),
        spends=_maybe(
            EUR=st.sampled_from([(Decimal(10), 1), (Decimal(30), 3), (Decimal(0), 0), (Decimal("99.99"), 2)])
        ),
        consent=st.sampled_from([True, True, False, None]),
        is_suppressed=st.sampled_from([False, False, False, True]),
        inflow=st.one_of(
            st.none(),
            _maybe(
                first_source=st.sampled_from(["facebook", "direct"]),
                last_source=st.sampled_from(["facebook", "direct", "Naver"]),
                last_keyword=st.sampled_from(WORDS),
                browser=st.sampled_from(["Chrome", "Safari"]),
            ),
        ),
        score=st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {
                    "recency": st.sampled_from([None, 1, 5]),
                    "frequency": st.sampled_from([None, 1, 5]),
                    "label": st.sampled_from(["", "champions", "lost"]),
                    "stage": st.sampled_from(["lead", "active"]),
                }
            ),
        ),
        lists=st.sampled_from([frozenset(), frozenset({LIST})]),
    )
    return st.lists(
        st.tuples(one, st.sampled_from(["guest", "account", "both", "visitor"])), min_size=1, max_size=5
    ).map(lambda found: [_identified(someone, who, number) for number, (someone, who) in enumerate(found)])


def _identified(someone: Someone, who: str, number: int) -> Someone:
    if not someone.is_erased:
        someone.email = f"p{number}@example.com" if who in ("guest", "both") else None
        someone.customer_id = f"c{number}" if who in ("account", "both") else None
    someone.is_suppressed = someone.is_suppressed and someone.email is not None
    return someone


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, datetime]:
    """A world and the moment at which it is looked at."""
    now = draw(st.sampled_from(NOWS))
    return World(
        draw(people(now, draw(st.sampled_from([acts, plain_acts])))), GROUPED, KINDS, {LIVE: LIVE_RULE}, (LIST,), ZONE
    ), now


def _json(type: str, needed: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries({"type": st.just(type), **needed}, optional=optional)


LENGTHS: dict[str, st.SearchStrategy[Any]] = {"amount": st.integers(1, 3), "unit": st.sampled_from(_UNITS)}
WINDOWS = st.one_of(
    _json("last_days", {"days": st.sampled_from([1, 2, 3, 14, 30])}),
    _json("within", LENGTHS),
    _json("before", LENGTHS),
    _json("exactly_ago", {"amount": st.integers(0, 3), "unit": st.sampled_from(_UNITS)}),
    _json("between", {"from": st.just("2026-02-10"), "to": st.sampled_from(["2026-02-13", "2026-03-29"])}),
)
_WHAT = _maybe(
    products=st.lists(st.sampled_from(PRODUCTS), max_size=2),
    groups=st.lists(st.sampled_from(GROUPS), max_size=2),
    shop_channels=st.lists(st.sampled_from(["default", "kr"]), max_size=1),
)
_SUBJECT = st.fixed_dictionaries(
    {"op": st.sampled_from(["is", "contains"]), "value": st.sampled_from([*WORDS, "%", "_"])}
)
_NUMBERS = st.sampled_from([0, 1, 2, 10, "10.01", 9.99, 3000])
_COMPARED = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["gt", "gte", "lt", "lte", "eq"]), "value": _NUMBERS}),
    st.just({"op": "between", "value": [1, "10.01"]}),
)
_TIMES = st.one_of(
    st.fixed_dictionaries({"op": st.just("at_least"), "count": st.integers(1, 3)}),
    st.fixed_dictionaries({"op": st.sampled_from(["exactly", "at_most"]), "count": st.integers(0, 2)}),
)
_DEED = st.fixed_dictionaries({"activity": st.sampled_from([*_WITH_PRODUCT, "ordered"])}, optional={"what": _WHAT})
_DAYS = st.sampled_from(["2026-02-12", "2026-02-13", "2026-03-29", "1992-02-29"])


def _attribute(names: tuple[str, ...], ops: tuple[str, ...], value: st.SearchStrategy[Any] | None = None) -> Any:
    needed = {"name": st.sampled_from(names), "op": st.sampled_from(ops)}
    return _json("attribute", {**needed, "value": value} if value is not None else needed)


_TEXTS, _TIMED = ("first_name", "email", "nick", "language"), ("joined_at", "last_order_at", "last_seen_at", "born")
ATTRIBUTES = st.one_of(
    _attribute(
        _TEXTS, ("is", "is_not", "contains", "starts_with"), st.sampled_from([*WORDS, "RED", "%", "_", "p1", "en"])
    ),
    _attribute(_TEXTS, ("in", "not_in"), st.lists(st.sampled_from([*WORDS, "EN"]), min_size=1)),
    _attribute((*_TEXTS, *_TIMED, "points"), ("is_set", "is_not_set")),
    _attribute(("points", "orders_count"), ("eq", "ne", "gt", "gte", "lt", "lte"), _NUMBERS),
    _attribute(("points", "orders_count"), ("between",), st.just([1, 3000])),
    _attribute(("vip",), ("is",), st.booleans()),
    _attribute(_TIMED, ("on", "before", "after"), _DAYS),
    _attribute(_TIMED, ("between",), st.just(["1990-01-01", "2026-02-13"])),
    _attribute(_TIMED, ("in_window",), WINDOWS),
    _attribute(_TIMED, ("anniversary",), st.fixed_dictionaries({"in_days": st.sampled_from([0, 1, 2, 366])})),
    _attribute(("taste",), ("has_any", "has_all", "has_none"), st.lists(st.sampled_from(["wood", "rose"]), min_size=1)),
)
_FIFTHS = st.lists(st.sampled_from([1, 5]), min_size=1, max_size=2)
LEAVES = st.one_of(
    ATTRIBUTES,
    ATTRIBUTES,
    _json("everybody", {}),
    _json("consent", {"channel": st.just("email"), "is": st.sampled_from(["granted", "withdrawn", "unasked"])}),
    _json("reachable", {"channel": st.just("email")}),
    st.tuples(
        _json(
            "spent",
            {"currency": st.sampled_from(["EUR", "KRW"])},
            measure=st.sampled_from(["amount", "orders", "average"]),
            window=WINDOWS,
        ),
        _COMPARED,
    ).map(lambda both: {**both[0], **both[1]}),
    _json(
        "did",
        {"activity": st.sampled_from([*_WITH_PRODUCT, "ordered", "group_viewed", "searched", "custom"])},
        what=_WHAT,
        times=_TIMES,
        window=WINDOWS,
    ),
    _json(
        "did", {"activity": st.just("searched"), "what": st.fixed_dictionaries({"subject": _SUBJECT})}, window=WINDOWS
    ),
    _json(
        "did",
        {
            "activity": st.sampled_from(["ordered", "viewed"]),
            "amount": _COMPARED.map(lambda one: {"currency": "EUR", **one}),
        },
        times=_TIMES,
        window=WINDOWS,
    ),
    _json(
        "sequence",
        {"first": _DEED, "then": _DEED, "happened": st.booleans()},
        within=st.fixed_dictionaries(LENGTHS),
        same_product=st.booleans(),
        window=WINDOWS,
    ),
    _json(
        "co_purchase",
        {"product": st.sampled_from(PRODUCTS), "other": st.sampled_from(PRODUCTS)},
        in_one_order=st.booleans(),
    ),
    _json(
        "interest",
        {"tags": st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2)},
        search=_maybe(products=st.lists(st.sampled_from(PRODUCTS), max_size=2)),
        min_score=st.integers(1, 5),
        weights=_maybe(viewed=st.sampled_from([0, 1, 4])),
        window=WINDOWS,
    ),
    _json(
        "inflow",
        {
            "touch": st.sampled_from(["first", "last", "any"]),
            "field": st.sampled_from(["source", "keyword"]),
            "op": st.sampled_from(["is", "contains"]),
            "value": st.sampled_from(["FACEBOOK", "direct", *WORDS, "%"]),
        },
    ),
    _json(
        "inflow",
        {
            "touch": st.sampled_from(["first", "last", "any"]),
            "field": st.just("source"),
            "op": st.just("in"),
            "value": st.just(["Facebook", "naver"]),
        },
    ),
    _json("browser", {"in": st.just(["chrome", "Firefox"])}),
    _json("rfm", {"recency": _FIFTHS}, frequency=_FIFTHS, labels=st.just(["champions"])),
    _json("stage", {"in": st.sampled_from([["lead"], ["active", "lapsed"]])}),
    _json("segment", {"segment": st.sampled_from([LIST, LIVE])}, is_member=st.booleans()),
    _json("coupon_held", {}, code_starts_with=st.sampled_from(["", "ten", "%"])),
    _json("engagement", {"did": st.sampled_from(["opened", "clicked"]), "happened": st.booleans()}, window=WINDOWS),
)


_PLAIN_DEED = st.fixed_dictionaries({"activity": st.sampled_from(["viewed", "carted"])})
#: Questions whose answers the passing of time changes.
TIMED = st.one_of(
    _json("did", {"activity": st.just("viewed"), "window": WINDOWS}, times=_TIMES),
    _json("interest", {"tags": st.just(["category:1"]), "window": WINDOWS, "min_score": st.integers(1, 3)}),
    _json("engagement", {"did": st.just("opened"), "happened": st.booleans(), "window": WINDOWS}),
    _json("spent", {"currency": st.just("EUR"), "op": st.just("gte"), "value": st.just(20), "window": WINDOWS}),
    _json("segment", {"segment": st.just(LIVE)}, is_member=st.booleans()),
    _json(
        "sequence",
        {
            "first": _PLAIN_DEED,
            "then": _PLAIN_DEED,
            "happened": st.booleans(),
            "within": st.fixed_dictionaries(LENGTHS),
        },
        window=WINDOWS,
    ),
    _attribute(_TIMED, ("in_window",), WINDOWS),
)


def _larger(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inside, min_size=1, max_size=3)
    return st.one_of(_json("all", {"of": several}), _json("any", {"of": several}), _json("not", {"of": inside}))


CONDITIONS = st.recursive(LEAVES, _larger, max_leaves=5)
RULES = st.fixed_dictionaries({"include": CONDITIONS}, optional={"exclude": st.lists(LEAVES, max_size=2)})
