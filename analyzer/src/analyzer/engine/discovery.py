"""Where Stockfish is."""

from __future__ import annotations

import os
import shutil

from analyzer.engine.errors import EngineError
from servicekit.errors import ConfigurationError

# Debian and Ubuntu put it where only players of games have it on PATH; then by hand, Homebrew, MacPorts.
USUAL_PLACES = (
    "/usr/games/stockfish",
    "/usr/local/bin/stockfish",
    "/opt/homebrew/bin/stockfish",
    "/home/linuxbrew/.linuxbrew/bin/stockfish",
    "/opt/local/bin/stockfish",
)


def find_all(setting: str = "") -> list[str]:
    """The paths of all engines that are there, each once. Raises ConfigurationError that says what to do."""
    named = [candidate for candidate in setting.split(os.pathsep) if candidate]
    found: dict[str, str] = {}  # what it is in truth → how it was named
    for candidate in named or ("stockfish", *USUAL_PLACES):
        path = shutil.which(os.path.expanduser(candidate))  # noqa: PTH111  a bare name is looked up on PATH
        if path:
            found.setdefault(os.path.realpath(path), path)
    if found:
        return list(found.values())
    if named:
        message = f"ROOKIFY_STOCKFISH={setting}: there is no program there that may be run."
    else:
        message = "Stockfish was not found on PATH or in the usual places."
    raise ConfigurationError(
        f"{message} Install it (apt-get install stockfish, or brew install stockfish) "
        "or set ROOKIFY_STOCKFISH to its path.",
        reason="NO_STOCKFISH",
    )


def unusable(path: str, failure: EngineError) -> ConfigurationError:
    """What to do about an engine that is there and cannot be started."""
    return ConfigurationError(
        f"{path} does not run as a UCI engine: {failure}. Set ROOKIFY_STOCKFISH to a Stockfish that does.",
        reason="BAD_ENGINE",
    )
