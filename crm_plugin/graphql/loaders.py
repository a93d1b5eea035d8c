"""What a page shows beside its rows, read in one query for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promise import Promise
from promise.dataloader import DataLoader

from crm_plugin import automations, contacts
from crm_plugin.automations import Campaign
from crm_plugin.contacts import Contact
from crm_plugin.graphql.access import reads

_ATTRIBUTE = "crm_loaders"


class Loaders:
    """The loaders of one request."""

    def __init__(self) -> None:
        self.campaign = _loader(_campaigns)
        self.consents = _loader(contacts.consents_of, default={})
        self.contact = _loader(_contacts)
        self.in_flight = _loader(automations.in_flight, default=0)
        self.spends = _loader(_spends, default=())


def loaders(info: Any) -> Loaders:
    """Return the loaders of the request that ``info`` belongs to."""
    found = getattr(info.context, _ATTRIBUTE, None)
    if not isinstance(found, Loaders):
        found = Loaders()
        setattr(info.context, _ATTRIBUTE, found)
    return found


def forget(info: Any) -> None:
    """Let the request read again: a mutation may have changed what was loaded before it."""
    if hasattr(info.context, _ATTRIBUTE):
        delattr(info.context, _ATTRIBUTE)


def _loader(read: Callable[[Sequence[int]], Mapping[int, Any]], *, default: Any = None) -> DataLoader:
    def load(keys: Sequence[int]) -> Promise:
        found = reads(read)(keys)
        return Promise.resolve([found.get(key, default) for key in keys])

    return DataLoader(load)


def _campaigns(ids: Sequence[int]) -> dict[int, Campaign]:
    return {row.pk: row for row in automations.campaigns().filter(pk__in=ids)}


def _contacts(ids: Sequence[int]) -> dict[int, Contact]:
    return {row.pk: row for row in contacts.contacts().filter(pk__in=ids)}


def _spends(ids: Sequence[int]) -> dict[int, list[Any]]:
    rows = contacts.contacts().filter(pk__in=ids).only("id").prefetch_related("spends")
    return {row.pk: sorted(row.spends.all(), key=lambda spend: spend.currency) for row in rows}
