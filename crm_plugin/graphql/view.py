"""The CRM's own endpoint, for a shop that has no GraphQL of its own: ``POST {query, variables, operationName}``.

Callers are known by the shop's session, so a signed-in caller proves with a CSRF token that it was a page of the shop
that asked. Answers are JSON whatever happens, and tell nothing of the inside.
"""

from __future__ import annotations

import json
import logging
import math
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from graphql import GraphQLError, Source, execute, parse, validate
from graphql.execution.values import get_variable_values
from graphql.utils.get_operation_ast import get_operation_ast
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crm_plugin import shop
from crm_plugin.graphql import build_schema, limits
from crm_plugin.graphql.page import page
from crm_plugin.shop import Permission

logger = logging.getLogger(__name__)

# graphql-core writes a traceback for each refusal too. What fails is logged once, below; Saleor silences them as well.
# By a filter: a logger that is merely disabled is enabled again whenever logging is configured anew.
for _name in ("graphql.execution.executor", "graphql.execution.utils"):
    logging.getLogger(_name).addFilter(lambda _record: False)

MAX_BODY_BYTES = 1_000_000
#: Of callers who may import: a list of 10 MB, in base64 and JSON.
MAX_IMPORT_BYTES = 14_000_000


class Operation(BaseModel):
    """What a client asks for."""

    model_config = ConfigDict(frozen=True)

    query: str = Field(min_length=1, max_length=100_000)
    variables: dict[str, Any] | None = None
    operation_name: str | None = Field(None, alias="operationName", max_length=200)


class Refused(Exception):
    """The request is not one that can be executed."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@csrf_exempt  # asked for below, so that the answer is JSON
@never_cache
@transaction.non_atomic_requests  # a mutation is a transaction; reading its answer must not be able to undo it
def graphql_view(request: HttpRequest) -> HttpResponse:
    """Answer a GraphQL request."""
    if request.method == "GET" and _may_see_page(request):
        return page(request)
    try:
        if request.method != "POST":
            raise Refused('Send a POST request with the JSON body {"query": "…", "variables": {…}}.', status=405)
        operation = _read(request)
        _refuse_forged(request)
        return _execute(request, operation)
    except Refused as refused:
        answer = _answer({"errors": [_told(str(refused), "GraphQLError")]}, status=refused.status)
        if refused.status == 405:
            answer.headers["Allow"] = "POST"
        return answer


def _may_see_page(request: HttpRequest) -> bool:
    """Whether the page for trying out queries is shown: to developers and to staff."""
    return settings.DEBUG or shop.current().actor(request).is_staff


def _any_view(_request: HttpRequest) -> HttpResponse:
    """Stand for a view that is not exempt: this one is exempt from the middleware, not from the check."""
    return HttpResponse()


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, _request: HttpRequest, reason: str) -> str:
        return reason


def _refuse_forged(request: HttpRequest) -> None:
    if not shop.current().actor(request).is_known:
        return  # nobody can be made to do what anybody can do
    check = _CsrfCheck(_any_view)
    check.process_request(request)
    if reason := check.process_view(request, _any_view, (), {}):
        raise Refused(f"Send the header X-CSRFToken. {reason}", status=403)


def _read(request: HttpRequest) -> Operation:
    if request.content_type != "application/json":
        raise Refused("Send the body as application/json.", status=415)
    limit = _limit(request)
    body = request.read(limit + 1)  # not ``body``: that has Django's limit, which is meant for forms
    if len(body) > limit:
        raise Refused(f"The body is larger than {limit} bytes.", status=413)
    try:
        return Operation.model_validate(json.loads(body, parse_float=_finite, parse_constant=_finite))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise Refused(f"The body is not a GraphQL request. {wrong}", status=400) from None
    except (ValueError, RecursionError):
        raise Refused("The body is not JSON.", status=400) from None


def _finite(written: str) -> float:
    """Read a number; one that JSON does not have, or that becomes infinite here, makes the body no JSON."""
    if not math.isfinite(number := float(written)):
        raise ValueError(written)
    return number


def _limit(request: HttpRequest) -> int:
    is_manager = Permission.MANAGE in shop.current().actor(request).permissions
    return MAX_IMPORT_BYTES if is_manager else MAX_BODY_BYTES


def _execute(request: HttpRequest, operation: Operation) -> JsonResponse:
    schema = build_schema()
    variables = operation.variables or {}
    try:
        document = parse(Source(operation.query, "GraphQL request"))
        limits.check(document, variables)
        if errors := validate(schema, document):
            return _answer({"errors": [_error(error) for error in errors]}, status=400)
        _refuse_unreadable(schema, document, operation)
        result = execute(
            schema,
            document,
            context_value=request,
            variable_values=variables,
            operation_name=operation.operation_name,
        )
    except Refused:
        raise
    except RecursionError:
        raise Refused("The query is nested too deeply.", status=400) from None
    except Exception as error:  # noqa: BLE001 - a wrong variable is told, all else is logged, and both are answered
        return _answer({"errors": [_error(error)]}, status=400)
    content: dict[str, Any] = {"data": result.data}
    if result.errors:
        content = {"errors": [_error(error) for error in result.errors], **content}
    return _answer(content, status=400 if result.invalid else 200)


def _refuse_unreadable(schema: Any, document: Any, operation: Operation) -> None:
    """Refuse variables of other types than were declared; graphene fails on some of them, such as [] for an Int.

    Raises:
        GraphQLError: naming the variable, where GraphQL itself finds it.
        Refused: otherwise.
    """
    chosen = get_operation_ast(document, operation.operation_name)
    try:
        get_variable_values(schema, (chosen and chosen.variable_definitions) or [], operation.variables or {})
    except GraphQLError:
        raise
    except Exception:  # noqa: BLE001 - whatever a scalar trips over, it is the caller's value
        raise Refused("A variable has a value of another type than the query declares.", status=400) from None


def _error(error: Exception) -> dict[str, Any]:
    cause: Any = error
    while isinstance(cause, GraphQLError) and getattr(cause, "original_error", None) is not None:
        cause = cause.original_error
    if not isinstance(cause, GraphQLError):
        logger.error("crm: a GraphQL field failed", exc_info=cause)
        told = _told("Internal error", "InternalError")
    else:
        told = _told(str(cause), type(cause).__name__)
    if locations := getattr(error, "locations", None):
        told["locations"] = [{"line": place.line, "column": place.column} for place in locations]
    if path := getattr(error, "path", None):
        told["path"] = list(path)
    return told


def _told(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"exception": {"code": code}}}


def _answer(content: dict[str, Any], *, status: int) -> JsonResponse:
    return JsonResponse(content, status=status, headers={"X-Content-Type-Options": "nosniff"})
