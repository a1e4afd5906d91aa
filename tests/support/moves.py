"""Moves of an analysis as `game_analyses.moves` holds them: MoveAnalysis as proto JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import chess


def percent(centipawns: int) -> float:
    """White's win percent, as lichess has it."""
    return 50 + 50 * (2 / (1 + math.exp(-0.00368208 * max(-1000, min(1000, centipawns)))) - 1)


def played(
    sans: str, scores: Sequence[int], changes: Mapping[int, Mapping[str, Any]] | None = None, fen: str = ""
) -> list[dict[str, Any]]:
    """The moves of `sans` ("e4 e5 Nf3"); `scores` are centipawns of all positions, the start first.

    Each is its own best move unless `changes`, by ply, say otherwise; a `best` there is a line in SAN.
    """
    board = chess.Board(fen or chess.STARTING_FEN)
    moves = []
    for ply, san in enumerate(sans.split(), start=1):
        before, after = percent(scores[ply - 1]), percent(scores[ply])
        if board.turn == chess.BLACK:
            before, after = 100 - before, 100 - after
        move = board.parse_san(san)
        changed = dict((changes or {}).get(ply, {}))
        best = _line(board, changed.pop("best", san))
        moves.append(
            {
                "ply": ply,
                "san": board.san(move),
                "uci": move.uci(),
                "fen_before": board.fen(),
                "score_before": {"centipawns": scores[ply - 1]},
                "score_after": {"centipawns": scores[ply]},
                "best_uci": best[0],
                "best_san": board.san(chess.Move.from_uci(best[0])),
                "best_line_uci": best,
                "win_percent_before": before,
                "win_percent_after": after,
                "accuracy": 50.0,
                "phase": "PHASE_OPENING",
                "depth": 12,
                "nodes": "5000",
                **changed,
            }
        )
        board.push(move)
    return moves


def _line(board: chess.Board, sans: str) -> list[str]:
    board = board.copy(stack=False)
    return [board.push_san(san).uci() for san in sans.split()]
