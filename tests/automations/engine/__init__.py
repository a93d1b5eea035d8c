"""The engine's invariants: random campaigns, people who do anything at any time, workers who die, and a journal."""
