"""Figures and enums as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from orchestrator.cli import words
from orchestrator.domain import Color, GameResult, Platform, TimeClass
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (analysis_pb2.Score(centipawns=34), "+0.34"),
        (analysis_pb2.Score(centipawns=-5), "-0.05"),
        (analysis_pb2.Score(centipawns=0), "0.00"),
        (analysis_pb2.Score(centipawns=-1234), "-12.34"),
        (analysis_pb2.Score(mate_in=3), "#3"),
        (analysis_pb2.Score(mate_in=-3), "#-3"),
        (analysis_pb2.Score(checkmate_white_wins=True), "#"),
        (analysis_pb2.Score(checkmate_white_wins=False), "#"),
        (analysis_pb2.Score(), "–"),
    ],
)
def test_scores_in_the_usual_notation(score: analysis_pb2.Score, text: str) -> None:
    assert words.score_text(score) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0:00"),
        (7, "0:07"),
        (725.4, "12:05"),
        (3723, "1:02:03"),
        (172_800, "2 days"),
        (86_399, "23:59:59"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert words.span_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Magnus  Carlsen", "Magnus Carlsen"),
        ("\x1b[31mred\x1b[0m", "�[31mred�[0m"),
        ("line\r\nbreak\ttab", "line break tab"),
        ("evil\u202egnp.exe", "evil�gnp.exe"),
        ("Żółć 王", "Żółć 王"),
        ("\x00\x07\x9b2J", "���2J"),
    ],
)
def test_text_of_others_cannot_drive_the_terminal(text: str, safe: str) -> None:
    assert words.clean(text) == safe


def test_every_word_of_the_domain_has_its_number_and_back() -> None:
    assert [words.platform_word(words.platform_number(each)) for each in Platform] == list(Platform)
    assert all(words.preset_number(each) > 0 for each in words.Preset)
    message = words.filter_message(TimeClass, GameResult, Color, rated=True)
    assert [words.time_class_word(each) for each in message.time_classes] == list(TimeClass)
    assert list(message.results) == [
        sync_pb2.GAME_RESULT_WIN,
        sync_pb2.GAME_RESULT_LOSS,
        sync_pb2.GAME_RESULT_DRAW,
    ]
    assert list(message.colors) == [sync_pb2.COLOR_WHITE, sync_pb2.COLOR_BLACK]
    assert message.rated_only


def test_a_status_that_a_newer_server_invented_is_still_printed() -> None:
    assert words.status_word(sync_pb2.SYNC_STATUS_ANALYZING) == "analyzing"
    assert words.status_word(99) == "unknown (99)"
    assert words.platform_word(0) == "–"


def test_counts_have_their_plural() -> None:
    assert words.count(1, "game") == "1 game"
    assert words.count(0, "game") == "0 games"
    assert words.count(12_345, "breach", "breaches") == "12,345 breaches"


def test_results_and_openings() -> None:
    assert [words.result_text(each) for each in ("1-0", "0-1", "1/2-1/2", "*", "")] == [
        "1-0",
        "0-1",
        "½-½",
        "*",
        "–",
    ]
    assert (
        words.opening_text(analysis_pb2.Opening(eco="B90", name="Sicilian Defense")) == "B90 Sicilian Defense"
    )
    assert words.opening_text(analysis_pb2.Opening(eco="B90")) == "B90"
    assert words.opening_text(analysis_pb2.Opening()) == "–"


def test_times_are_the_readers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert words.time_text(Timestamp(seconds=1_709_287_200)) == "2024-03-01 15:30"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert words.time_text(Timestamp()) == "–"


def test_a_window_is_days_where_there_are_days() -> None:
    days = sync_pb2.SyncJob(
        months_requested=1,
        from_date=Date(year=2024, month=3, day=1),
        to_date=Date(year=2024, month=4, day=30),
    )
    assert words.window_text(days) == "2024-03-01 to 2024-04-30"
    assert words.window_text(sync_pb2.SyncJob(months_requested=3)) == "3 months"
    assert words.window_text(sync_pb2.SyncJob()) == "–"
