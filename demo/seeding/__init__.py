"""What fills the demo shop, one module a subject: goods, people, a year of trade, the merchant's side of the CRM.

Everything is written in bulk, as an import would, so the CRM learns of it the way it does in a real shop: by backfill.
The same seed gives the same shop. Start reading in ``demo/seed.py``.
"""
