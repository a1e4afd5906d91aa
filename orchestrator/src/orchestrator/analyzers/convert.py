"""The analysis contract's messages to and from what the rest of the orchestrator uses."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format

from orchestrator.analyzers.base import GameToAnalyze
from rookify.analysis.v1 import analysis_pb2 as pb

PRESETS = {
    "fast": pb.SearchBudget.PRESET_FAST,
    "standard": pb.SearchBudget.PRESET_STANDARD,
    "deep": pb.SearchBudget.PRESET_DEEP,
}


def game_message(game: GameToAnalyze, wire_id: str, engine: str) -> pb.Game:
    """With what is known from the engine that will search it; another one's scores are another scale."""
    known = [
        pb.KnownEvaluation(
            ply=each.ply,
            score=json_format.ParseDict(dict(each.score), pb.Score(), ignore_unknown_fields=True),
            best_uci=each.best_line[0],
            best_line_uci=each.best_line,
            depth=each.depth,
            nodes=each.nodes,
        )
        for each in game.known.get(engine, ())
    ]
    return pb.Game(game_id=wire_id, job_id=str(game.job_id), pgn=game.pgn, known=known)


def failure_reason(reason: pb.GameFailure.Reason.ValueType) -> str:
    """REASON_INVALID_PGN → INVALID_PGN; a value of a newer contract keeps its number."""
    try:
        return pb.GameFailure.Reason.Name(reason).removeprefix("REASON_")
    except ValueError:
        return f"UNKNOWN_{reason}"


def analysis_columns(analysis: pb.GameAnalysis) -> dict[str, Any]:
    """The columns of `game_analyses` that an analysis fills."""
    white, black, engine = analysis.white, analysis.black, analysis.engine
    return {
        "start_fen": analysis.start_fen,
        "moves": [
            json_format.MessageToDict(move, preserving_proto_field_name=True) for move in analysis.moves
        ],
        "annotated_pgn": analysis.annotated_pgn,
        "opening_eco": analysis.opening.eco or None,
        "opening_name": analysis.opening.name or None,
        "opening_ply_count": analysis.opening.ply_count or None,
        "white_accuracy": white.accuracy,
        "black_accuracy": black.accuracy,
        "white_average_centipawn_loss": white.average_centipawn_loss,
        "black_average_centipawn_loss": black.average_centipawn_loss,
        "white_inaccuracies": white.inaccuracy_count,
        "black_inaccuracies": black.inaccuracy_count,
        "white_mistakes": white.mistake_count,
        "black_mistakes": black.mistake_count,
        "white_blunders": white.blunder_count,
        "black_blunders": black.blunder_count,
        "engine": engine.engine,
        "engine_nodes": engine.nodes,
        "engine_seconds": engine.engine_time.ToTimedelta().total_seconds(),
        "positions_searched": engine.positions_searched,
        "positions_from_cache": engine.positions_from_cache,
    }
