"""Shoppers with Korean and Western names, staff, and the shopper of the story."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils.text import slugify
from oscar.core.compat import get_user_model

from demo.accounts import BOUNCE_EMAIL, CART_EMAIL, PASSWORD, REVIEW_EMAIL, SHOPPER_EMAIL, STAFF_EMAIL, WIN_BACK_EMAIL

User: Any = get_user_model()

#: The people of the story, with a past that nobody else gives them, or none.
CAST = (
    (SHOPPER_EMAIL, "Hana", "Lee"),
    (CART_EMAIL, "Minji", "Park"),
    (REVIEW_EMAIL, "Lukas", "Weber"),
    (WIN_BACK_EMAIL, "Sora", "Kim"),
    (BOUNCE_EMAIL, "Clara", "Novak"),
)

#: Family name and given name, as people sign; the romanised form makes the address.
KOREAN = (
    ("김 Kim", "이 Lee", "박 Park", "최 Choi", "정 Jung", "강 Kang", "조 Cho", "윤 Yoon", "장 Jang", "임 Lim"),
    (
        "민준 Minjun",
        "서연 Seoyeon",
        "지우 Jiwoo",
        "하준 Hajun",
        "수아 Sua",
        "도윤 Doyun",
        "지민 Jimin",
        "예은 Yeeun",
        "현우 Hyunwoo",
        "은지 Eunji",
        "태양 Taeyang",
        "소라 Sora",
    ),
)
WESTERN = (
    (
        "Miller",
        "Novak",
        "Garcia",
        "Rossi",
        "Dubois",
        "Smith",
        "Jensen",
        "Kowalski",
        "Weber",
        "O'Brien",
        "Silva",
        "Berg",
    ),
    ("Anna", "Lukas", "Sofia", "Noah", "Emma", "Mateo", "Clara", "Oscar", "Julia", "Felix", "Nora", "Hugo"),
)


@dataclass(frozen=True, slots=True)
class People:
    """Everybody with an account."""

    customers: list[Any]
    staff: Any

    @property
    def cast(self) -> list[Any]:
        """The people of the story; the shopper is the first."""
        return self.customers[: len(CAST)]

    @property
    def others(self) -> list[Any]:
        """Everybody else."""
        return self.customers[len(CAST) :]


def make_people(chance: Random, *, count: int, now: datetime) -> People:
    """Create ``count`` customers who joined over the last year, the people of the story first, and staff."""
    password = make_password(PASSWORD)
    joined = now - timedelta(days=200)
    cast = [User(email=email, first_name=first, last_name=last, date_joined=joined) for email, first, last in CAST]
    customers = [*cast, *(_customer(number, chance, now=now) for number in range(len(cast), count))]
    staff = User(email=STAFF_EMAIL, first_name="Maru", last_name="Staff", is_staff=True, is_superuser=True)
    for user in (*customers, staff):
        user.password, user.username = password, user.email
    User.objects.bulk_create([*customers, staff])
    return People(customers, staff)


def _customer(number: int, chance: Random, *, now: datetime) -> Any:
    if chance.random() < 0.5:
        last, first = (chance.choice(names).split() for names in KOREAN)
        first_name, last_name, latin = first[0], last[0], f"{first[1]} {last[1]}"
    else:
        last_name, first_name = (chance.choice(names) for names in WESTERN)
        latin = f"{first_name} {last_name}"
    return User(
        email=f"{slugify(latin).replace('-', '.')}{number}@example.com",
        first_name=first_name,
        last_name=last_name,
        date_joined=now - timedelta(minutes=chance.randint(60 * 24, 365 * 24 * 60)),
    )
