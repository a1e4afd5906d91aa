"""What can go wrong with an engine. Each of these ends the process; the position is searched again elsewhere.

EngineError
├── EngineDied       the process is gone, or could not be started
├── EngineHung       no answer within the deadline
└── EngineNonsense   an answer that cannot be: no exact score, an illegal move, no UCI at all
EngineFailed         the same position failed on three engines: the game is given up, for now
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine cannot be trusted any further."""


class EngineDied(EngineError):
    pass


class EngineHung(EngineError):
    pass


class EngineNonsense(EngineError):
    pass


class EngineFailed(Exception):
    """Transient: another attempt, at best on another machine, may well succeed."""
