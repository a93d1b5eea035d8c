"""Explain: why did this person get, or not get, a message of this campaign? An account of facts, in order.

What stands in the tables is told as it is (``runs``, ``letters``); why somebody never entered is found by asking the
trigger's own questions about this one person (``absence`` and the files beside it). Nothing is changed.
"""

from crm_plugin.automations.accounting.answering import explain_message, explain_one
from crm_plugin.automations.accounting.lines import Line

__all__ = ["Line", "explain_message", "explain_one"]
