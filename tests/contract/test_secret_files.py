"""Secrets that come from files, as containers give them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from analyzer.settings import Settings as AnalyzerSettings
from orchestrator.client_settings import ClientSettings
from orchestrator.settings import Settings
from scripts import env_example
from servicekit.errors import ConfigurationError
from servicekit.settings import is_secret, load_settings, variable_of

SECRETS = [
    (kind, name, variable_of(kind, name))
    for kind in env_example.settings_classes()
    for name, field in kind.model_fields.items()
    if is_secret(field)
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory without a .env, an environment without secrets."""
    for _kind, _name, variable in SECRETS:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(f"{variable}_FILE", raising=False)
    with contextlib.chdir(tmp_path):
        yield


def test_the_known_secrets_are_among_them() -> None:
    variables = {variable for _kind, _name, variable in SECRETS}
    assert {"DATABASE_URL", "ROOKIFY_JWT_SECRET", "ROOKIFY_TOKEN_KEY", "ROOKIFY_TOKEN"} <= variables


@pytest.mark.parametrize(("kind", "name", "variable"), SECRETS, ids=lambda value: str(value))
def test_every_secret_may_come_from_a_file(
    kind: type[Settings], name: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("  s3cret of odd form = #\r\n\n")
    monkeypatch.setenv(f"{variable}_FILE", str(file))
    assert getattr(load_settings(kind), name) == SecretStr("  s3cret of odd form = #")


def test_no_other_setting_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "listen").write_text("0.0.0.0:1")
    monkeypatch.setenv("ROOKIFY_LISTEN_FILE", str(tmp_path / "listen"))
    monkeypatch.setenv("ROOKIFY_ANALYZER_LISTEN_FILE", str(tmp_path / "listen"))
    assert load_settings(Settings).listen == "127.0.0.1:50051"
    assert load_settings(AnalyzerSettings).analyzer_listen == "127.0.0.1:50061"


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_both_are_refused(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from the file")
    given = {"ROOKIFY_TOKEN": "s3cret", "ROOKIFY_TOKEN_FILE": str(tmp_path / "secret")}
    if where == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    with pytest.raises(
        ConfigurationError, match="ROOKIFY_TOKEN and ROOKIFY_TOKEN_FILE are both set"
    ) as caught:
        load_settings(ClientSettings)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "dotenv", "token"),
    [
        ({"ROOKIFY_TOKEN_FILE": "file"}, {"ROOKIFY_TOKEN": "dotenv"}, "from the file"),
        ({"ROOKIFY_TOKEN": "env"}, {"ROOKIFY_TOKEN_FILE": "file"}, "env"),
        ({}, {"ROOKIFY_TOKEN_FILE": "file"}, "from the file"),
        ({"ROOKIFY_TOKEN": ""}, {"ROOKIFY_TOKEN_FILE": "file"}, None),
        ({"ROOKIFY_TOKEN": "", "ROOKIFY_TOKEN_FILE": "file"}, {}, "from the file"),
        ({"ROOKIFY_TOKEN": "env", "ROOKIFY_TOKEN_FILE": ""}, {}, "env"),
        ({"ROOKIFY_TOKEN": "", "ROOKIFY_TOKEN_FILE": ""}, {}, None),
    ],
)
def test_the_environment_wins_over_dotenv_and_empty_is_unset(
    environment: dict[str, str],
    dotenv: dict[str, str],
    token: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("from the file\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in dotenv.items()))
    assert load_settings(ClientSettings).token == (SecretStr(token) if token else None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: None, "cannot be read: No such file or directory"),
        (lambda file: file.mkdir(), "cannot be read: Is a directory"),
        (lambda file: file.write_bytes(b"s3cret\xff\xfe"), "holds no text"),
        (lambda file: file.write_text("s3cret\0"), "holds no text"),
        (lambda file: file.write_text("\n"), "holds no text"),
        (lambda file: file.write_text("s3cret" * 20_000), "holds more than a secret"),
    ],
)
def test_a_file_that_holds_none_is_named_and_not_quoted(
    make: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    assert callable(make)
    make(file)
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_settings(Settings)
    assert str(caught.value).startswith(f"DATABASE_URL_FILE: {file} ")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value.__cause__)
