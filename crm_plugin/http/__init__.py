"""Public endpoints: where a mail's links lead, and where the storefront tells what its visitors do.

One URLconf, mounted by every shop under its own prefix. What for: count a click and go on to where it led, count an
opening, take a person off the list, let them choose what they want; take behaviour in, and serve the script that
tells it. What never: no session, no cookie, no CSRF token is needed or set; a redirect leads only to a stored link; a
GET never withdraws consent; nothing is answered about anybody, but to who has the link of an export, which a merchant
asked for and which works once; nothing is served while the operator has switched the CRM off. Where to start:
``urls``, then ``doors``; for behaviour ``collect``.
"""
