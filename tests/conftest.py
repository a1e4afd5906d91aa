"""Fixtures for every kind of test; what they are stands in tests/support."""

from tests.support.postgres import folder, postgres_cluster
from tests.support.stack import stack_asked_for

if stack_asked_for():  # `make test-supabase`
    from tests.support.stack import stack, stack_database

    __all__ = ["folder", "postgres_cluster", "stack", "stack_database"]
else:
    from tests.support.postgres import database

    __all__ = ["database", "folder", "postgres_cluster"]
