"""Tests inside real Saleor: ``make test-saleor``."""
