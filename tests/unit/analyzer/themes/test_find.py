"""The themes of a move: what an error allowed and missed, what a great move does; both colors."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.evaluation import Evaluation, Source
from analyzer.phases import Phase
from analyzer.scores import Centipawns, MateIn, Score, flipped
from analyzer.themes.find import Played, of_error, of_feat
from analyzer.themes.registry import BACK_RANK, TACTICS, TECHNIQUE
from analyzer.themes.words import Theme
from tests.support.scores import scores
from tests.support.theme_positions import both_colors, played
from tests.unit.analyzer.test_pgn import random_game

WHITE_BETTER, EVEN, BLACK_BETTER = Centipawns(500), Centipawns(0), Centipawns(-500)


def error(
    fen: str,
    move: str,
    *,
    best: str,
    reply: str,
    before: Score = EVEN,
    after: Score = BLACK_BETTER,
    phase: Phase = Phase.MIDDLEGAME,
    mirrored: bool,
) -> list[str]:
    found = of_error(
        played(fen, move, best=best, reply=reply, before=before, after=after, phase=phase, mirrored=mirrored)
    )
    return [theme.value for theme in found]


# What was allowed, what was missed


@both_colors
def test_a_fork_is_allowed_or_missed(mirrored: bool) -> None:
    fork = "Nc7+ Kd7 Nxa8"
    after_a6 = "r3k3/8/8/3N4/8/8/8/4K3 w - - 0 1"
    assert error(
        after_a6, "Nb4", best=fork, reply="Rb8 Nc6", before=WHITE_BETTER, after=EVEN, mirrored=mirrored
    ) == ["missed_fork"]
    before_it = "r3k3/p7/8/3N4/8/8/8/4K3 b - - 0 1"
    assert error(before_it, "a6", best="Rc8 Nb4", reply=fork, after=WHITE_BETTER, mirrored=mirrored) == [
        "fork"
    ]
    # Not where the other move runs into it all the same.
    assert error(before_it, "a6", best=f"a5 {fork}", reply=fork, after=WHITE_BETTER, mirrored=mirrored) == []


@both_colors
def test_the_costlier_comes_first(mirrored: bool) -> None:
    # The bishop could take, and a knight is left to be taken.
    queen, rook = (f"4k3/8/8/3{piece}2p1/7N/5B2/8/4K3 w - - 0 1" for piece in "qr")
    lines = {"best": "Bxd5 gxh4", "reply": "gxh4 Kf2", "mirrored": mirrored}
    assert error(queen, "Be2", **lines) == ["missed_capture", "hanging_piece"]  # type: ignore[arg-type]  # a short form
    assert error(rook, "Be2", **lines) == ["hanging_piece", "missed_capture"]  # type: ignore[arg-type]  # likewise


@both_colors
def test_what_takes_back_made_a_bad_trade(mirrored: bool) -> None:
    fen = "4k3/2p5/3n4/8/8/8/8/3RK3 w - - 0 1"
    assert error(fen, "Rxd6", best="Ke2 Kd7", reply="cxd6 Ke2", mirrored=mirrored) == ["bad_trade"]
    assert error(fen, "Rd5", best="Ke2 Kd7", reply="Kd7 Ke2", mirrored=mirrored) == []
    # Pawn for pawn, and then another one: the trade was fair.
    fen = "4k3/8/2n5/8/1p6/2P5/P7/4K3 w - - 0 1"
    assert error(fen, "cxb4", best="Kd2 Ke7", reply="Nxb4 Kd2 Nxa2", mirrored=mirrored) == []


@both_colors
def test_a_capture_with_the_wrong_piece_is_not_missed(mirrored: bool) -> None:
    fen = "4k3/8/8/3n4/4P3/8/8/3RK3 w - - 0 1"
    missed = error(
        fen, "Ke2", best="exd5 Kd7", reply="Nf6 e5", before=WHITE_BETTER, after=EVEN, mirrored=mirrored
    )
    assert missed == ["missed_capture"]
    assert (
        error(
            fen, "Rxd5", best="exd5 Kd7", reply="Ke7 Rd4", before=WHITE_BETTER, after=EVEN, mirrored=mirrored
        )
        == []
    )


@both_colors
def test_a_pawn_is_a_detail_where_more_is_lost(mirrored: bool) -> None:
    # The knight takes a pawn and forks queen and rook.
    fen = "r1bqkb1r/ppp2ppp/2np1n2/4p1N1/2B1P3/2N5/PPPP1PPP/R1BQK2R b KQkq - 5 5"
    assert error(
        fen, "h6", best="d5 exd5 Na5", reply="Nxf7 Na5 Nxd8 Nxc4 O-O", after=WHITE_BETTER, mirrored=mirrored
    ) == ["fork"]
    pawn = "4k3/8/8/3p4/8/3R4/8/4K3 b - - 0 1"
    assert error(pawn, "Ke7", best="d4 Ke2", reply="Rxd5 Ke6", after=Centipawns(600), mirrored=mirrored) == [
        "hanging_pawn"
    ]


@both_colors
def test_nothing_is_missed_by_who_takes_as_much_elsewhere(mirrored: bool) -> None:
    fen = "4k3/8/8/3n4/8/8/8/n2RK3 w - - 0 1"
    assert error(fen, "Rxa1", best="Rxd5 Ke7", reply="Ne3", mirrored=mirrored) == []


# Mates


@both_colors
def test_mates_are_walked_into_and_given_away(mirrored: bool) -> None:
    fen = "6k1/5ppp/8/8/8/8/r7/1R2K3 b - - 0 1"
    assert error(fen, "Ra3", best="Kf8 Rb8+", reply="Rb8#", after=MateIn(1), mirrored=mirrored) == [
        "mate",
        "back_rank_mate",
    ]
    fen = "6k1/5ppp/8/8/8/8/r7/1R2K3 w - - 0 1"
    assert error(
        fen, "Rb3", best="Rb8#", reply="Ra1+ Kd2", before=MateIn(1), after=EVEN, mirrored=mirrored
    ) == ["missed_mate", "missed_back_rank_mate"]


@both_colors
def test_a_slower_mate_and_a_mate_that_stood_before_are_no_news(mirrored: bool) -> None:
    fen = "6k1/5ppp/8/8/8/8/r7/1R2K3 w - - 0 1"
    lines = {"best": "Rb8#", "reply": "Ra1+ Kd2", "mirrored": mirrored}
    assert error(fen, "Rb3", before=MateIn(1), after=MateIn(3), **lines) == []  # type: ignore[arg-type]  # a short form
    assert error(fen, "Rb3", before=MateIn(-3), after=MateIn(-1), **lines) == []  # type: ignore[arg-type]  # likewise


@both_colors
def test_a_mate_in_the_middle_of_the_board_is_none_of_the_back_rank(mirrored: bool) -> None:
    fen = "8/8/8/3k4/8/8/8/4K2Q w - - 0 1"
    assert error(
        fen, "Qh5+", best="Qh4 Ke5 Ke2", reply="Kd4", before=MateIn(9), after=EVEN, mirrored=mirrored
    ) == ["missed_mate"]


@both_colors
def test_a_mate_is_enough_to_say(mirrored: bool) -> None:
    # The mating move takes a rook, too.
    fen = "r5k1/5ppp/8/8/8/4P3/5PPP/R5K1 w - - 0 1"
    assert error(fen, "e4", best="h3 Kf8", reply="Rxa1#", after=MateIn(-1), mirrored=mirrored) == [
        "mate",
        "back_rank_mate",
    ]
    fen = "3r2k1/5ppp/8/8/8/8/5PPP/3RR1K1 w - - 0 1"
    assert error(
        fen, "h3", best="Rxd8#", reply="Rxd1 Rxd1", before=MateIn(1), after=EVEN, mirrored=mirrored
    ) == ["missed_mate", "missed_back_rank_mate"]


# What an error does wrong itself

SHELTER = "r1bqkb1r/pp1p1p1p/6p1/2pnP1B1/8/3P1N2/PPP2PPP/R2Q1RK1 b kq - 1 10"


@both_colors
def test_a_pawn_that_opens_the_king(mirrored: bool) -> None:
    best = "Be7 Qd2 O-O"
    opened = error(
        SHELTER,
        "f6",
        best=best,
        reply="exf6 Nxf6 Re1+ Kf7 Ne5+ Kg7 Qf3",
        after=WHITE_BETTER,
        mirrored=mirrored,
    )
    assert opened == ["king_safety"]
    # The same pawn, and no attack; another pawn, and the same checks.
    assert error(SHELTER, "f6", best=best, reply="exf6 Nxf6 Qd2", after=WHITE_BETTER, mirrored=mirrored) == []
    assert error(SHELTER, "a6", best=best, reply="Bxd8 Kxd8 Qd2", after=WHITE_BETTER, mirrored=mirrored) == [
        "hanging_piece"
    ]


@both_colors
def test_a_king_is_open_to_queens_only(mirrored: bool) -> None:
    fen = SHELTER.replace("R2Q1RK1", "R4RK1")
    assert (
        error(
            fen,
            "f6",
            best="Be7 h3 O-O",
            reply="exf6 Nxf6 Rfe1+ Kf7 Ne5+ Kg7",
            after=WHITE_BETTER,
            mirrored=mirrored,
        )
        == []
    )


@both_colors
def test_a_king_that_walks_out(mirrored: bool) -> None:
    fen = "r3k2r/pp3ppp/2p5/2b5/4P1b1/PK1P4/1PQB3P/3q4 w kq - 2 23"
    assert error(
        fen,
        "Kc4",
        best="Qxd1 Bxd1+ Kc4 Bg1",
        reply="Qxc2+ Bc3 Be6+ Kxc5 Qxd3 Ba5 Qe3+ Kd6",
        after=MateIn(-6),
        mirrored=mirrored,
    ) == ["mate", "king_safety"]


@both_colors
def test_what_is_lost_says_more_than_an_open_king(mirrored: bool) -> None:
    fen = "r1b2rk1/p1p2ppp/5n2/1p2q3/2Bb4/4N1P1/PP3P1P/RNBQ1RK1 w - - 0 13"
    assert error(fen, "f4", best="Be2 Bh3 Re1", reply="Bxe3+ Kg2 Bb7+ Rf3 Qh5 Be2", mirrored=mirrored) == [
        "hanging_piece"
    ]


@both_colors
def test_a_center_pawn_shelters_no_king(mirrored: bool) -> None:
    fen = "r2qkb1r/pQ3pp1/3pp2p/2p1P2n/2B5/2NP3P/PP3PP1/n1B2RK1 b kq - 0 13"
    assert error(fen, "dxe5", best="Be7 Qf3", reply="Bb5+ Qd7 Qxd7#", after=MateIn(2), mirrored=mirrored) == [
        "mate"
    ]


def opening_error(fen: str, move: str, *, best: str, reply: str, mirrored: bool) -> list[str]:
    return error(
        fen, move, best=best, reply=reply, after=Centipawns(-70), phase=Phase.OPENING, mirrored=mirrored
    )


AFTER_E5 = "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2"


@both_colors
@pytest.mark.parametrize(
    ("fen", "move", "best", "neglects"),
    [
        (AFTER_E5, "Qh5", "Nf3 Nc6", True),  # the queen, with all minor pieces at home
        (AFTER_E5, "Nc3", "Nf3 Nc6", False),  # develops too
        (AFTER_E5, "Qh5", "a3 Nc6", False),  # the best move does not develop either
        (AFTER_E5, "h4", "Nf3 Nc6", True),
        (AFTER_E5, "c3", "Nf3 Nc6", False),
        (AFTER_E5, "Ke2", "Nf3 Nc6", True),
        ("rnbqkbnr/ppp2ppp/3p4/4p3/4P3/5N2/PPPP1PPP/RNBQKB1R w KQkq - 0 3", "Ng5", "d4 exd4", True),
        # The knight is attacked, so it moves again.
        ("rnbqkbnr/pppp1ppp/8/8/4p3/5N2/PPPP1PPP/RNBQKB1R w KQkq - 0 3", "Ng5", "d4 exd3", False),
        # It takes; the king has moved before; everything is out, so pieces may go.
        ("rnbqkbnr/ppp1pppp/8/3P4/8/8/PPPP1PPP/RNBQKBNR b KQkq - 0 2", "Qxd5", "Nf6 d4", False),
        ("rnbq1bnr/ppppkppp/8/4p3/4P3/8/PPPPKPPP/RNBQ1BNR w - - 2 3", "Kd3", "Nf3 Nf6", False),
        ("r1bqk2r/pppp1ppp/2n2n2/2b1p3/2B1P3/2NPBN2/PPP2PPP/R2QK2R w KQkq - 4 6", "Nd2", "O-O d6", False),
        ("r1bqk2r/pppp1ppp/2n2n2/2b1p3/2B1P3/2N2N2/PPPP1PPP/R1BQK2R w KQkq - 4 5", "Qe2", "O-O d6", False),
    ],
)
def test_opening_principles(fen: str, move: str, best: str, neglects: bool, mirrored: bool) -> None:
    expected = ["opening_principle"] if neglects else []
    assert opening_error(fen, move, best=best, reply="", mirrored=mirrored) == expected


@both_colors
def test_principles_are_for_openings(mirrored: bool) -> None:
    assert error(AFTER_E5, "Qh5", best="Nf3 Nc6", reply="Nc6", after=Centipawns(-70), mirrored=mirrored) == []


# Endgames


@both_colors
def test_technique_counts_in_endgames_without_tactics(mirrored: bool) -> None:
    fen = "8/8/4k3/8/8/4K3/4P3/8 w - - 0 1"
    lines = {
        "best": "Ke4 Kd6",
        "reply": "Ke5 Ke3",
        "before": WHITE_BETTER,
        "after": EVEN,
        "mirrored": mirrored,
    }
    assert error(fen, "Kf3", phase=Phase.ENDGAME, **lines) == ["missed_opposition"]  # type: ignore[arg-type]  # a short form
    assert error(fen, "Kf3", phase=Phase.MIDDLEGAME, **lines) == []  # type: ignore[arg-type]  # likewise
    fen = "8/8/8/3k4/7P/8/8/K7 w - - 0 1"
    run = error(
        fen, "Kb2", best="h5 Ke6 h6 Kf6 h7", reply="Ke6 Kc3", before=WHITE_BETTER, after=EVEN,
        phase=Phase.ENDGAME, mirrored=mirrored,
    )  # fmt: skip
    assert run == ["missed_passed_pawn"]


# Great and brilliant moves


def feat(
    fen: str, line: str, *, score: Score = EVEN, phase: Phase = Phase.MIDDLEGAME, mirrored: bool
) -> list[str]:
    move = line.split()[0]
    made = played(
        fen,
        move,
        best=line,
        reply=line.partition(" ")[2],
        before=score,
        after=score,
        phase=phase,
        mirrored=mirrored,
    )
    return [theme.value for theme in of_feat(made)]


@both_colors
@pytest.mark.parametrize(
    ("fen", "line", "themes"),
    [
        ("r3k3/8/8/3N4/8/8/8/4K3 w - - 0 1", "Nc7+ Kd7 Nxa8", ["fork"]),
        ("4k3/8/8/3n4/8/8/8/3RK3 w - - 0 1", "Rxd5 Ke7", ["hanging_piece"]),
        # The knight goes from under the rook; it was defended; mate was threatened.
        ("4k3/8/8/3r4/3N4/8/8/4K3 w - - 0 1", "Nf3 Ke7", ["parried_threat"]),
        ("4k3/8/8/3r4/3N4/4P3/8/4K3 w - - 0 1", "Nf3 Ke7", []),
        ("6k1/5ppp/3b4/8/7q/8/5PPP/5RK1 w - - 0 1", "g3 Qd4", ["parried_threat"]),
        ("6k1/5ppp/8/8/7q/8/5PPP/5RK1 w - - 0 1", "g3 Qd4", []),
        # Out of check, which is no choice.
        ("4k3/8/8/8/6b1/5N2/8/r3K3 w - - 0 1", "Kf2 Ra2+ Kg3", []),
    ],
)
def test_what_a_great_move_does(fen: str, line: str, themes: list[str], mirrored: bool) -> None:
    assert feat(fen, line, mirrored=mirrored) == themes


@both_colors
def test_taking_back_is_no_find(mirrored: bool) -> None:
    made = played(
        "4k3/8/8/3n4/8/8/8/3RK3 w - - 0 1",
        "Rxd5",
        best="Rxd5 Ke7",
        reply="Ke7",
        before=EVEN,
        after=EVEN,
        mirrored=mirrored,
    )
    assert of_feat(replace(made, taken_on=made.move.to_square)) == (Theme.RECAPTURE,)
    assert of_feat(replace(made, taken_on=made.move.from_square)) == (Theme.HANGING_PIECE,)


@both_colors
def test_a_great_move_that_mates(mirrored: bool) -> None:
    fen = "6k1/5ppp/8/8/8/8/r7/1R2K3 w - - 0 1"
    assert feat(fen, "Rb8#", score=MateIn(1), mirrored=mirrored) == ["mate", "back_rank_mate"]


# What holds of any move


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.sampled_from(Phase), scores, scores)
def test_the_themes_of_a_move_are_those_of_its_mirror_image(
    seed: int, phase: Phase, before: Score, after: Score
) -> None:
    board, moves = random_game(seed)
    for move in moves[:-1]:
        board.push(move)
    chooser = random.Random(seed)
    made = Played(
        board=board.copy(stack=False),
        move=moves[-1],
        before=Evaluation(before, random_line(board, chooser), Source.SEARCHED),
        after=Evaluation(after, random_line(after_move(board, moves[-1]), chooser), Source.SEARCHED),
        phase=phase,
    )
    mirror = Played(
        board=made.board.mirror(),
        move=mirror_move(made.move),
        before=mirror_evaluation(made.before),
        after=mirror_evaluation(made.after),
        phase=phase,
    )
    assert of_error(made) == of_error(mirror)
    assert len(set(of_error(made))) == len(of_error(made))
    assert of_feat(made) == of_feat(mirror)


def after_move(board: chess.Board, move: chess.Move) -> chess.Board:
    after = board.copy(stack=False)
    after.push(move)
    return after


def random_line(board: chess.Board, chooser: random.Random) -> tuple[str, ...]:
    """Mostly captures and checks: what detectors look at."""
    board = board.copy(stack=False)
    line: list[str] = []
    while len(line) < 10 and (legal := list(board.legal_moves)):
        forcing = [move for move in legal if board.is_capture(move) or board.gives_check(move)]
        move = chooser.choice(forcing or legal)
        line.append(board.uci(move))
        board.push(move)
    return tuple(line)


def mirror_move(move: chess.Move) -> chess.Move:
    return chess.Move(
        chess.square_mirror(move.from_square), chess.square_mirror(move.to_square), move.promotion
    )


def mirror_evaluation(evaluation: Evaluation) -> Evaluation:
    line = tuple(mirror_move(chess.Move.from_uci(uci)).uci() for uci in evaluation.line)
    return Evaluation(flipped(evaluation.score), line, evaluation.source)


# The words


def test_words_are_lower_snake_case_and_say_what_they_mean() -> None:
    for theme in Theme:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", theme.value)
        assert theme.value == theme.name.lower()
        assert theme.meaning


def test_every_motif_has_its_own_words() -> None:
    motifs = [*TACTICS, *TECHNIQUE, BACK_RANK]
    named = [name for motif in motifs for name in (motif.played, motif.missed) if name]
    assert len(named) == len(set(named))
    for motif in motifs:
        if motif.played and motif.missed:
            assert motif.missed.value == f"missed_{motif.played.value}"
