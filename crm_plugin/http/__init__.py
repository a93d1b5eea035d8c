"""Public endpoints: what a mail's links lead to. One URLconf, mounted by every shop under its own prefix.

What for: count a click and go on to where it led, count an opening, take a person off the list. What never: no session,
no cookie, no CSRF token is needed or set; a redirect leads only to a stored link; a GET never withdraws consent;
nothing is served while the operator has switched the CRM off. Where to start: ``urls``, then ``doors``.
"""
