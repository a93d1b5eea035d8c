"""Errors of the CRM.

CRMError
 +-- InvalidInput      somebody's input breaks a rule; carries the field and a code for the API
 +-- NotFound          the thing named does not exist (or the caller may not know that it does)
 +-- PermissionDenied  the caller may not do this
 +-- NotActive         the operator has switched the CRM off

A misconfiguration is Django's ``ImproperlyConfigured`` and stands outside the tree on purpose: the guard
that keeps a failing CRM from failing the shop must not hide it.
"""

from __future__ import annotations


class CRMError(Exception):
    """Something the CRM refuses or cannot do; the message says what to do about it."""

    code = "CRM_ERROR"


class InvalidInput(CRMError):
    """An input that breaks a rule.

    Args:
        message: what is wrong and what would be right.
        field: dotted path of the wrong field, as the caller named it.
        code: closed upper-case word for the API.
    """

    code = "INVALID"

    def __init__(self, message: str, *, field: str = "", code: str = "INVALID") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code


class NotFound(CRMError):
    """The thing named does not exist."""

    code = "NOT_FOUND"


class PermissionDenied(CRMError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class NotActive(CRMError):
    """The CRM is switched off by the operator."""

    code = "NOT_ACTIVE"
