"""What staff ask the CRM in the story: the four questions about a product, and an audience whose size is told before.

Kept apart from ``story``: these are the texts of the questions and how their answers are told in a line.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from demo.browser import Browser, PageError

SEGMENT_NAME = "Bought the reduced bowl"

_QUESTIONS = """
query($product: ID!) {
  crmAlsoBought(product: $product, limit: 1) { count share product { name } }
  crmCartedNotBought(product: $product) { count }
  crmViewedNotBought(product: $product, times: 3) { count }
  crmTopInterests(limit: 3) { group { name } score }
}
"""
_PREVIEW = """
query($definition: JSON!) {
  crmAudiencePreview(definition: $definition) { count reachable { channel count } errors { message } }
}
"""
_SAVE = """
mutation($input: CrmSegmentCreateInput!) {
  crmSegmentCreate(input: $input) { segment { id } errors { message } }
}
"""
_MEMBERS = """
query($id: ID!) { crmSegment(id: $id) { state membersCount members(first: 100) { edges { node { email } } } } }
"""


def ask(staff: Browser, *, product_id: str) -> str:
    """Ask the questions about a product; return the answers in a line."""
    product = b64encode(f"Product:{product_id}".encode()).decode()
    answers = staff.graphql(_QUESTIONS, {"product": product})
    beside = answers["crmAlsoBought"]
    also = f"{beside[0]['share']:.0%} also bought {beside[0]['product']['name']}" if beside else "nobody bought it yet"
    interests = ", ".join(one["group"]["name"] for one in answers["crmTopInterests"]) or "none yet"
    return (
        f"{also}; {answers['crmCartedNotBought']['count']} carted it, {answers['crmViewedNotBought']['count']} viewed "
        f"it three times and did not buy; interests now: {interests}"
    )


def save_buyers(staff: Browser, *, product_id: str) -> tuple[str, str]:
    """Save who bought the product as a segment, counted before; return its id and what was done."""
    definition = {"include": {"type": "did", "activity": "bought", "what": {"products": [product_id]}}}
    preview = staff.graphql(_PREVIEW, {"definition": definition})["crmAudiencePreview"]
    saved = staff.graphql(_SAVE, {"input": {"name": SEGMENT_NAME, "definition": definition}})["crmSegmentCreate"]
    if preview["errors"] or saved["errors"]:
        raise PageError(f"The segment was refused: {preview['errors']}{saved['errors']}")
    reachable = ", ".join(f"{one['count']} by {one['channel'].lower()}" for one in preview["reachable"] if one["count"])
    return saved["segment"]["id"], f"“{SEGMENT_NAME}”: {preview['count']} people, {reachable}"


def members(staff: Browser, *, segment: str) -> tuple[int, set[str]]:
    """Return how many are in the segment, and the addresses of the first hundred."""
    found: dict[str, Any] = staff.graphql(_MEMBERS, {"id": segment})["crmSegment"]
    people = {edge["node"]["email"] for edge in found["members"]["edges"]}
    return found["membersCount"], people
