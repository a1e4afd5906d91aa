"""By which connection strings a Postgres is reached, so that nothing leaves the machine in the clear."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestrator.store.encryption import encrypted
from servicekit.errors import ConfigurationError

LOCAL = [
    "postgresql:///x",
    "",
    "postgresql://u:p@localhost/x",
    "postgresql://127.0.0.1,[::1]:5433/x",
    "postgresql://u@%2Fvar%2Frun%2Fpostgresql/x",
    "host=/var/run/postgresql,@abstract,localhost",
    "host=db.example hostaddr=127.0.0.1",
]
ELSEWHERE = [
    "postgresql://u:p@db.example/x",
    "postgresql://10.0.0.1/x",  # private addresses are of a network too
    "postgresql://localhost,db.example/x",
    "host=/var/run/postgresql,db.example",
    "host=localhost hostaddr=192.0.2.1",
    "host=localhost,localhost hostaddr=127.0.0.1,192.0.2.1",
    "hostaddr=,192.0.2.1 host=localhost,localhost",
    "postgresql:///x?host=db.example",
    "host=0.0.0.0",
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("conninfo", LOCAL)
def test_on_this_machine_all_is_as_it_is_given(conninfo: str) -> None:
    assert encrypted(conninfo, allow_plaintext=False) == conninfo
    disabled = f"{conninfo}{'&' if '?' in conninfo else '?'}sslmode=disable"
    if conninfo.startswith("postgresql"):
        assert encrypted(disabled, allow_plaintext=False) == disabled


@pytest.mark.parametrize("conninfo", ELSEWHERE)
def test_elsewhere_it_is_tls_or_nothing(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = conninfo_to_dict(encrypted(conninfo, allow_plaintext=False))
    assert made == conninfo_to_dict(conninfo) | {"sslmode": "require"}
    assert encrypted(conninfo, allow_plaintext=True) == conninfo
    for variable, expected in (("prefer", "require"), ("require", None), ("verify-full", None)):
        monkeypatch.setenv("PGSSLMODE", variable)
        made = conninfo_to_dict(encrypted(conninfo, allow_plaintext=False))
        assert made.get("sslmode") == expected


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_less_is_refused_by_name(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://u:hush@db.example/x"
    with pytest.raises(ConfigurationError, match=rf"DATABASE_URL: db\.example .* sslmode={mode} ") as refused:
        encrypted(f"{url}?sslmode={mode}", allow_plaintext=False)
    assert refused.value.reason == "PLAINTEXT"
    assert "ROOKIFY_ALLOW_PLAINTEXT" in refused.value.message
    assert "hush" not in refused.value.message
    monkeypatch.setenv("PGSSLMODE", mode)
    if mode != "prefer":  # which is libpq's own default
        with pytest.raises(ConfigurationError, match="PGSSLMODE"):
            encrypted(url, allow_plaintext=False)
    full = f"{url}?sslmode=verify-full&sslrootcert=system"
    assert encrypted(full, allow_plaintext=False) == full


def test_what_libpq_takes_from_elsewhere_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    assert "sslmode=require" in encrypted("dbname=x", allow_plaintext=False)
    assert encrypted("host=localhost", allow_plaintext=False) == "host=localhost"
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    assert encrypted("dbname=x", allow_plaintext=False) == "dbname=x"


@pytest.mark.parametrize("by", ["service=theirs", "PGSERVICE"])
def test_a_service_file_counts(by: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "services"
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    given = by
    if by == "PGSERVICE":
        monkeypatch.setenv("PGSERVICE", "theirs")
        given = "dbname=x"
    before = dict(os.environ)
    for lines, expected in (
        ("host=db.example", "require"),
        ("host=db.example\nsslmode=verify-full", None),
        ("host=localhost\nsslmode=disable", None),
    ):
        file.write_text(f"[theirs]\n{lines}\n")
        assert conninfo_to_dict(encrypted(given, allow_plaintext=False)).get("sslmode") == expected
    file.write_text("[theirs]\nhost=db.example\nsslmode=disable\n")
    with pytest.raises(ConfigurationError, match="service file"):
        encrypted(given, allow_plaintext=False)
    assert dict(os.environ) == before
