"""Explanations in the comments of an annotated PGN, which reads back as it did."""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import chess.pgn
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import Platform
from orchestrator.service.convert import game_detail
from orchestrator.service.explained_pgn import with_explanations
from orchestrator.store.rows import GameAnalysisRow, Moment

# As the analyzer writes it: a fool's mate with a variation, and a remark of the player's own.
PGN = (
    '[Event "a {strange} (name"]\n'
    '[Result "0-1"]\n'
    "\n"
    "{ intro (not a move) } 1. f3 $6 { Inaccuracy (+0.30 to -0.60). e4 was best. [%eval -0.60] } (1. e4 e5\n"
    "2. Nf3) 1... e5 { [%eval -0.50] [%clk 0:03:01] } 2. g4 $4\n"
    "{ Blunder (-0.50 to mate in 1 for Black). e3 was best. [%eval #-1] } (2. e3 d5 3. d4) 2... Qh4# 0-1\n"
)


def mainline(pgn: str) -> list[chess.pgn.ChildNode]:
    game = chess.pgn.read_game(io.StringIO(pgn))
    assert game is not None
    assert game.errors == []
    return list(game.mainline())


def test_an_explanation_goes_between_the_remark_and_the_commands() -> None:
    explained = with_explanations(PGN, {3: "The f-pawn is gone, so the diagonal is open."})
    assert explained == PGN.replace(
        "e3 was best. [%eval",
        "e3 was best.\nThe f-pawn is gone, so the diagonal is open. [%eval",
    )
    assert " ".join(mainline(explained)[2].comment.split()) == (
        "Blunder (-0.50 to mate in 1 for Black). e3 was best. The f-pawn is gone, so the diagonal is open. "
        "[%eval #-1]"
    )


def test_a_move_without_a_comment_gets_one() -> None:
    assert with_explanations(PGN, {4: "Mate."}).endswith("2... Qh4# { Mate. } 0-1\n")
    assert with_explanations("1. e4 $1 e5", {1: "Good.", 2: "Too."}) == "1. e4 $1 { Good. } e5 { Too. }\n"
    assert with_explanations("1. e4 (1. d4) e5 *", {1: "Good."}) == "1. e4 { Good. } (1. d4) e5 *"
    assert with_explanations("1. e4 { } e5 *", {1: "Good."}) == "1. e4 { Good. } e5 *"
    assert with_explanations("1. e4 { [%clk 0:01:00] } *", {1: "Good."}) == "1. e4 { Good. [%clk 0:01:00] } *"


def test_nothing_to_explain_changes_nothing() -> None:
    assert with_explanations(PGN, {}) == PGN
    assert with_explanations(PGN, {3: "", 9: "beyond the end"}) == PGN
    assert with_explanations("", {1: "no game"}) == ""


def test_signs_that_old_readers_or_comments_cannot_take_become_plain() -> None:
    explained = with_explanations("1. e4 *", {1: "15…Qxb2 – “trapped” {after} [%eval 9]\n\x1b 3 % é"})
    assert explained == '1. e4 { 15...Qxb2 - "trapped" (after) (%eval 9) 3% e } *'


def test_long_ones_are_wrapped_and_no_line_looks_like_a_header() -> None:
    explained = with_explanations(PGN, {3: "The queen comes to h4 with mate. " * 12})
    assert max(map(len, explained.splitlines())) <= 255  # PGN standard, 4.3
    assert [line for line in explained.splitlines() if line.startswith("[")] == PGN.splitlines()[:2]


@given(st.dictionaries(st.integers(1, 4), st.text(max_size=300), max_size=4))
def test_whatever_is_said_the_game_reads_back(explanations: dict[int, str]) -> None:
    before, after = mainline(PGN), mainline(with_explanations(PGN, explanations))
    assert [node.move for node in after] == [node.move for node in before]
    assert [node.eval() for node in after] == [node.eval() for node in before]
    assert [node.clock() for node in after] == [node.clock() for node in before]
    assert [node.nags for node in after] == [node.nags for node in before]
    assert [len(node.variations) for node in after] == [len(node.variations) for node in before]


def test_a_game_is_served_with_its_explanations_in_the_pgn() -> None:
    moment = Moment(
        ply=3,
        judgement="JUDGEMENT_BLUNDER",
        fen_before="fen",
        move_san="g4",
        best_san="e3",
        win_percent_lost=42.9,
        explanation="It walks into mate.",
        explained_by="template",
        themes=["mate"],
    )
    served = game_detail(row(annotated_pgn=PGN, moments=[moment]))
    assert "e3 was best.\nIt walks into mate. [%eval #-1]" in served.analysis.annotated_pgn
    assert list(served.moments[0].themes) == ["mate"]
    assert game_detail(row(annotated_pgn=PGN)).analysis.annotated_pgn == PGN


def row(**changes: Any) -> GameAnalysisRow:
    sides = ("accuracy", "average_centipawn_loss", "inaccuracies", "mistakes", "blunders")
    fields: dict[str, Any] = {
        **dict.fromkeys((f"{side}_{name}" for side in ("white", "black") for name in sides), 1),
        **dict.fromkeys(("id", "sync_job_id", "game_id"), UUID(int=1)),
        **dict.fromkeys(("played_at", "created_at"), datetime(2024, 1, 1, tzinfo=UTC)),
        **dict.fromkeys(("engine_nodes", "engine_seconds", "positions_searched", "positions_from_cache"), 1),
        **dict.fromkeys(("white_rating", "black_rating"), 1500),
        **dict.fromkeys(("opening_eco", "opening_name", "opening_ply_count")),
        "platform": Platform.LICHESS,
        "time_class": "rapid",
        "user_color": "white",
    }
    texts = {field.name: "" for field in dataclasses.fields(GameAnalysisRow) if field.name not in fields}
    required = {name: texts[name] for name in texts if name not in ("moves", "moments")}
    return GameAnalysisRow(**(required | fields | changes))
