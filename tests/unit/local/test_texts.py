"""What the local mode reads out of logs and output, and what it tells its children."""

from __future__ import annotations

import pytest

from orchestrator.local.child import ChildSpec
from orchestrator.local.cluster import reason_of
from orchestrator.local.logfiles import last_message
from orchestrator.local.processes import describe_exit
from orchestrator.local.stack import analyzer_env, claimable
from orchestrator.settings import Settings
from servicekit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", ""),
        ("first\n\nlast words\n\n", "last words"),
        (
            '{"event": "ready"}\n{"event": "cannot start", "error": "no engine", "level": "error"}\n',
            "no engine",
        ),
        ('{"event": "stopped"}', "stopped"),
        ('["no", "log", "line"]', '["no", "log", "line"]'),
        ("{broken", "{broken"),
        ("\x1b[31mred\x1b[0m and plain", "red and plain"),
    ],
)
def test_last_message(log: str, message: str) -> None:
    assert last_message(log) == message


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "it said nothing"),
        ("creating directory ... ok\nsomething else", "something else"),
        (
            "a LOG:  starting\na FATAL:  could not write: No space left on device\na LOG:  shut down",
            "could not write: No space left on device",
        ),
        (
            "u@d FATAL:  the database system is starting up\na PANIC:  could not write: No space left",
            "could not write: No space left",
        ),
        (
            'a FATAL:  lock file "postmaster.pid" already exists\na HINT:  Is another postmaster running?',
            'lock file "postmaster.pid" already exists Is another postmaster running?',
        ),
        (
            "the files ... ok\ninitdb: error: could not change permissions: Permission denied\nremoving",
            "initdb: error: could not change permissions: Permission denied",
        ),
    ],
)
def test_reason_of_what_postgres_said(said: str, reason: str) -> None:
    assert reason_of(said) == reason


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (2, "exit code 2"), (-9, "signal SIGKILL"), (-250, "signal 250")]
)
def test_describe_exit(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_the_analyzer_gets_its_settings_and_no_credentials() -> None:
    secrets = {
        "DATABASE_URL": "postgresql://u:p@h/d",
        "ROOKIFY_JWT_SECRET": "s",
        "ROOKIFY_TOKEN": "t",
        "ROOKIFY_TOKEN_KEY": "k",
        "OPENAI_API_KEY": "o",
        "SUPABASE_SERVICE_ROLE_KEY": "r",
        "SUPABASE_KEY_FILE": "f",
        "PGPASSWORD": "x",
        "LICHESS_TOKEN": "l",
    }
    kept = {"PATH": "/bin", "LANG": "C.UTF-8", "ROOKIFY_LOG_LEVEL": "debug", "ROOKIFY_ENGINE_HASH": "64"}
    settings = Settings(stockfish="/opt/stockfish")
    env = analyzer_env({**secrets, **kept}, settings, "127.0.0.1:6000", 3)
    assert not env.keys() & secrets.keys()
    assert kept.items() <= env.items()
    assert env["ROOKIFY_ANALYZER_LISTEN"] == "127.0.0.1:6000"
    assert env["ROOKIFY_ENGINE_WORKERS"] == "3"
    assert env["ROOKIFY_STOCKFISH"] == "/opt/stockfish"
    assert "ROOKIFY_ENGINE_WORKERS" not in analyzer_env(kept, settings, "127.0.0.1:6000", None)


@pytest.mark.parametrize(
    "listen", ["", "50051", ":50051", "localhost:", "localhost:x", "localhost:65536", "h:-1"]
)
def test_a_listen_address_that_is_none(listen: str) -> None:
    with pytest.raises(ConfigurationError, match="host:port"):
        claimable(listen)


def test_a_childs_environment_is_not_shown() -> None:
    spec = ChildSpec("one", ["true"], {"ROOKIFY_JWT_SECRET": "hidden"})
    assert "hidden" not in repr(spec)
