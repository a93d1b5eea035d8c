"""What a shop says about its accounts now: names, language and, above all, who holds which e-mail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from crm_plugin import shop
from crm_plugin.contacts import _rows
from crm_plugin.contacts._races import retried
from crm_plugin.contacts.people import Merge

#: Accounts may have passed an e-mail along a chain; the shop is asked about its present holders this often.
CHAIN_LENGTH = 4


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to write: who gives an e-mail up, the contacts as they should be, and the guests that become theirs."""

    released_ids: tuple[int, ...]
    drafts: tuple[_rows.Draft, ...]
    merges: tuple[Merge, ...]


@retried
def refresh_customers(customer_ids: Collection[str]) -> tuple[Merge, ...]:
    """Read the accounts from the shop again and write names, language and e-mail to their contacts.

    An e-mail that a guest held makes guest and account one person: the account's contact takes it at once, and the
    merge is returned. An e-mail that another account's contact holds is taken from it only when the shop says that the
    other account has a different one now. Accounts without a contact, or that the shop no longer has, are passed over.
    """
    drafts = _with_holders(customer_ids)
    if not drafts:
        return ()
    holders = _rows.read(drafts, [draft.email for draft in drafts.values()], lock=True)
    plan = _plan(drafts, holders)
    if plan.merges:
        _rows.lock_for_delete([merge.source_id for merge in plan.merges])
    if plan.released_ids:
        _rows.release_emails(plan.released_ids)
    _rows.refresh(plan.drafts)
    return plan.merges


def _with_holders(customer_ids: Collection[str]) -> dict[str, _rows.Draft]:
    """Return the accounts, and those that hold an e-mail which one of them has now."""
    drafts: dict[str, _rows.Draft] = {}
    asked: set[str] = set()
    wanted = set(customer_ids)
    for _ in range(CHAIN_LENGTH):
        found = {key: _rows.of_account(row) for key, row in shop.current().customers(wanted).items()}
        drafts |= found
        asked |= wanted
        holders = _rows.read((), [draft.email for draft in found.values()])
        wanted = set(holders.by_customer) - asked
        if not wanted:
            break
    return drafts


def _plan(drafts: Mapping[str, _rows.Draft], holders: _rows.Holders) -> _Plan:
    winners = _winners(drafts, holders)
    released: list[int] = []
    merges: list[Merge] = []
    written: list[_rows.Draft] = []
    for key, draft in drafts.items():
        row = holders.by_customer.get(key)
        if row is None:
            continue
        is_winner = winners.get(draft.email) == key
        email = draft.email if is_winner else ""
        if row.email and row.email != email:
            released.append(row.contact_id)
        if is_winner and holders.is_guest(email):
            guest = holders.by_email[email]
            released.append(guest.contact_id)
            merges.append(Merge(source_id=guest.contact_id, target_id=row.contact_id))
        written.append(replace(draft, email=email))
    return _Plan(tuple(released), tuple(written), tuple(merges))


def _winners(drafts: Mapping[str, _rows.Draft], holders: _rows.Holders) -> dict[str, str]:
    """Return the account that each e-mail goes to: who holds it already, else the oldest contact that claims it."""
    claims: dict[str, list[_rows.Row]] = {}
    for key, draft in drafts.items():
        if draft.email and key in holders.by_customer:
            claims.setdefault(draft.email, []).append(holders.by_customer[key])
    winners: dict[str, str] = {}
    for email, claimants in claims.items():
        holder = holders.by_email.get(email)
        if holder in claimants:
            winners[email] = holder.customer_id
        elif holder is None or not holder.customer_id or holder.customer_id in drafts:
            winners[email] = min(claimants, key=lambda row: row.contact_id).customer_id
    return winners
