"""Writes .env.example: every setting of both services and the command line, with its default and meaning."""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from servicekit.settings import FILE_SUFFIX, is_secret, variable_of

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / ".env.example"
# Each module that holds settings, and how the file speaks of its owner.
MODULES = {
    "orchestrator.settings": "The orchestrator",
    "orchestrator.client_settings": "The command line",
    "analyzer.settings": "The analyzer",
}
WIDTH = 110

HEADER = """\
# Every setting, commented out with its default. Set what is to differ in a copy named .env in the working
# directory, or in the environment, which wins. Durations are seconds. A secret may come from a file instead:
# NAME_FILE is the path of a file that holds what NAME would.
# Written by `make env-example` from settings.py; do not edit.
"""


def main() -> int:
    TARGET.write_text(render(), encoding="utf-8")
    return 0


def render() -> str:
    """The whole file. A setting that several classes share alike stands once, where it comes first."""
    parts = [HEADER]
    seen: set[str] = set()
    for settings in settings_classes():
        blocks = [block(variable_of(settings, name), field) for name, field in settings.model_fields.items()]
        fresh = [block for block in blocks if block not in seen]
        seen.update(fresh)
        parts.append(f"\n# --- {_title(settings)} ---\n\n" + "\n".join(fresh))
    return "".join(parts)


def settings_classes() -> Iterator[type[BaseSettings]]:
    """Classes of settings in the order in which their modules define them."""
    for name in MODULES:
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == name:
                yield value


def _title(settings: type[BaseSettings]) -> str:
    return MODULES[settings.__module__]


def block(variable: str, field: FieldInfo) -> str:
    """A setting's lines: what it means, its bounds, the variable with its default."""
    about = field.description or ""
    bounds = _bounds(field)
    text = f"{about}. {bounds}." if bounds else f"{about}."
    comment = textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
    file = f"#{variable}{FILE_SUFFIX}=\n" if is_secret(field) else ""
    return f"{comment}\n#{variable}={_default(field)}\n{file}"


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [
        f"{word} {getattr(bound, key)}"
        for bound in field.metadata
        for key, word in words.items()
        if hasattr(bound, key)
    ]
    choices = re.findall(r"'([^']*)'", str(field.annotation)) if "Literal" in str(field.annotation) else []
    text = ", ".join(bounds) or (f"One of {', '.join(choices)}" if choices else "")
    return text[:1].upper() + text[1:]


def _default(field: FieldInfo) -> str:
    """As the variable would be written. Empty where it depends on the machine or is nothing."""
    value: Any = field.default
    if field.default_factory is not None or field.is_required() or value is None:
        return ""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
