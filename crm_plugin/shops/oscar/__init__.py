"""The adapter for django-oscar (4.2): Oscar's own signals become facts, Oscar's own models answer the port.

It may import ``oscar``, the port and ``activity.record``; it decides nothing about marketing and writes nothing but the
inbox (and, when asked to like, Oscar's own wishlist). Start reading in ``adapter.py``; what a signal tells is in
``receivers.py``, the words of each fact in ``facts.py``, what no signal told in ``streams.py``.

A shop mounts ``crm_plugin.shops.oscar.urls`` and lists ``crm_plugin`` before Oscar's apps; nothing else.
"""

from crm_plugin.shops.oscar.adapter import OscarShop

__all__ = ["OscarShop"]
