"""Which database the settings choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest

from orchestrator.settings import Settings
from orchestrator.store.choice import Choice, choose, describe, open_transport
from servicekit.errors import ConfigurationError

URL = "https://project.supabase.co"
KEY = "sb_secret_0123456789abcdefghij_klmnopq"


def legacy(role: str) -> str:
    return jwt.encode({"role": role}, "a secret of the project's own, long enough", algorithm="HS256")


def settings(**given: Any) -> Settings:
    nothing = {
        "DATABASE_URL": None,
        "SUPABASE_URL": "",
        "SUPABASE_SERVICE_ROLE_KEY": None,
        "data": Path("/data"),
    }
    return Settings(_env_file=None, **(nothing | given))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "choice", "told"),
    [
        ({}, Choice.EMBEDDED, "the embedded Postgres, in /data"),
        ({"SUPABASE_URL": URL}, Choice.EMBEDDED, "the embedded Postgres, in /data"),
        (
            {"DATABASE_URL": "postgresql://u:hush@db.example/games", "SUPABASE_URL": URL},
            Choice.POSTGRES,
            "the Postgres of DATABASE_URL: games on db.example",
        ),
        (
            {"DATABASE_URL": "postgresql:///games", "SUPABASE_URL": URL, "SUPABASE_SERVICE_ROLE_KEY": KEY},
            Choice.POSTGRES,
            "the Postgres of DATABASE_URL: games on this machine, not SUPABASE_URL's API",
        ),
        (
            {"SUPABASE_URL": f"{URL}/", "SUPABASE_SERVICE_ROLE_KEY": KEY},
            Choice.SUPABASE,
            f"the Supabase project {URL}/, over its API",
        ),
        (
            {"SUPABASE_URL": "http://127.0.0.1:54321", "SUPABASE_SERVICE_ROLE_KEY": legacy("service_role")},
            Choice.SUPABASE,
            "the Supabase project http://127.0.0.1:54321, over its API",
        ),
    ],
)
def test_the_choice(given: dict[str, Any], choice: Choice, told: str) -> None:
    made = settings(**given)
    assert choose(made) is choice
    assert describe(made) == told


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "SUPABASE_URL is not"),
        ({"SUPABASE_URL": f"{URL}/rest/v1"}, "no path"),
        ({"SUPABASE_URL": "project.supabase.co"}, "https://PROJECT"),
        ({"SUPABASE_URL": "http://supabase.internal:8000"}, "ROOKIFY_ALLOW_PLAINTEXT"),
        ({"SUPABASE_URL": URL, "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_hush"}, "role anon"),
        ({"SUPABASE_URL": URL, "SUPABASE_SERVICE_ROLE_KEY": legacy("anon")}, "role anon"),
        ({"SUPABASE_URL": URL, "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hush\n"}, "a newline"),
        ({"SUPABASE_URL": URL, "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hüsh"}, "no key"),
        ({"SUPABASE_URL": URL, "SUPABASE_SERVICE_ROLE_KEY": "hush"}, "neither a secret key nor a JWT"),
        (
            {"DATABASE_URL": "postgresql:///games", "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_hush"},
            "role anon",
        ),
    ],
)
def test_what_leads_nowhere_is_refused_by_name_without_the_key(given: dict[str, Any], named: str) -> None:
    made = settings(**({"SUPABASE_SERVICE_ROLE_KEY": KEY} | given))
    with pytest.raises(ConfigurationError, match=named) as refused:
        choose(made)
    key = made.supabase_service_role_key
    assert key is not None
    assert key.get_secret_value() not in str(refused.value)


def test_without_any_a_service_cannot_start() -> None:
    with pytest.raises(ConfigurationError, match="rookify up"):
        open_transport(settings())
