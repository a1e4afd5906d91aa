"""Between the protos' enums and figures and the words and notation that people read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from orchestrator.domain import Color, GameResult, Platform, TimeClass
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2

NOTHING: Final = "–"  # stands where a figure is not known

TERMINAL_STATUSES: Final = frozenset(
    {sync_pb2.SYNC_STATUS_COMPLETED, sync_pb2.SYNC_STATUS_FAILED, sync_pb2.SYNC_STATUS_CANCELLED}
)


class Preset(StrEnum):
    """How thoroughly games are searched."""

    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


def clean(text: str) -> str:
    """Text of others (player names, PGN headers, a server's sentence) made safe to print.

    White space becomes single spaces; control characters, which could drive the terminal, and invisible
    ones, which could reorder a line, become the replacement character.
    """
    spaced = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in spaced)


def platform_number(platform: Platform) -> sync_pb2.Platform.ValueType:
    return sync_pb2.Platform.Value(f"PLATFORM_{platform.name}")


def preset_number(preset: Preset) -> analysis_pb2.SearchBudget.Preset.ValueType:
    return analysis_pb2.SearchBudget.Preset.Value(f"PRESET_{preset.name}")


def filter_message(
    time_classes: Iterable[TimeClass], results: Iterable[GameResult], colors: Iterable[Color], rated: bool
) -> sync_pb2.GameFilter:
    return sync_pb2.GameFilter(
        time_classes=[sync_pb2.TimeClass.Value(f"TIME_CLASS_{each.name}") for each in time_classes],
        results=[sync_pb2.GameResult.Value(f"GAME_RESULT_{each.name}") for each in results],
        colors=[sync_pb2.Color.Value(f"COLOR_{each.name}") for each in colors],
        rated_only=rated,
    )


def _enum_word(enum: Any, prefix: str, number: int) -> str:
    """A value's name without its prefix, in lower case; proto3 enums may hold numbers newer than this."""
    try:
        name: str = enum.Name(number)
    except ValueError:
        return f"unknown ({number})"
    return name.removeprefix(prefix).lower().replace("unspecified", NOTHING)


def platform_word(number: int) -> str:
    return _enum_word(sync_pb2.Platform, "PLATFORM_", number).replace("chess_com", "chess.com")


def status_word(number: int) -> str:
    return _enum_word(sync_pb2.SyncStatus, "SYNC_STATUS_", number)


def time_class_word(number: int) -> str:
    return _enum_word(sync_pb2.TimeClass, "TIME_CLASS_", number)


def score_text(score: analysis_pb2.Score) -> str:
    """A score from White's point of view in the usual notation: +0.34, #3, #-3; # for mate on the board."""
    kind = score.WhichOneof("value")
    if kind == "centipawns":
        return f"{score.centipawns / 100:+.2f}" if score.centipawns else "0.00"
    if kind == "mate_in":
        return f"#{score.mate_in}"
    if kind == "checkmate_white_wins":
        return "#"
    return NOTHING


def percent(value: float) -> str:
    """0..100 with one decimal, as accuracies are given."""
    return f"{value:.1f}"


def result_text(result: str) -> str:
    """A PGN result, the draw in its short form."""
    return "½-½" if result == "1/2-1/2" else clean(result) or NOTHING


def opening_text(opening: analysis_pb2.Opening) -> str:
    return clean(f"{opening.eco} {opening.name}".strip()) or NOTHING


def count(number: int, noun: str, plural: str = "") -> str:
    """ "1 game", "1,234 games"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def span_text(span: timedelta) -> str:
    """How long, as briefly as is useful: "0:07", "12:05", "1:02:03", "3 days"."""
    seconds = max(0, round(span.total_seconds()))
    if seconds >= 48 * 3600:
        return count(round(seconds / 86400), "day")
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def moment_of(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def time_text(timestamp: Timestamp) -> str:
    """In the reader's own time zone, to the minute; a dash where the message has none."""
    if not timestamp.seconds:
        return NOTHING
    return f"{moment_of(timestamp).astimezone():%Y-%m-%d %H:%M}"


def day_text(day: Date) -> str:
    return f"{day.year:04}-{day.month:02}-{day.day:02}" if day.year else NOTHING


def window_text(job: sync_pb2.SyncJob) -> str:
    """Which games a job is about: its days where it has them, else its months."""
    if job.HasField("from_date") and job.HasField("to_date"):
        return f"{day_text(job.from_date)} to {day_text(job.to_date)}"
    return count(job.months_requested, "month") if job.months_requested else NOTHING
