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


@pytest.mark.parametrize(
    "broken",
    [
        "postgresql://u:hush@%zz/x",
        "hush",
        "host=db password='hush",
        "postgresql://u:Sec%hush@db/x",
        # An @ ends the password, and the rest of it is taken for the host, the port or the database.
        "postgresql://u:Sec@hush#w@db/x",
        "postgres://u:Sec@hush:w@db:5432/x",
        "postgresql://u:Sec@a/hush@db/x",
        "postgresql://u:hush/w@db/x",
        "postgresql://u:5432/hush@db/x?sslmode=require",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_secrets(broken: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _with_link_settings(broken)
    assert "DATABASE_URL" in refused.value.message
    assert "percent-encode the password" in refused.value.message
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "sound",
    [
        "postgresql://u:p#w?x:y@db/x",  # libpq reads these signs of a password as they are
        "postgresql://db/x?user=u@realm",
        "postgresql://u@db1:5432,db2:5433/x",
        "postgresql://u@%2Fvar%2Frun%2Fpostgresql/x",
        "postgresql://u@[fe80::1%25eth0]/x",
        "host=@abstract user=u@realm",
        "",
    ],
)
def test_a_url_that_libpq_reads_as_it_is_meant_is_taken(sound: str) -> None:
    meant = conninfo_to_dict(sound)
    assert conninfo_to_dict(_with_link_settings(sound)).items() >= meant.items()
