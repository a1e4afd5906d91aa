"""An analysis for any game, without an engine: every sixth move of each side is a blunder, by decree.

For a ScriptedAnalyzer where moments are wanted and it does not matter whether they are deserved.
"""

from __future__ import annotations

import io

import chess
import chess.pgn

from rookify.analysis.v1 import analysis_pb2 as pb


def judged(game: pb.Game) -> pb.AnalyzeGamesResponse:
    return pb.AnalyzeGamesResponse(analysis=analysis_of(game.game_id, game.pgn))


def analysis_of(game_id: str, pgn: str) -> pb.GameAnalysis:
    read = chess.pgn.read_game(io.StringIO(pgn))
    assert read is not None
    board = read.board()
    played = list(read.mainline_moves())
    moves = []
    for index, move in enumerate(played):
        other = next((each for each in board.legal_moves if each != move), None)
        error = other is not None and index % 12 >= 10
        best = other if error and other is not None else move
        moves.append(
            pb.MoveAnalysis(
                ply=index + 1,
                san=board.san(move),
                uci=move.uci(),
                fen_before=board.fen(),
                score_before=pb.Score(centipawns=0),
                score_after=pb.Score(centipawns=0),
                best_uci=best.uci(),
                best_san=board.san(best),
                best_line_uci=[best.uci()] if error else [each.uci() for each in played[index : index + 4]],
                win_percent_before=55,
                win_percent_after=15 if error else 55,
                judgement=pb.JUDGEMENT_BLUNDER if error else pb.JUDGEMENT_UNSPECIFIED,
                phase=pb.PHASE_MIDDLEGAME,
            )
        )
        board.push(move)
    return pb.GameAnalysis(game_id=game_id, start_fen=read.board().fen(), moves=moves)
