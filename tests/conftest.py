"""Fixtures for every kind of test; what they are stands in tests/support."""

from tests.support.postgres import database, postgres_cluster

__all__ = ["database", "postgres_cluster"]
