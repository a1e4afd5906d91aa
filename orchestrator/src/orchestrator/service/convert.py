"""Rows of the store as messages of the sync contract. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from google.protobuf import duration_pb2, json_format, timestamp_pb2
from google.type import date_pb2

from orchestrator.domain import SyncStatus
from orchestrator.service import words
from orchestrator.service.explained_pgn import with_explanations
from orchestrator.store.rows import Finding, FinishedGame, GameAnalysisRow, Moment, QuotaUse, SyncJob
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb


def sync_job(job: SyncJob, now: datetime | None = None) -> pb.SyncJob:
    """`now` is for the time left; None: the present."""
    message = pb.SyncJob(
        id=str(job.id),
        user_id=str(job.user_id),
        platform=words.PLATFORM_VALUES[job.platform],
        username=job.username,
        months_requested=job.months_requested or 0,
        from_date=_date(job.from_date),
        to_date=_date(job.to_date),
        status=words.STATUS_VALUES[job.status],
        games_found=job.games_found,
        games_analyzed=job.games_analyzed,
        games_skipped=job.games_skipped,
        games_failed=job.games_failed,
        error=job.error or "",
        create_time=_timestamp(job.created_at),
        update_time=_timestamp(job.updated_at),
        complete_time=_timestamp(job.completed_at),
        revision=job.revision,
        estimated_time_left=_duration(time_left(job, now or datetime.now(UTC))),
    )
    if job.filter:
        message.filter.CopyFrom(
            pb.GameFilter(
                time_classes=[words.TIME_CLASS_VALUES[name] for name in job.filter.get("time_classes", ())],
                results=[words.RESULT_VALUES[name] for name in job.filter.get("results", ())],
                colors=[words.COLOR_VALUES[name] for name in job.filter.get("colors", ())],
                rated_only=job.filter.get("rated_only", False),
            )
        )
    return message


def time_left(job: SyncJob, now: datetime) -> timedelta | None:
    """At the pace since analyzing began; None before the first game has ended."""
    ended = job.games_analyzed + job.games_failed
    if job.status != SyncStatus.ANALYZING or job.analyzing_since is None or not ended:
        return None
    taken = max(now - job.analyzing_since, timedelta(0))  # the database's clock may be ahead of this one
    return taken / ended * (job.games_found - job.games_done)


def game_finished(game: FinishedGame) -> pb.GameFinished:
    return pb.GameFinished(
        game_analysis_id=_id(game.game_analysis_id),
        game_url=game.game_url,
        white=game.white,
        black=game.black,
        result=game.result,
        user_accuracy=game.user_accuracy or 0.0,
        blunder_count=game.user_blunders or 0,
        error=game.failure_message or "",
    )


def game_summary(row: GameAnalysisRow) -> pb.GameSummary:
    return pb.GameSummary(
        id=str(row.id),
        sync_job_id=str(row.sync_job_id),
        platform=words.PLATFORM_VALUES[row.platform],
        game_url=row.url,
        white=row.white,
        black=row.black,
        white_rating=row.white_rating or 0,
        black_rating=row.black_rating or 0,
        user_color=words.COLOR_VALUES[row.user_color],
        result=row.result,
        time_class=words.TIME_CLASS_VALUES[row.time_class],
        time_control=row.time_control,
        play_time=_timestamp(row.played_at),
        opening=_opening(row),
        white_summary=_white(row),
        black_summary=_black(row),
    )


def game_detail(row: GameAnalysisRow) -> pb.GameDetail:
    analysis = analysis_pb2.GameAnalysis(
        start_fen=row.start_fen,
        white=_white(row),
        black=_black(row),
        annotated_pgn=with_explanations(
            row.annotated_pgn, {moment.ply: moment.explanation for moment in row.moments}
        ),
        opening=_opening(row),
        engine=analysis_pb2.EngineReport(
            engine=row.engine,
            nodes=row.engine_nodes,
            positions_searched=row.positions_searched,
            positions_from_cache=row.positions_from_cache,
            engine_time=_duration(timedelta(seconds=row.engine_seconds)),
            finish_time=_timestamp(row.created_at),
        ),
    )
    for move in row.moves:
        # A field that a newer version wrote is not this one's to refuse.
        json_format.ParseDict(dict(move), analysis.moves.add(), ignore_unknown_fields=True)
    return pb.GameDetail(
        summary=game_summary(row),
        analysis=analysis,
        moments=[_moment(moment) for moment in row.moments],
        pgn=row.pgn,
    )


def quota(use: QuotaUse) -> pb.Quota:
    return pb.Quota(name=use.name, limit=use.limit, used=use.used, reset_time=_timestamp(use.reset_at))


def finding(found: Finding) -> pb.ComplianceFinding:
    return pb.ComplianceFinding(
        rule=found.rule,
        sync_job_id=_id(found.sync_job_id),
        game_analysis_id=_id(found.game_analysis_id),
        detail=found.detail,
    )


def _moment(moment: Moment) -> pb.Moment:
    return pb.Moment(
        ply=moment.ply,
        judgement=analysis_pb2.Judgement.Value(moment.judgement),
        fen_before=moment.fen_before,
        move_san=moment.move_san,
        best_san=moment.best_san,
        win_percent_lost=moment.win_percent_lost,
        explanation=moment.explanation,
        explained_by=moment.explained_by,
        themes=moment.themes,
    )


def _opening(row: GameAnalysisRow) -> analysis_pb2.Opening | None:
    if not row.opening_eco and not row.opening_name:
        return None
    return analysis_pb2.Opening(
        eco=row.opening_eco or "", name=row.opening_name or "", ply_count=row.opening_ply_count or 0
    )


def _white(row: GameAnalysisRow) -> analysis_pb2.SideSummary:
    return analysis_pb2.SideSummary(
        accuracy=row.white_accuracy,
        average_centipawn_loss=row.white_average_centipawn_loss,
        inaccuracy_count=row.white_inaccuracies,
        mistake_count=row.white_mistakes,
        blunder_count=row.white_blunders,
    )


def _black(row: GameAnalysisRow) -> analysis_pb2.SideSummary:
    return analysis_pb2.SideSummary(
        accuracy=row.black_accuracy,
        average_centipawn_loss=row.black_average_centipawn_loss,
        inaccuracy_count=row.black_inaccuracies,
        mistake_count=row.black_mistakes,
        blunder_count=row.black_blunders,
    )


def _id(value: UUID | None) -> str:
    return str(value) if value else ""


def _date(day: date | None) -> date_pb2.Date | None:
    return date_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


def _timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None:
    if time is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(time)
    return message


def _duration(span: timedelta | None) -> duration_pb2.Duration | None:
    if span is None:
        return None
    message = duration_pb2.Duration()
    message.FromTimedelta(span)
    return message
