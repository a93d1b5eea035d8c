"""System checks: a misconfiguration is told before anybody shops, with what to do about it.

A wrong ``CRM_`` setting is told still earlier: ``AppConfig.ready`` lets no process start with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, transaction

from crm_plugin import contacts, messaging, shop


@register("crm")
def check_shop(**_kwargs: Any) -> list[CheckMessage]:
    """crm.E001: no shop adapter was found."""
    try:
        shop.current()
    except ImproperlyConfigured as error:
        hint = "List the shop's own apps (saleor.core, oscar) in INSTALLED_APPS, or set CRM_SHOP."
        return [Error(str(error), hint=hint, id="crm.E001")]
    return []


@register("crm")
def check_database(**_kwargs: Any) -> list[CheckMessage]:
    """crm.E002: the database is not PostgreSQL."""
    if connection.vendor == "postgresql":
        return []
    return [
        Error(
            f"crm_plugin needs PostgreSQL 14 or newer; the default database is {connection.vendor}.",
            hint="Point DATABASES['default'] at a PostgreSQL server.",
            id="crm.E002",
        )
    ]


@register(Tags.database)
def check_key(*, databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """crm.W004: suppressed and erased addresses were kept under another key, so advertisements are held."""
    if DEFAULT_DB_ALIAS not in (databases or ()) or connection.vendor != "postgresql":
        return []
    try:
        with shop.current().writable(), transaction.atomic():
            is_kept = contacts.is_key_kept()
    except (DatabaseError, ImproperlyConfigured):  # not migrated yet, or told by check_shop
        return []
    if is_kept:
        return []
    message = "Suppressed and erased addresses were kept under another key: they are not recognised any more."
    # A warning: an error would keep the shop from migrating, because of us.
    return [Warning(message, hint=contacts.WHAT_TO_DO, id="crm.W004")]


@register("crm", deploy=True)
def check_providers(**_kwargs: Any) -> list[CheckMessage]:
    """crm.W003: a provider was chosen that cannot be used, so its messages wait."""
    hint = "docs/providers.md says what each provider needs."
    return [Warning(problem, hint=hint, id="crm.W003") for problem in messaging.provider_problems()]


@register("crm", deploy=True)
def check_public_url(**_kwargs: Any) -> list[CheckMessage]:
    """crm.W001: links in mails would not be https. crm.W002: nobody can say, the database is not ready."""
    try:
        url = shop.current().operator().public_url
    except ImproperlyConfigured:  # told by check_shop, or by a check of the shop's adapter
        return []
    except DatabaseError as error:
        hint = "Check the database's address and run `manage.py migrate`, then check again."
        reason = str(error).partition("\n")[0]
        return [Warning(f"The CRM's public address could not be read: {reason}.", hint=hint, id="crm.W002")]
    if url.startswith("https://"):
        return []
    return [
        Warning(
            f"Links in mails would begin with {url}: mailbox providers refuse one-click unsubscribe without https.",
            hint="Set CRM_PUBLIC_URL (Saleor: the plugin's public base url; Oscar: OSCAR_URL_SCHEMA).",
            id="crm.W001",
        )
    ]
