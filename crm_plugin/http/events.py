"""What a storefront may send to ``collect/``: pydantic models, strict, nothing unknown allowed.

``parse`` is the only way in: JSON without duplicate keys, ``NaN`` or endless nesting, then the models; what is wrong
comes out as one ``InvalidInput`` with the path that the sender knows (``events.3.product``).
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from crm_plugin.contacts import normalize_email
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import GroupKind

#: The code of what cannot be read at all, in contrast to what can and is wrong.
NOT_JSON: Final = "NOT_JSON"
MAX_EVENTS: Final = 50
MAX_PROPERTIES_BYTES: Final = 2_048
#: What JavaScript can tell apart, and every table can hold.
MAX_NUMBER: Final = 2**53 - 1
_FIELD_LENGTH: Final = 200
_NO_NUL: Final = r"^[^\x00]*$"
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RELAY_ID: Final = re.compile(rf"([A-Z][A-Za-z]+):({_PLAIN_ID.pattern})")
_GROUP: Final = re.compile(rf"({'|'.join(GroupKind)}):({_PLAIN_ID.pattern})")
_GROUP_TYPES: Final = {kind.value.capitalize(): kind for kind in GroupKind}


def _relay(value: str) -> tuple[str, str] | None:
    """Return type and pk of a Relay id, whose padding may have been lost; None when it is none."""
    try:
        found = _RELAY_ID.fullmatch(b64decode(value + "=" * (-len(value) % 4), validate=True).decode("ascii"))
    except ValueError:
        return None
    return (found[1], found[2]) if found else None


def _id_of(kind: str) -> Callable[[str], str]:
    """Return a validator of ids: the shop's own, or what its GraphQL API calls them."""

    def read(value: str) -> str:
        if value.isascii() and value.isdecimal():
            return value
        relay = _relay(value)
        if relay and relay[0] == kind:
            return relay[1]
        if relay or not _PLAIN_ID.fullmatch(value):
            raise PydanticCustomError("shop_id", "This is not the id of a {kind}", {"kind": kind})
        return value

    return read


def _group_key(value: str) -> str:
    relay = _relay(value)
    if relay and relay[0] in _GROUP_TYPES:
        return f"{_GROUP_TYPES[relay[0]].value}:{relay[1]}"
    if not _GROUP.fullmatch(value):
        raise PydanticCustomError("group", "A group is category:<id>, collection:<id> or the id of one of these")
    return value


def _cart_ref(value: str) -> str:
    """Only a cart whose id nobody can guess: it names an activity that the shop tells as well."""
    relay = _relay(value)
    try:
        return str(UUID(relay[1] if relay and relay[0] == "Checkout" else value))
    except ValueError:
        raise PydanticCustomError("cart", "A cart is the id of a Checkout") from None


def _email(value: str) -> str:
    address = normalize_email(value)
    if not address:
        raise PydanticCustomError("email", "This is not an e-mail address")
    return address


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_PROPERTIES_BYTES:
        raise PydanticCustomError("too_large", "Properties may have {bytes} bytes", {"bytes": MAX_PROPERTIES_BYTES})
    return value


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,40}$")]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Text = Annotated[str, StringConstraints(max_length=MAX_PROPERTIES_BYTES, pattern=_NO_NUL)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Product = Annotated[Reference, AfterValidator(_id_of("Product"))]
Variant = Annotated[Reference, AfterValidator(_id_of("ProductVariant"))]
Group = Annotated[Reference, AfterValidator(_group_key)]
Cart = Annotated[Reference, AfterValidator(_cart_ref)]
Address = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://[^\x00-\x20]+$")]
Referrer = Annotated[str, StringConstraints(max_length=2_000, pattern=_NO_NUL)]
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, to_lower=True, pattern=_NO_NUL)
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
Whole = Annotated[int, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Real = Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Properties = Annotated[dict[Key, bool | Whole | Real | Text], Field(max_length=20), AfterValidator(_small)]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Event(_Strict):
    """What every event has: an id that its sender made, and when it was by the sender's clock."""

    id: Id
    at: Milliseconds


class Visit(_Event):
    """Somebody came: the first page in a while, or the first one from another source."""

    kind: Literal["visit"]
    url: Address
    referrer: Referrer = ""


class ProductView(_Event):
    """A product's page was opened."""

    kind: Literal["product_view"]
    product: Product
    variant: Variant | None = None


class GroupView(_Event):
    """The page of a category or a collection was opened."""

    kind: Literal["group_view"]
    group: Group


class Search(_Event):
    """The catalogue was searched."""

    kind: Literal["search"]
    words: Words


class CartAdd(_Event):
    """Something was put in the cart; ``quantity`` is how many the line has now."""

    kind: Literal["cart_add"]
    product: Product
    variant: Variant | None = None
    quantity: Annotated[int, Field(ge=1, le=100_000)] = 1
    cart: Cart | None = None


class Custom(_Event):
    """An event that only this shop knows."""

    kind: Literal["custom"]
    name: Name
    properties: Properties = {}


class Form(_Event):
    """A form was sent; ``properties`` are what was filled in. Consent is not given by it."""

    kind: Literal["form"]
    name: Name
    properties: Properties = {}


class Identify(_Event):
    """The visitor gave an address: a form, the first step of a checkout."""

    kind: Literal["identify"]
    email: Email


Event = Visit | ProductView | GroupView | Search | CartAdd | Custom | Form | Identify
KINDS: Final = ("visit", "product_view", "group_view", "search", "cart_add", "custom", "form", "identify")


class Batch(_Strict):
    """One request. ``sent_at`` is the sender's clock at that moment, by which the events' times are set right."""

    visitor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    consent: bool  # False was answered before
    sent_at: Milliseconds
    channel: Annotated[str, StringConstraints(max_length=64)] = ""
    events: Annotated[list[Annotated[Event, Field(discriminator="kind")]], Field(min_length=1, max_length=MAX_EVENTS)]


_BATCH: Final = TypeAdapter(Batch)


def parse(body: bytes) -> Batch | None:
    """Return the batch in a body; None when it says that there is no consent, and nothing else of it is looked at.

    Raises:
        InvalidInput: with what is wrong first; code ``NOT_JSON`` when it cannot be read at all.
    """
    found = _read(body)
    if isinstance(found, dict) and found.get("consent") is False:
        return None
    try:
        return _BATCH.validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _problem(first["type"], first["msg"], first["loc"]) from None


def _problem(kind: str, message: str, where: Sequence[int | str]) -> InvalidInput:
    steps = [str(step) for step in where]
    if len(steps) > 2 and steps[0] == "events":
        del steps[2]  # the kind, by which pydantic chose the model
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        steps, message = [*steps, "kind"], f"An event is one of: {', '.join(KINDS)}"
    if "properties" in steps:
        steps = steps[: steps.index("properties") + 2]  # further down are the types that a property may have
    return InvalidInput(message, field=".".join(steps)[:_FIELD_LENGTH])


def _read(body: bytes) -> Any:
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # bad bytes, bad JSON, a number of thousands of digits, too deep
        reason = str(error) if isinstance(error, _Refused) else "a JSON object in UTF-8 is needed"
        raise InvalidInput(f"This cannot be read: {reason}.", code=NOT_JSON) from None


class _Refused(ValueError):
    """JSON that one reader would take for this and the next one for that."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("a key stands twice in one object")
    try:
        "".join(found).encode()
    except UnicodeEncodeError:
        raise _Refused("a key is no text") from None
    return found


def _constant(name: str) -> Any:
    raise _Refused(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant)
