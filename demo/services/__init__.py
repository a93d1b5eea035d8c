"""What the demo and the tests start by themselves: a PostgreSQL server, a mail sink, child processes.

Each is a context manager that leaves nothing behind. Nothing here knows the CRM or the shop. Start reading in
``postgres``.
"""
