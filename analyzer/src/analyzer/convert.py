"""Between the wire's messages and the analyzer's own types."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf import duration_pb2

from analyzer.annotate import annotated_pgn
from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import Reason, UnplayableGame
from analyzer.phases import Phase
from analyzer.report import GameReport, MoveReport, SideReport
from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.search.budget import Plan, Preset, plan
from analyzer.search.game import SearchedGame
from analyzer.verdicts import Judgement
from rookify.analysis.v1 import analysis_pb2 as pb

_REASONS = {
    Reason.INVALID_PGN: pb.GameFailure.REASON_INVALID_PGN,
    Reason.ILLEGAL_MOVE: pb.GameFailure.REASON_ILLEGAL_MOVE,
    Reason.UNSUPPORTED_VARIANT: pb.GameFailure.REASON_UNSUPPORTED_VARIANT,
    Reason.EMPTY_GAME: pb.GameFailure.REASON_EMPTY_GAME,
    Reason.TOO_LARGE: pb.GameFailure.REASON_TOO_LARGE,
}
JUDGEMENTS = {
    Judgement.NONE: pb.JUDGEMENT_UNSPECIFIED,
    Judgement.INACCURACY: pb.JUDGEMENT_INACCURACY,
    Judgement.MISTAKE: pb.JUDGEMENT_MISTAKE,
    Judgement.BLUNDER: pb.JUDGEMENT_BLUNDER,
    Judgement.BRILLIANT: pb.JUDGEMENT_BRILLIANT,
    Judgement.GREAT: pb.JUDGEMENT_GREAT,
    Judgement.BEST: pb.JUDGEMENT_BEST,
}
_PHASES = {
    Phase.OPENING: pb.PHASE_OPENING,
    Phase.MIDDLEGAME: pb.PHASE_MIDDLEGAME,
    Phase.ENDGAME: pb.PHASE_ENDGAME,
}
_PRESETS = {
    pb.SearchBudget.PRESET_FAST: Preset.FAST,
    pb.SearchBudget.PRESET_DEEP: Preset.DEEP,
}  # unset, and numbers of a later contract: standard


def to_plan(budget: pb.SearchBudget) -> Plan:
    return plan(_PRESETS.get(budget.preset, Preset.STANDARD), budget.nodes_per_position)


def to_known(known: Iterable[pb.KnownEvaluation]) -> dict[int, Evaluation]:
    """By position. What has no score is left out; whether the rest fits the game is the search's to say."""
    evaluations: dict[int, Evaluation] = {}
    for each in known:
        score = _to_score(each.score)
        if score is not None:
            line = tuple(each.best_line_uci)
            evaluations[each.ply] = Evaluation(
                score=score,
                line=line if line[:1] == (each.best_uci,) else (each.best_uci,) if each.best_uci else (),
                source=Source.KNOWN,
                depth=each.depth,
                nodes=each.nodes,
            )
    return evaluations


def _to_score(score: pb.Score) -> Score | None:
    match score.WhichOneof("value"):
        case "centipawns":
            return Centipawns(score.centipawns)
        case "mate_in" if score.mate_in:
            return MateIn(score.mate_in)
        case "checkmate_white_wins":
            return Checkmate(score.checkmate_white_wins)
        case _:
            return None


def from_score(score: Score) -> pb.Score:
    match score:
        case Centipawns(value):
            return pb.Score(centipawns=value)
        case MateIn(moves):
            return pb.Score(mate_in=moves)
        case Checkmate(white_wins):
            return pb.Score(checkmate_white_wins=white_wins)


def from_unplayable(game_id: str, error: UnplayableGame) -> pb.GameFailure:
    return pb.GameFailure(
        game_id=game_id, reason=_REASONS[error.reason], message=error.message, retryable=False
    )


def from_report(game_id: str, report: GameReport, searched: SearchedGame) -> pb.GameAnalysis:
    analysis = pb.GameAnalysis(
        game_id=game_id,
        start_fen=report.game.start_fen,
        moves=[_from_move(move) for move in report.moves],
        white=_from_side(report.white),
        black=_from_side(report.black),
        annotated_pgn=annotated_pgn(report),
        engine=_engine_report(searched),
    )
    if report.opening is not None:
        analysis.opening.eco = report.opening.eco
        analysis.opening.name = report.opening.name
        analysis.opening.ply_count = report.opening.ply_count
    return analysis


def _from_move(move: MoveReport) -> pb.MoveAnalysis:
    message = pb.MoveAnalysis(
        ply=move.ply,
        san=move.move.san,
        uci=move.move.uci,
        fen_before=move.fen_before,
        score_before=from_score(move.before.score),
        score_after=from_score(move.after.score),
        best_uci=move.before.best,
        best_san=move.best_san,
        best_line_uci=move.before.line,
        win_percent_before=move.win_percent_before,
        win_percent_after=move.win_percent_after,
        accuracy=move.accuracy,
        judgement=JUDGEMENTS[move.judgement],
        phase=_PHASES[move.phase],
        forced=move.move.forced,
        depth=move.before.depth,
        nodes=move.before.nodes,
        themes=[theme.value for theme in move.themes],
    )
    if move.before.second is not None and not move.move.forced:
        message.second_score.CopyFrom(from_score(move.before.second))
    if move.move.clock is not None:
        message.clock.CopyFrom(from_seconds(move.move.clock))
    return message


def _from_side(side: SideReport) -> pb.SideSummary:
    if side.figures is None:
        return pb.SideSummary()
    return pb.SideSummary(
        accuracy=side.figures.accuracy,
        average_centipawn_loss=side.figures.average_centipawn_loss,
        inaccuracy_count=side.counts[Judgement.INACCURACY],
        mistake_count=side.counts[Judgement.MISTAKE],
        blunder_count=side.counts[Judgement.BLUNDER],
    )


def _engine_report(searched: SearchedGame) -> pb.EngineReport:
    report = pb.EngineReport(
        engine=searched.engine,
        nodes=searched.nodes,
        positions_searched=searched.searched,
        positions_from_cache=searched.reused,
        engine_time=from_seconds(searched.seconds),
    )
    report.finish_time.FromDatetime(datetime.now(UTC))
    return report


def from_seconds(seconds: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromMilliseconds(round(seconds * 1000))
    return duration
