"""What the psycopg transport makes of DATABASE_URL."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestrator.store.postgres import _with_link_settings
from servicekit.errors import ConfigurationError


def test_a_vanished_server_is_noticed_unless_the_url_says_otherwise() -> None:
    made = conninfo_to_dict(_with_link_settings("postgresql://u:p%40@db:5433/x?connect_timeout=60"))
    assert made["connect_timeout"] == "60"
    assert (made["keepalives_idle"], made["tcp_user_timeout"]) == ("10", "20000")
    assert (made["user"], made["password"], made["host"], made["port"], made["dbname"]) == (
        "u",
        "p@",
        "db",
        "5433",
        "x",
    )


@pytest.mark.parametrize("broken", ["postgresql://u:hush@%zz/x", "hush", "host=db password='hush"])
def test_a_url_that_cannot_be_read_is_refused_without_its_secrets(broken: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _with_link_settings(broken)
    assert "DATABASE_URL" in refused.value.message
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None
