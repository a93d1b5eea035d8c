"""The proof of consent of one person: all that they ever answered, as JSON and as a CSV file, and the log of asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from json import dumps
from typing import Any, Final, Self

import graphene

from crm_plugin import audience, contacts, messaging
from crm_plugin.contacts import Proof, ProofLine
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller
from crm_plugin.graphql.arguments import name_of, row_key
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.rows import row_id
from crm_plugin.graphql.scalars import JSON
from crm_plugin.shop import Actor

COLUMNS: Final = (
    "occurred_at",
    "channel",
    "purpose",
    "is_granted",
    "basis",
    "source",
    "text_version",
    "evidence",
    "told_at",
)


class CrmConsentProofCreate(CrmMutation, caller=Caller.MANAGER):
    """Export the consent log of a person, as a proof: logged among the exports. Requires manage_crm."""

    proof = JSON(description="Who the person is, and `lines`: the log, the oldest first; null when refused.")
    csv = graphene.String(description="The lines as CSV, with a header; null when refused.")

    class Arguments:
        contact_id = row_id("CrmContact")

    @classmethod
    def perform(cls, actor: Actor, *, contact_id: str) -> Self:
        """Read the log, and write that it was read."""
        key = row_key("CrmContact", contact_id, field="contact_id")
        found = contacts.consent_proof(key)
        if found is None:
            raise InvalidInput("There is no such contact.", field="contact_id", code="NOT_FOUND")
        told = messaging.told_at(key)
        lines = [_line(line, told) for line in found.lines]
        audience.note_export({"consent_proof": key}, name_of(actor), rows_count=len(lines))
        return cls(proof={**_who(found), "lines": lines}, csv=_csv(lines))


def _who(found: Proof) -> dict[str, str]:
    return {"customer_id": found.customer_id, "email": found.email, "phone": found.phone}


def _line(line: ProofLine, told: Mapping[int, datetime]) -> dict[str, Any]:
    at = told.get(line.event_id)
    return {
        "occurred_at": line.occurred_at.isoformat(),
        "channel": line.channel,
        "purpose": line.purpose,
        "is_granted": line.is_granted,
        "basis": line.basis,
        "source": line.source,
        "text_version": line.text_version,
        "evidence": dict(line.evidence),
        "told_at": at.isoformat() if at else None,
    }


def _csv(lines: Sequence[Mapping[str, Any]]) -> str:
    rows = [[_cell(line[column]) for column in COLUMNS] for line in lines]
    return audience.csv_of([COLUMNS, *rows]).decode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return dumps(value, ensure_ascii=False, sort_keys=True)
        case _:
            return str(value)


class ProofMutations(graphene.ObjectType):
    """Root fields that prove."""

    crm_consent_proof_create = CrmConsentProofCreate.Field()
