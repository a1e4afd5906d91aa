"""How a service reads its settings: the environment, `.env`, and files for secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from servicekit.errors import ConfigurationError

FILE_SUFFIX = "_FILE"
_MAX_SECRET_BYTES = 64 * 1024  # far above any key; who names a log or a database by mistake is told so

# Empty is none: the environment can take back what `.env` says, and compose files pass on what is not set.
OptionalFile = Annotated[
    Path | None, BeforeValidator(lambda value: Path(value).expanduser() if value else None)
]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(lambda value: value or None)]


class ServiceSettings(BaseSettings):
    """The base of every class of settings: variables are `ROOKIFY_` and the field's name, or its alias.

    A `SecretStr` may come from a file, as containers give secrets: `DATABASE_URL_FILE` names the file that
    holds `DATABASE_URL`. The environment, files included, wins over `.env`.
    """

    model_config = SettingsConfigDict(env_prefix="ROOKIFY_", env_file=".env", extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        env, dotenv = cast("EnvSettingsSource", env_settings), cast("EnvSettingsSource", dotenv_settings)
        return (
            init_settings,
            SecretFiles(settings_cls, env.env_vars),
            env,
            SecretFiles(settings_cls, dotenv.env_vars),
            dotenv,
        )


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets whose variable plus `_FILE` names a file. Raises ConfigurationError, never with a content."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None]) -> None:
        """`variables` as pydantic-settings has them: in lower case."""
        super().__init__(settings_cls)
        self._variables = variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = variable_of(self.settings_cls, field_name)
        key = str(field.validation_alias or field_name)
        path = self._variables.get((variable + FILE_SUFFIX).lower()) if is_secret(field) else None
        if not path:
            return None, key, False
        if self._variables.get(variable.lower()):
            raise ConfigurationError(
                f"{variable} and {variable}{FILE_SUFFIX} are both set: leave one of them out"
            )
        return read_secret(variable + FILE_SUFFIX, Path(path)), key, False

    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {key: value for value, key, _ in found if value is not None}


def read_secret(variable: str, path: Path) -> str:
    """The file's text without the newline at its end. `variable` is what named the file, for the error."""
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{variable}: {path} cannot be read: {error.strerror or error}") from error
    if len(content) > _MAX_SECRET_BYTES:
        raise ConfigurationError(
            f"{variable}: {path} holds more than a secret: over {_MAX_SECRET_BYTES} bytes"
        )
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or "\0" in text:
        raise ConfigurationError(
            f"{variable}: {path} holds no text; write the secret into it, and nothing else"
        )
    return text


def is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def variable_of(kind: type[BaseSettings], field_name: str) -> str:
    """The environment variable of a field; a name that is none is taken as the variable itself."""
    field = kind.model_fields.get(field_name)
    if field is None or isinstance(field.validation_alias, str):
        return str(field.validation_alias) if field else field_name
    return f"{kind.model_config.get('env_prefix', '')}{field_name}".upper()


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """From the environment and `.env`. Raises ConfigurationError that names the variables, never a secret."""
    try:
        return kind()
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False)
        raise ConfigurationError(
            "; ".join(f"{variable_of(kind, str(fault['loc'][0]))}: {fault['msg']}" for fault in faults)
        ) from None
