"""How what the CRM refuses is told to a client.

A mutation that refuses an input answers with ``errors { field code message }``. A caller who may not be here, and
everything that a query refuses, is a GraphQL error; its code (``extensions.exception.code``) is the name of its class,
as Saleor has it.
"""

from __future__ import annotations

from enum import StrEnum

import graphene
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLError

from crm_plugin import errors
from crm_plugin.graphql.enums import CrmEnum


class PermissionDenied(GraphQLError):
    """The caller may not do this."""


class NotActive(GraphQLError):
    """The operator has switched the CRM off."""


def as_graphql(error: errors.CRMError) -> GraphQLError:
    """Return the GraphQL error of what the CRM refused."""
    match error:
        case errors.PermissionDenied():
            return PermissionDenied(str(error))
        case errors.NotActive():
            return NotActive(str(error))
        case _:
            return GraphQLError(str(error))


class ErrorCode(StrEnum):
    """Why an input was refused."""

    CANCELLED = "CANCELLED"
    CHARACTER = "CHARACTER"
    CONSENT_TEXT_MISSING = "CONSENT_TEXT_MISSING"
    COUPONS_UNAVAILABLE = "COUPONS_UNAVAILABLE"
    CRM_ERROR = "CRM_ERROR"
    CYCLE = "CYCLE"
    GRAPHQL_ERROR = "GRAPHQL_ERROR"
    IN_USE = "IN_USE"
    INVALID = "INVALID"
    IS_ARCHIVED = "IS_ARCHIVED"
    IS_RUNNING = "IS_RUNNING"
    LIMIT = "LIMIT"
    LIQUID = "LIQUID"
    MESSAGE_CLASS = "MESSAGE_CLASS"
    MJML = "MJML"
    NOTHING_TO_COUNT = "NOTHING_TO_COUNT"
    NOT_FOUND = "NOT_FOUND"
    NOT_PAUSED = "NOT_PAUSED"
    NOT_RUNNING = "NOT_RUNNING"
    NOT_SENT = "NOT_SENT"
    NOT_SET_UP = "NOT_SET_UP"
    NO_SIGNAL = "NO_SIGNAL"
    POOL_EMPTY = "POOL_EMPTY"
    REQUIRED = "REQUIRED"
    SENDER_MISSING = "SENDER_MISSING"
    TIMEOUT = "TIMEOUT"
    TOO_LARGE = "TOO_LARGE"
    TOO_LONG = "TOO_LONG"
    UNIQUE = "UNIQUE"
    UNKNOWN_PARTIAL = "UNKNOWN_PARTIAL"
    UNKNOWN_VARIABLE = "UNKNOWN_VARIABLE"
    UNSUBSCRIBE_URL_MISSING = "UNSUBSCRIBE_URL_MISSING"


class CrmErrorCode(CrmEnum):
    """Why an input was refused."""

    class Meta:
        enum = ErrorCode
        words = {
            ErrorCode.CANCELLED: "The caller stopped it while it counted.",
            ErrorCode.CHARACTER: "A character that no database holds, or that Korean telephones do not show.",
            ErrorCode.CONSENT_TEXT_MISSING: "An advertisement in Korean without `consent_text`.",
            ErrorCode.COUPONS_UNAVAILABLE: "The shop refuses to make such a code.",
            ErrorCode.CRM_ERROR: "Something else; `message` says what.",
            ErrorCode.CYCLE: "Segments or partials stand inside each other in a circle.",
            ErrorCode.GRAPHQL_ERROR: "Not the id of such a thing.",
            ErrorCode.IN_USE: "Something else needs it; `message` names it.",
            ErrorCode.INVALID: "Not what the field takes; `message` says what would be right.",
            ErrorCode.IS_ARCHIVED: "It was put away.",
            ErrorCode.IS_RUNNING: "The campaign runs: pause it first.",
            ErrorCode.LIMIT: "More of them than are allowed.",
            ErrorCode.LIQUID: "Liquid that cannot be read.",
            ErrorCode.MESSAGE_CLASS: "The form of the message does not go with its class.",
            ErrorCode.MJML: "MJML that cannot be made into a mail.",
            ErrorCode.NOTHING_TO_COUNT: "An arm of the split sends nothing that could be opened or clicked.",
            ErrorCode.NOT_FOUND: "There is no such thing.",
            ErrorCode.NOT_PAUSED: "Only a paused campaign can go on.",
            ErrorCode.NOT_RUNNING: "The campaign does not run.",
            ErrorCode.NOT_SENT: "The provider did not take the test, or could not be reached.",
            ErrorCode.NOT_SET_UP: "The channel has no provider.",
            ErrorCode.NO_SIGNAL: "Nothing is known of the interests of these people.",
            ErrorCode.POOL_EMPTY: "No code is left in the pool.",
            ErrorCode.REQUIRED: "Something needed was left out, or both of two ways were given.",
            ErrorCode.SENDER_MISSING: "An advertisement in Korean without `sender`.",
            ErrorCode.TIMEOUT: "It took too long.",
            ErrorCode.TOO_LARGE: "A picture or an audience beyond what is taken.",
            ErrorCode.TOO_LONG: "More text than there is room for.",
            ErrorCode.UNIQUE: "There is one already, or one was named twice.",
            ErrorCode.UNKNOWN_PARTIAL: "There is no partial of this name.",
            ErrorCode.UNKNOWN_VARIABLE: "Templates have no such variable here.",
            ErrorCode.UNSUBSCRIBE_URL_MISSING: "An advertisement without `unsubscribe_url`.",
        }


class CrmError(graphene.ObjectType):
    """One thing that is wrong with the input of a mutation."""

    field = graphene.String(description="Path of the wrong field, as the caller named it; null: the input as a whole.")
    code = CrmErrorCode(required=True, description="Closed word for programs.")
    message = graphene.String(required=True, description="What is wrong and what would be right, for people.")


def as_payload(error: errors.CRMError) -> CrmError:
    """Return the entry of ``errors`` for what the CRM refused."""
    code = ErrorCode.__members__.get(error.code, ErrorCode.INVALID)
    return CrmError(field=_as_the_caller_named_it(getattr(error, "field", "")), code=code.value, message=str(error))


def _as_the_caller_named_it(field: str) -> str | None:
    """Return the path with its first part in camel case: inside a definition, keys are as the merchant wrote them."""
    first, dot, rest = field.partition(".")
    return f"{to_camel_case(first)}{dot}{rest}" or None
