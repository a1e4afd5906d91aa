"""Fixtures for every kind of test; what they are stands in tests/support."""

import signal

import pytest

# A shell that runs the tests in the background has them, and so all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything imports it: what it asserts is to say what it saw.
pytest.register_assert_rewrite("tests.support.faults")

from tests.support.postgres import folder, postgres_cluster  # noqa: E402  see above
from tests.support.stack import stack_asked_for  # noqa: E402  likewise

if stack_asked_for():  # `make test-supabase`
    from tests.support.stack import stack, stack_database

    __all__ = ["folder", "postgres_cluster", "stack", "stack_database"]
else:
    from tests.support.postgres import database

    __all__ = ["database", "folder", "postgres_cluster"]
