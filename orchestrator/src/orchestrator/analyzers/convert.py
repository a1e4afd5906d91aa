"""The analysis contract's messages to and from what the rest of the orchestrator uses."""

from __future__ import annotations

from typing import Any

import structlog
from google.protobuf import json_format

from orchestrator.analyzers.base import GameToAnalyze, KnownPly
from rookify.analysis.v1 import analysis_pb2 as pb

log = structlog.get_logger()

PRESETS = {
    "fast": pb.SearchBudget.PRESET_FAST,
    "standard": pb.SearchBudget.PRESET_STANDARD,
    "deep": pb.SearchBudget.PRESET_DEEP,
}


def game_message(game: GameToAnalyze, wire_id: str, engine: str) -> pb.Game:
    """With what is known from the engine that will search it; another one's scores are another scale."""
    known = [message for each in game.known.get(engine, ()) if (message := _known_message(each)) is not None]
    return pb.Game(game_id=wire_id, job_id=str(game.job_id), pgn=game.pgn, known=known)


def _known_message(known: KnownPly) -> pb.KnownEvaluation | None:
    """None where a stored one cannot be read: the position is searched instead."""
    try:
        return pb.KnownEvaluation(
            ply=known.ply,
            score=json_format.ParseDict(dict(known.score), pb.Score(), ignore_unknown_fields=True),
            best_uci=known.best_line[0],
            best_line_uci=known.best_line,
            depth=known.depth,
            nodes=known.nodes,
        )
    except (json_format.ParseError, IndexError, TypeError, ValueError) as error:
        log.warning("a known evaluation cannot be read", ply=known.ply, error=str(error))
        return None


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
