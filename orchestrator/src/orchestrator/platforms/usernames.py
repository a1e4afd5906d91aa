"""Which usernames the platforms know at all: a check before any request, and before any row is written.

`start_sync_job` repeats both rules in SQL, for the name in a user's profile; the store's tests hold them
together.
"""

from __future__ import annotations

import re

from orchestrator.domain import Platform
from servicekit.errors import InvalidInput

# chess.com's help centre: letters, digits, - and _, 3 to 20 today; older accounts have up to 25.
_CHESS_COM = re.compile(r"[A-Za-z0-9_-]{3,25}")
# lila's `couldBeUsername`: 2 to 30, no - or _ at either end. New names are held to more, old ones remain.
_LICHESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,28}[A-Za-z0-9]")

_RULES = {
    Platform.CHESS_COM: (_CHESS_COM, "3 to 25 of the characters A-Z, a-z, 0-9, _ and -"),
    Platform.LICHESS: (
        _LICHESS,
        "2 to 30 of the characters A-Z, a-z, 0-9, _ and -, beginning and ending with a letter or digit",
    ),
}


def validate_username(platform: Platform, name: str) -> str:
    """The name without spaces around it; `InvalidInput` on field "username" where no such account can be."""
    rule, words = _RULES[platform]
    trimmed = name.strip()
    if not trimmed:
        raise InvalidInput.of("username", f"is empty; give the player's name on {platform}")
    if not rule.fullmatch(trimmed):
        shown = trimmed if len(trimmed) <= 40 else trimmed[:40] + "…"
        raise InvalidInput.of("username", f"{shown!r} cannot be a name on {platform}, which has {words}")
    return trimmed
