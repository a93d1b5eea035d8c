"""The tests; a file mirrors a module, a folder a room. Start reading in ``conftest``."""
