"""Real games beside the checkout, where somebody has put them; the project builds and passes without."""

from __future__ import annotations

import os
from pathlib import Path

_BESIDE = Path(__file__).parents[3] / "shared" / "data"
PLAYER = "SCHMITZ874"  # of chesscom/, March to May 2022


def real_games() -> Path | None:
    """The folder with `chesscom/`, `lichess/` and `reference/`; ROOKIFY_SHARED_DATA names another."""
    folder = Path(os.environ.get("ROOKIFY_SHARED_DATA", _BESIDE))
    return folder if (folder / "chesscom").is_dir() else None
