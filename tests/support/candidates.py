"""Candidates for moments, made as the store's rows make them: from moves as proto JSON."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

import chess

from orchestrator.explain import candidates
from orchestrator.explain.candidates import Candidate
from orchestrator.store.moment_rows import CandidateGame

ANALYSIS = UUID("00000000-0000-4000-8000-000000000001")


def move_json(
    fen: str, move: str, *, best: str, reply: str = "", before: int = 0, after: int = -300, **changes: Any
) -> dict[str, Any]:
    """`best` and `reply` are lines in SAN; `before` and `after` the mover's centipawns."""
    board = chess.Board(fen)
    ply = 2 * board.fullmove_number - (1 if board.turn else 0)
    better = _line(board, best)
    uci = board.parse_san(move).uci()
    after_move = board.copy()
    after_move.push_uci(uci)
    return {
        "ply": ply,
        "san": move,
        "uci": uci,
        "fen_before": fen,
        "best_uci": better[0],
        "best_line_uci": better,
        "reply_line_uci": _line(after_move, reply),
        "win_percent_before": percent(before),
        "win_percent_after": percent(after),
        "judgement": "JUDGEMENT_BLUNDER",
        "phase": "PHASE_MIDDLEGAME",
        **changes,
    }


def candidate(fen: str, move: str, *, game: int = 1, opening: str = "C50", **changes: Any) -> Candidate:
    row = CandidateGame(game, ANALYSIS, "white", 1500, False, opening, [move_json(fen, move, **changes)], {})
    (found,) = candidates.of_game(row)
    return found


def percent(centipawns: int) -> float:
    return 100 / (1 + math.exp(-0.00368208 * centipawns))


def _line(board: chess.Board, sans: str) -> list[str]:
    board = board.copy()
    return [board.push_san(san).uci() for san in sans.split()]
