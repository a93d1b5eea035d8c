"""The demo shop: an Oscar project with the CRM inside, a seed that makes it look like a shop, a story told over HTTP.

Only for trying things out and for tests: nothing of the package imports it. Start reading at ``__main__.py``
(``make demo``), then ``settings.py``.
"""
