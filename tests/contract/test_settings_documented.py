"""`.env.example` lists every setting as it is."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from orchestrator.client_settings import ClientSettings
from orchestrator.settings import Settings
from scripts import env_example
from servicekit.settings import variable_of


def settings() -> list[type[BaseSettings]]:
    return list(env_example.settings_classes())


every_kind = pytest.mark.parametrize(
    "kind", settings(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
)


def test_the_file_is_current() -> None:
    written = Path(env_example.TARGET).read_text(encoding="utf-8")
    assert written == env_example.render(), (
        "settings have changed: run `make env-example` and commit the file"
    )


def test_no_class_of_settings_is_missed() -> None:
    assert {Settings, ClientSettings} <= set(settings())


@every_kind
def test_every_setting_says_what_it_means(kind: type[BaseSettings]) -> None:
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting."""
    for kind in settings():
        for name in kind.model_fields:
            monkeypatch.delenv(variable_of(kind, name), raising=False)
    return monkeypatch


@every_kind
def test_every_variable_is_read(kind: type[BaseSettings], bare: pytest.MonkeyPatch) -> None:
    """Odd text in a variable becomes its field's value, or is refused."""
    usual = kind(_env_file=None)
    for name in kind.model_fields:
        variable = variable_of(kind, name)
        bare.setenv(variable, "§odd")
        with contextlib.suppress(ValidationError):
            assert getattr(kind(_env_file=None), name) != getattr(usual, name), f"{variable} is not read"
        bare.delenv(variable)


@every_kind
def test_the_defaults_shown_are_the_defaults(kind: type[BaseSettings], bare: pytest.MonkeyPatch) -> None:
    usual = kind(_env_file=None)
    for name, field in kind.model_fields.items():
        variable = variable_of(kind, name)
        shown = re.search(rf"^#{variable}=(.+)$", env_example.block(variable, field), re.MULTILINE)
        if shown:
            bare.setenv(variable, shown[1])
    assert kind(_env_file=None) == usual
