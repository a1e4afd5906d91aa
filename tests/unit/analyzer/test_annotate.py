"""The annotated PGN: what is in it, and that it reads back."""

from __future__ import annotations

import io
import random
import re
import time
from dataclasses import replace

import chess
import chess.pgn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import pgn, report
from analyzer.annotate import annotated_pgn
from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import ParsedGame
from analyzer.report import GameReport
from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.verdicts import ERRORS, Judgement
from tests.unit.analyzer.test_pgn import CHESS_COM, random_game, with_fen
from tests.unit.analyzer.test_report import fools_mate, searched

# As scalachess's Parser.scala has it, stricter than python-chess: letters in the name, \ only before \ and ".
LICHESS_HEADER = re.compile(r'\[[A-Za-z]+ "(?:\\[\\"]|[^\\"\n])*"\]')


def annotated(text: str, evaluations: list[Evaluation] | None = None) -> str:
    game = pgn.parse(text)
    return annotated_pgn(report.build(game, evaluations or level(game)))


def level(game: ParsedGame) -> list[Evaluation]:
    """Every position 0, every move the first choice."""
    best = [move.uci for move in game.moves]
    after = next((game.boards[-1].uci(move) for move in game.boards[-1].legal_moves), "")
    return [searched(Centipawns(0), uci) for uci in [*best, after]]


def read_back(text: str) -> chess.pgn.Game:
    game = chess.pgn.read_game(io.StringIO(text))
    assert game is not None
    assert game.errors == []
    return game


def test_a_whole_game() -> None:
    assert annotated_pgn(fools_mate()) == (
        '[Event "Live Chess"]\n'
        '[Site "Chess.com"]\n'
        '[White "someone"]\n'
        '[Black "A \\"quoted\\" name"]\n'
        '[Result "0-1"]\n'
        '[ECO "A00"]\n'
        '[TimeControl "180+2"]\n'
        "\n"
        "1. f3 $6\n"
        "{ Inaccuracy (+0.30 to -0.60). e4 was best. [%eval -0.60] [%clk 0:02:59.9] [%emt 0:00:02.1] }\n"
        "(1. e4) 1... e5 { [%eval -0.50] [%clk 0:03:01] [%emt 0:00:01] } 2. g4 $4\n"
        "{ Blunder (-0.50 to mate in 1 for Black). e3 was best. [%eval #-1] [%clk 0:02:58.1]"
        " [%emt 0:00:03.8] }\n"
        "(2. e3 d5 3. d4) 2... Qh4# { [%clk 0:03:00.5] [%emt 0:00:02.5] } 0-1\n"
    )


def test_what_the_source_said_is_kept_but_its_evaluations() -> None:
    text = '[Result "*"]\n\n{intro} 1. e4 {[%eval 0.99] good} (1. d4) $1 1... e5 {[%clk 0:00:01]}'
    scores: list[Score] = [Centipawns(0), Centipawns(7), MateIn(12)]
    best = ("e2e4", "e7e5", "g1f3")
    evaluations = [searched(score, uci) for score, uci in zip(scores, best, strict=True)]
    assert annotated(text, evaluations) == (
        '[Result "*"]\n\n{ intro } 1. e4 { [%eval 0.07] good } 1... e5 { [%eval #12] [%clk 0:00:01] } *\n'
    )


def test_praise_has_its_signs_and_says_what_else_there_was() -> None:
    fen = "4kb1r/p2n1ppp/1Q2q3/4p1B1/4P3/8/PPP2PPP/2KR4 w k - 0 16"
    evaluations = [
        replace(searched(MateIn(2), "b6b8"), second=Centipawns(-300)),
        Evaluation(MateIn(1), ("d7b8",), Source.FORCED),
        replace(searched(MateIn(1), "d1d8"), second=Centipawns(-900)),
        Evaluation(Checkmate(white_wins=True), (), Source.OVER),
    ]
    written = annotated(with_fen(fen, "16. Qb8+ Nxb8 17. Rd8# 1-0"), evaluations)
    assert written.endswith(
        "\n16. Qb8+ $3 { Brilliant (mate in 2; next best -3.00). [%eval #1] } 16... Nxb8 { [%eval #1] }\n"
        "17. Rd8# $1 { Great (mate in 1; next best -9.00). } 1-0\n"
    )


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ('[White "plain"]', '[White "plain"]'),
        (r'[White "a \"b\" c"]', r'[White "a \"b\" c"]'),
        ('[White "a "b" c"]', r'[White "a \"b\" c"]'),  # not escaped, as some programs write it
        (r'[White "back\slash"]', r'[White "back\\slash"]'),
        (r'[White "two\\"]', r'[White "two\\"]'),
        ('[White "end\\"]', r'[White "end\\"]'),
        ('[White "tab\tand\rreturn"]', '[White "tab and return"]'),
        ('[White "Müller, 王 ♞"]', '[White "Müller, 王 ♞"]'),
        ('[White ""]', '[White ""]'),
        ('[White_Elo2 "1"]', ""),  # lichess takes letters only, and refuses the game
    ],
)
def test_odd_headers(line: str, written: str) -> None:
    text = annotated(f'{line}\n[Event "x"]\n\n1. e4')
    assert text.startswith(f'{written}\n[Event "x"]\n' if written else '[Event "x"]\n')
    headers, _ = text.split("\n\n")
    assert all(LICHESS_HEADER.fullmatch(header) for header in headers.splitlines())
    assert read_back(text).headers["Event"] == "x"


@pytest.mark.parametrize(
    ("header", "end"),
    [("½-½", "1/2-1/2"), ("1/2-1/2", "1/2-1/2"), ("0-1", "0-1"), ("?", "*"), ("", "*")],
)
def test_a_result_that_stands_in_the_headers_only(header: str, end: str) -> None:
    assert annotated(f'[Result "{header}"]\n\n1. e4').endswith(f" }} {end}\n")


@pytest.mark.parametrize("name", ["FEN", "Variant", "SetUp"])
@pytest.mark.parametrize("value", ["", " "])
def test_headers_that_say_nothing_do_not_hide_the_game(name: str, value: str) -> None:
    text = annotated(f'[Event "x"]\n[{name} "{value}"]\n\n1. e4 e5')
    assert text.startswith('[Event "x"]\n\n1. e4 ')
    assert [node.san() for node in read_back(text).mainline()] == ["e4", "e5"]


def test_of_two_positions_the_one_that_was_played_from_stays() -> None:
    fens = ("4k3/8/8/8/8/8/8/4K2R w - - 0 1", chess.STARTING_FEN)
    text = annotated("".join(f'[FEN "{fen}"]\n' for fen in fens) + "\n1. e4")
    assert text.count("[FEN ") == 1
    assert read_back(text).board().fen() == chess.STARTING_FEN
    text = annotated(f'[FEN "{fens[0]}"]\n[FEN ""]\n\n1. e4')
    assert "FEN" not in text


@pytest.mark.parametrize("castles", ["O-O", "O-O-O"])
@pytest.mark.parametrize("header", ["", '[Variant "Chess960"]\n'])
def test_chess960_says_so(castles: str, header: str) -> None:
    fen = "1r4kr/pppppppp/8/8/8/8/PPPPPPPP/1R4KR w HBhb - 0 1"
    text = annotated(f'{header}[FEN "{fen}"]\n\n1. {castles} {castles}')
    assert '[Variant "Chess960"]\n' in text
    assert '[SetUp "1"]\n' in text
    game = read_back(text)
    assert game.board().chess960
    assert [node.san() for node in game.mainline()] == [castles, castles]
    assert [move.uci for move in pgn.parse(text).moves] == [
        game.board().uci(game.mainline_moves().__iter__().__next__()),
        "g8h8" if castles == "O-O" else "g8b8",
    ]


@pytest.mark.parametrize(
    "comment",
    [
        "word " * 200,
        "[%clk 0:01:00] " + "x" * 90 + " [%csl Ga1,Rb2] " + "y " * 200,
        "% " * 300,
        "[a] " * 300,
        "{ { braces",
        "line\nand line\n[Event \"no header\"]\n% no escape",
    ],
)  # fmt: skip
def test_comments_of_any_length(comment: str) -> None:
    text = annotated(f"1. e4 {{{comment}}} e5")
    lines = text.split("\n\n", 1)[-1].splitlines()
    if not comment.startswith(("% ", "[a]")):  # what cannot be broken is not
        assert max(map(len, lines)) <= 255
    assert not any(line.startswith(("[", "%")) for line in lines)
    assert text.count("{") == text.count("}")
    words = comment.replace("{", "(").split()
    assert re.sub(r"\[%eval 0.00\] ", "", " ".join(read_back(text).next().comment.split())) == " ".join(words)  # type: ignore[union-attr]  # there is a move
    assert annotated(text) == text


HOSTILE = {
    "evals": "[%eval " * 35_000,
    "commands": "[%" * 120_000,
    "parentheses": "Mistake (" * 28_000,
    "arrows": "(" + " → " * 50_000,
    "brackets": "[ " * 125_000,
}


def test_comments_to_the_end_of_the_line_stay_and_escaped_lines_do_not() -> None:
    text = annotated(
        '; by {hand}\n[Event "x"] ; then\n% escaped 1\n{so}\n\n'
        "1. e4 ;[%clk 0:01:00] good } (not) bad\n% escaped 2\ne5 (1... c5 ; no\n) ; last\n* ; behind"
    )
    assert text == (
        '[Event "x"]\n\n{ by (hand) then so } 1. e4 '
        "{ [%eval 0.00] [%clk 0:01:00] good ) (not) bad } 1... e5\n"
        "{ [%eval 0.00] last behind } *\n"
    )
    assert read_back(text).next().clock() == 60  # type: ignore[union-attr]  # there is a move
    assert annotated(text) == text


@pytest.mark.parametrize("comment", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_comments_take_no_time(comment: str) -> None:
    started = time.process_time()
    annotated(f"1. e4 {{{comment}}}")
    assert time.process_time() - started < 5  # quadratic, it would be minutes


def test_remarks_of_lichess_give_way_to_ours() -> None:
    text = (
        "1. e4 { [%eval 0.48] } 1... Re7?? { (0.86 → 3.37) Blunder. Qd8 was best. } { [%eval 3.37] }".replace(
            "Re7", "e5"
        )
        + " 2. Nf3 { (8.39 → Mate in 3) Checkmate is now unavoidable. Kf8 was best. [%clk 0:01:00] mine }"
    )
    assert annotated(text) == (
        "\n1. e4 { [%eval 0.00] } 1... e5 { [%eval 0.00] } 2. Nf3 { [%eval 0.00] [%clk 0:01:00] mine } *\n"
    )


def test_a_remark_that_was_wrapped_in_a_long_comment_is_not_doubled() -> None:
    made = fools_mate()
    evaluations = [made.moves[0].before, *(move.after for move in made.moves)]
    wrapped = 0
    for before in range(60):  # so that the line ends at every place of the remark
        text = CHESS_COM.replace("0:03:01]", f"0:03:01] {'x' * before}")
        once = annotated(text.replace("0:02:58.1]", f"0:02:58.1] {'word ' * 40}"), evaluations)
        wrapped += "Blunder (-0.50 to mate in 1 for Black). e3 was best." not in once
        assert annotated(once, evaluations) == once
    assert wrapped > 10


def random_score(chooser: random.Random) -> Score:
    if chooser.random() < 0.3:
        return MateIn(chooser.choice([-1, 1]) * chooser.randrange(1, 200))
    largest = chooser.choice([300, 20_000])
    return Centipawns(chooser.randrange(-largest, largest))


def random_report(seed: int) -> GameReport:
    """A random legal game, standard or chess960, with clocks and comments, and any evaluations."""
    board, moves = random_game(seed)
    chooser = random.Random(seed)
    words = ["good", "{", "[%cal Ge2e4]", "???", "(1. e4)", "; no", "Mistake", "éà", "$5"]
    text = with_fen(
        board.fen(),
        " ".join(
            f"{san} {{[%clk 0:0{ply % 10}:30] {' '.join(chooser.choices(words, k=ply % 4))}}}"
            for ply, san in enumerate(sans(board, moves))
        ),
        "Chess960" if board.chess960 else "",
    )
    game = pgn.parse(f'[TimeControl "600+5"]\n{text}')
    evaluations = []
    for index, at in enumerate(game.boards):
        legal = [at.uci(move) for move in at.legal_moves]
        if not legal:
            score: Score = Checkmate(white_wins=not at.turn) if at.is_check() else Centipawns(0)
            evaluations.append(Evaluation(score, (), Source.OVER))
            continue
        played = game.moves[index].uci if index < game.plies else legal[0]
        line = searched(random_score(chooser), chooser.choice([played, chooser.choice(legal)]))
        evaluations.append(replace(line, second=chooser.choice([None, random_score(chooser)])))
    return report.build(game, evaluations)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9))
def test_annotated_games_read_back(seed: int) -> None:
    made = random_report(seed)
    game = made.game
    written = annotated_pgn(made)
    assert max(len(line) for line in written.splitlines()) <= 255
    read = read_back(written)
    assert [node.move for node in read.mainline()] == [
        at.parse_uci(move.uci) for at, move in zip(game.boards, game.moves, strict=False)
    ]
    for node, move in zip(read.mainline(), made.moves, strict=True):
        assert node.clock() == move.move.clock
        assert node.nags == {
            Judgement.GREAT: {chess.pgn.NAG_GOOD_MOVE},
            Judgement.MISTAKE: {chess.pgn.NAG_MISTAKE},
            Judgement.BRILLIANT: {chess.pgn.NAG_BRILLIANT_MOVE},
            Judgement.BLUNDER: {chess.pgn.NAG_BLUNDER},
            Judgement.INACCURACY: {chess.pgn.NAG_DUBIOUS_MOVE},
        }.get(move.judgement, set())
        evaluated = node.eval()
        match move.after.score:
            case Centipawns(value):
                assert evaluated is not None
                assert evaluated.white().score() == value
            case MateIn(mate):
                assert evaluated is not None
                assert evaluated.white().mate() == mate
            case Checkmate():
                assert evaluated is None
        assert node.parent is not None
        others = [other.san() for other in node.parent.variations if other is not node]
        assert others == ([move.best_san] if move.judgement in ERRORS else [])
        assert (move.judgement.value.capitalize() in node.comment) or move.judgement not in (
            *ERRORS,
            Judgement.GREAT,
            Judgement.BRILLIANT,
        )


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**9))
def test_an_annotated_game_is_analyzed_as_the_game_it_was(seed: int) -> None:
    made = random_report(seed)
    written = annotated_pgn(made)
    again = pgn.parse(written)
    assert [(move.uci, move.clock, move.forced) for move in again.moves] == [
        (move.uci, move.clock, move.forced) for move in made.game.moves
    ]
    assert (again.start_fen, again.chess960, again.result) == (
        made.game.start_fen,
        made.game.chess960,
        made.game.result or "*",
    )
    evaluations = [made.moves[0].before, *(move.after for move in made.moves)]
    assert annotated_pgn(report.build(again, evaluations)) == written


def sans(board: chess.Board, moves: list[chess.Move]) -> list[str]:
    board = board.copy()
    texts = []
    for move in moves:
        texts.append(board.san(move))
        board.push(move)
    return texts
