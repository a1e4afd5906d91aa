"""Moments on the page of a game: the board from the player's side, the move, the better one, a lesson."""

from __future__ import annotations

import pytest

from orchestrator.cli.board import WIDTH, board_lines, line_text
from orchestrator.cli.moments import moment_lines
from orchestrator.cli.themes import themes_text
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2

FEN = "r1bqkb1r/ppp2ppp/2np1n2/4p1N1/2B1P3/2N5/PPPP1PPP/R1BQK2R b KQkq - 5 5"
BLUNDER = analysis_pb2.MoveAnalysis(
    ply=10,
    san="h6",
    uci="h7h6",
    fen_before=FEN,
    score_before=analysis_pb2.Score(centipawns=96),
    score_after=analysis_pb2.Score(centipawns=488),
    best_san="d5",
    best_uci="d6d5",
    best_line_uci=["d6d5", "e4d5", "c6a5", "c4b5", "c7c6", "d5c6"],
    win_percent_before=41.3,
    win_percent_after=14.2,
    judgement=analysis_pb2.JUDGEMENT_BLUNDER,
    themes=["fork", "missed_capture"],
)
MOMENT = sync_pb2.Moment(
    ply=10,
    judgement=analysis_pb2.JUDGEMENT_BLUNDER,
    fen_before=FEN,
    move_san="h6",
    best_san="d5",
    win_percent_lost=27.1,
    explanation="6.Nxf7 forks the queen and the rook. Meet the threat to f7 first: "
    "5…d5 shuts the bishop out.",
    explained_by="template",
    themes=["fork", "missed_capture"],
)


def page(
    moment: sync_pb2.Moment = MOMENT,
    move: analysis_pb2.MoveAnalysis = BLUNDER,
    color: sync_pb2.Color.ValueType = sync_pb2.COLOR_BLACK,
    width: int = 60,
) -> list[str]:
    game = sync_pb2.GameDetail(
        summary=sync_pb2.GameSummary(user_color=color),
        analysis=analysis_pb2.GameAnalysis(moves=[move]),
        moments=[moment],
    )
    return [line.plain.rstrip() for line in moment_lines(game, width=width)]


def test_a_moment_from_blacks_side() -> None:
    assert page() == [
        "",
        "1 ♖ · · ♔ ♕ ♗ · ♖    5… h6??  blunder",
        "2 ♙ ♙ ♙ · ♙ ♙ ♙ ♙    win chance 41 → 14 %",
        "3 · · · · · ♘ · ·    better: 5… d5 6. exd5 Na5 7. Bb5+ c6",
        "4 · · · ♙ · ♗ · ·    allowed fork, missed capture",
        "5 · ♘ · ♟ · · · ·",
        "6 · · ♞ · ♟ ♞ · ·    6.Nxf7 forks the queen and the rook.",
        "7 ♟ ♟ ♟ · · ♟ ♟ ♟    Meet the threat to f7 first: 5…d5 shuts",
        "8 ♜ · ♝ ♚ ♛ ♝ · ♜    the bishop out.",
        "  h g f e d c b a    (template)",
    ]


def test_a_great_move_of_white_that_is_not_explained() -> None:
    great = analysis_pb2.MoveAnalysis(
        ply=31,
        san="Qb8+",
        uci="b3b8",
        best_san="Qb8+",
        best_uci="b3b8",
        fen_before="4kb1r/p2n1ppp/4q3/4p1B1/4P3/1Q6/PPP2PPP/2KR4 w k - 1 16",
        score_before=analysis_pb2.Score(mate_in=2),
        score_after=analysis_pb2.Score(mate_in=1),
        win_percent_before=97.5,
        win_percent_after=93.5,
        judgement=analysis_pb2.JUDGEMENT_BRILLIANT,
        themes=["mate"],
    )
    moment = sync_pb2.Moment(
        ply=31,
        judgement=great.judgement,
        fen_before=great.fen_before,
        move_san="Qb8+",
        best_san="Qb8+",
        win_percent_lost=4,
    )
    assert page(moment, great, sync_pb2.COLOR_WHITE) == [
        "",
        "8 · · · · ♚ ♝ · ♜    16. Qb8+!!  brilliant",
        "7 ♟ · · ♞ · ♟ ♟ ♟    mate in 2",
        "6 · · · · ♛ · · ·",
        "5 · · · · ♟ · ♗ ·",
        "4 · · · · ♙ · · ·",
        "3 · ♕ · · · · · ·",
        "2 ♙ ♙ ♙ · · ♙ ♙ ♙",
        "1 · · ♔ ♖ · · · ·",
        "  a b c d e f g h",
    ]


def test_a_move_without_a_verdict_has_a_best_one() -> None:
    move = analysis_pb2.MoveAnalysis()
    move.CopyFrom(BLUNDER)
    move.judgement = analysis_pb2.JUDGEMENT_UNSPECIFIED
    move.themes[:] = []
    assert [line[WIDTH + 3 :] for line in page(move=move)[1:4]] == [
        "5… h6",
        "win chance 41 → 14 %",
        "best: 5… d5 6. exd5 Na5 7. Bb5+ c6",
    ]


def test_a_long_explanation_goes_on_below_the_board() -> None:
    lines = page(sync_pb2.Moment(ply=10, fen_before=FEN, explanation="word " * 60), width=40)
    assert max(map(len, lines)) <= WIDTH + 3 + 24
    assert lines[-1].strip() == "word word word word word"
    assert lines[-1].startswith(" " * (WIDTH + 3))


def test_what_an_old_or_broken_row_lacks_is_left_out() -> None:
    orphan = sync_pb2.Moment(
        ply=99, fen_before="no position", move_san="\x1b[2Jh6", best_san="d5", win_percent_lost=27
    )
    (_, *lines) = page(orphan)
    assert [line.strip() for line in lines] == ["50. �[2Jh6", "27 % of win chance lost", "best: 50. d5"]
    assert page(sync_pb2.Moment(ply=99, fen_before=FEN, move_san="h6", best_san="d5"), width=10)[1].endswith(
        "5… h6"
    )
    assert list(moment_lines(sync_pb2.GameDetail(), width=80)) == []


def test_the_board_stands_on_colors_that_show_the_move() -> None:
    top = board_lines("8/8/8/8/8/8/8/R6k w - - 0 1", white_below=False, marked=("a1", "b1"))[0]
    assert top.plain == "1 ♚ · · · · · · ♖ "
    styles = {top.plain[span.start : span.end]: str(span.style) for span in top.spans}
    assert styles["♚ "] == "black on grey85"
    assert styles["♖ "] == "black on khaki1"
    assert all(len(line.plain) == WIDTH for line in board_lines(FEN, white_below=True))


@pytest.mark.parametrize(
    ("fen", "line", "text"),
    [
        (FEN, ["d6d5", "e4d5", "c6a5"], "5… d5 6. exd5 Na5"),
        (FEN.replace(" b ", " w "), ["g5f7", "c6a5", "f7d8"], "5. Nxf7 Na5 6. Nxd8"),
        (FEN, ["d6d5", "a1a8", "c6a5"], "5… d5"),
        (FEN, [], ""),
        ("nonsense", ["e2e4"], ""),
        ("4k3/8/8/8/8/8/8/4K1R1 w G - 0 1", ["e1g1"], "1. O-O"),  # chess960: the king takes his rook
    ],
)
def test_lines_as_far_as_they_can_be_played(fen: str, line: list[str], text: str) -> None:
    assert line_text(fen, line, 5) == text


@pytest.mark.parametrize(
    ("judgement", "themes", "text"),
    [
        (analysis_pb2.JUDGEMENT_BLUNDER, ["fork", "missed_fork"], "allowed fork, missed fork"),
        (analysis_pb2.JUDGEMENT_MISTAKE, ["hanging_piece", "king_safety"], "hanging piece, king safety"),
        (
            analysis_pb2.JUDGEMENT_BLUNDER,
            ["mate", "back_rank_mate"],
            "allowed mate in 3, allowed back rank mate",
        ),
        (analysis_pb2.JUDGEMENT_BLUNDER, ["missed_mate"], "missed mate in 5"),
        (analysis_pb2.JUDGEMENT_GREAT, ["mate"], "mate in 5"),
        (analysis_pb2.JUDGEMENT_BRILLIANT, ["discovered_attack"], "discovered attack"),
        (analysis_pb2.JUDGEMENT_BLUNDER, [], ""),
        (analysis_pb2.JUDGEMENT_BLUNDER, ["a_\x1bnew_one"], "allowed a �new one"),
    ],
)
def test_themes_in_words(judgement: analysis_pb2.Judgement.ValueType, themes: list[str], text: str) -> None:
    move = analysis_pb2.MoveAnalysis(
        judgement=judgement,
        themes=themes,
        score_before=analysis_pb2.Score(mate_in=5),
        score_after=analysis_pb2.Score(mate_in=-3),
    )
    assert themes_text(move) == text


def test_the_reasons_stand_behind_the_explanation() -> None:
    game = sync_pb2.GameDetail(analysis=analysis_pb2.GameAnalysis(moves=[BLUNDER]), moments=[MOMENT])
    why = {10: ["the costliest move of the game: 27 points of win percent", "the game was still open"]}
    lines = [line.plain.rstrip() for line in moment_lines(game, width=60, why=why)]
    said = [line[WIDTH:].strip() for line in lines]
    assert said[said.index("why:") :][:4] == [
        "why:",
        "- the costliest move of the game: 27",
        "points of win percent",
        "- the game was still open",
    ]
    assert said[said.index("why:") - 2] == "(template)"
