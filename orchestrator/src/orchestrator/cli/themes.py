"""Themes as people read them. Pure."""

from __future__ import annotations

from typing import Final

from orchestrator.cli.words import clean
from rookify.analysis.v1 import analysis_pb2

ERRORS: Final = frozenset(
    {
        analysis_pb2.JUDGEMENT_INACCURACY,
        analysis_pb2.JUDGEMENT_MISTAKE,
        analysis_pb2.JUDGEMENT_BLUNDER,
    }
)
PRAISES: Final = frozenset({analysis_pb2.JUDGEMENT_GREAT, analysis_pb2.JUDGEMENT_BRILLIANT})
# Said of an error itself; all others but the missed ones are what it allows.
_ITS_OWN: Final = frozenset(
    {"hanging_piece", "hanging_pawn", "bad_trade", "king_safety", "opening_principle"}
)


def themes_text(move: analysis_pb2.MoveAnalysis) -> str:
    """ "missed fork, allowed mate in 3" of an error, "fork" of a great move; empty where it has no themes."""
    return ", ".join(_words(theme, move) for theme in move.themes)


def _words(theme: str, move: analysis_pb2.MoveAnalysis) -> str:
    words = clean(theme.replace("_", " "))
    error = move.judgement in ERRORS
    missed = theme.startswith("missed_")
    if theme in ("mate", "missed_mate"):
        score = move.score_after if error and not missed else move.score_before
        if moves := abs(score.mate_in):
            words = f"{words} in {moves}"
    return f"allowed {words}" if error and not missed and theme not in _ITS_OWN else words
