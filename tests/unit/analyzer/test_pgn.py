"""Reading PGN: what is taken, and a typed failure with a clear message for what is not."""

from __future__ import annotations

import random
import time

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import pgn
from analyzer.pgn import ParsedGame, Reason, UnplayableGame

CHESS_COM = """[Event "Live Chess"]
[Site "Chess.com"]
[White "someone"]
[Black "A \\"quoted\\" name"]
[Result "0-1"]
[ECO "A00"]
[TimeControl "180+2"]

1. f3 {[%clk 0:02:59.9]} 1... e5 {[%clk 0:03:01]} 2. g4 {[%clk 0:02:58.1]} 2... Qh4# {[%clk 0:03:00.5]} 0-1
"""


def failure(text: str) -> UnplayableGame:
    with pytest.raises(UnplayableGame) as caught:
        pgn.parse(text)
    return caught.value


def with_fen(fen: str, moves: str, variant: str = "") -> str:
    header = f'[Variant "{variant}"]\n' if variant else ""
    return f'{header}[SetUp "1"]\n[FEN "{fen}"]\n\n{moves}'


def test_a_game_as_chess_com_writes_it() -> None:
    game = pgn.parse(CHESS_COM)
    assert [move.san for move in game.moves] == ["f3", "e5", "g4", "Qh4#"]
    assert [move.uci for move in game.moves] == ["f2f3", "e7e5", "g2g4", "d8h4"]
    assert [move.white for move in game.moves] == [True, False, True, False]
    assert [move.clock for move in game.moves] == [179.9, 181.0, 178.1, 180.5]
    assert game.header("Black") == 'A \\"quoted\\" name'
    assert game.header("Nothing") == ""
    assert game.result == "0-1"
    assert len(game.boards) == 5
    assert game.boards[-1].is_checkmate()
    assert not game.chess960
    assert not game.drawn_at_end
    assert game.start_fen == chess.STARTING_FEN


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        ("335:59:59", 336 * 3600 - 1),  # fourteen days for a move
        ("9999:59:59.9", 36_000_000 - 0.1),
        ("10000:00:00", None),
        ("99999999:00:00", None),
        ("9" * 5000 + ":00:00", None),  # more digits than Python makes a number of
        ("0:01:0." + "9" * 5000, None),
        ("0:100:00", None),
        ("-1:00:00", None),
    ],
)
def test_a_clock_that_cannot_be_says_nothing(clock: str, seconds: float | None) -> None:
    assert pgn.parse(f"1. e4 {{[%clk {clock}]}}").moves[0].clock == seconds


@pytest.mark.parametrize(
    "text",
    [
        "1.e4 e5 2.Nf3 Nc6",
        "e4 e5 Nf3 Nc6",
        "\ufeff1. e4 e5 2. Nf3 Nc6 1/2-1/2",
        "1. e4! e5?! $6 2. Nf3!! +/= Nc6 = *",
        "1. e4 {a (strange) comment; with $1 [%eval 0.3]} e5 ; to the end 3. Qxh9\n2. Nf3 Nc6",
        "1. e4 {{} e5 {({)} 2. Nf3 (2. d4 {{}) 2... Nc6",
        "% an escaped line\n1. e4 e5\n% 2. Qh5\n2. Nf3 Nc6",
        "1. e4 (1. d4 d5 (1... Nf6 {)} 2. c4) 2. c4) 1... e5 2. Nf3 (2. nonsense Qxh9) 2... Nc6",
        "1. e2e4 e7-e5 2. Ng1f3 Nb8-c6",
        "1.   e4\r\n e5\r\n\r\n2. Nf3\r\nNc6\r\n",
        "1. e4 1... e5 2. Nf3 2... Nc6",
        "1. e4; none\ne5 +/-; so\n2. Nf3;Qxh9\nNc6 1/2-1/2;",
        "1. e4 e5\n\n2. Nf3 Nc6\n",
        '[Event "x"]\r[Site "y"]\r\r1. e4 e5 ; to the end 3. Qxh9\r2. Nf3 Nc6\r',
        "1. e4 1…e5 2. Nf3 2… Nc6",
        "1… e4 … e5 2.…Nf3 Nc6",
        '; by hand\n[Event "x"]\n; among\n[Site "y"] ; behind\n% escaped\n[Date "z"]\n1. e4 e5 2. Nf3 Nc6',
        '{one}\n[Event "x"] {two [Event "no"]\n[Site "no"]} [Site "y"]\n{three} 1. e4 e5 2. Nf3 Nc6',
        '[Event "x"] 1. e4 e5 2. Nf3 Nc6',
        '[Event "x"][Site"y"]1. e4 e5 2. Nf3 Nc6',
    ],
)
def test_ways_to_write_the_same_game(text: str) -> None:
    assert [move.uci for move in pgn.parse(text).moves] == ["e2e4", "e7e5", "g1f3", "b8c6"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('[Event "x"] [Site "y"]', ("x", "y")),
        ('[Event "x"][Site "y"]', ("x", "y")),
        ('[ Event  "x" ] [\tSite "y"\t]  ', ("x", "y")),
        ('[Event ""] [Site ""]', ("", "")),
        (r'[Event "a \"b\" c"] [Site "\"y\""]', (r"a \"b\" c", r"\"y\"")),
        ('[Event "a "b" c"] [Site ""y""]', ('a "b" c', '"y"')),  # not escaped
        (r'[Event "x\\"] [Site "y\\"]', (r"x\\", r"y\\")),
        ('[Event "C:\\"] [Site "D:\\"]', ("C:\\", "D:\\")),  # not escaped
        (r'[Event "x\"] [Site \"y"]', (r"x\"] [Site \"y", "")),  # all of it escaped: one value
        ('[Event "a [b] "c] d"] [Site "[y]"]', ('a [b] "c] d', "[y]")),
        ('[Event "a "b"] c"] [Site "y"]', ('a "b"] c', "y")),
    ],
)
def test_several_headers_in_one_line(line: str, values: tuple[str, str]) -> None:
    game = pgn.parse(f"{line}\n\n1. e4 e5")
    assert (game.header("Event"), game.header("Site")) == values


@given(
    st.lists(
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\0"))
        | st.text(alphabet='[]"\\{};% AFEN', max_size=30),
        min_size=1,
        max_size=4,
    )
)
def test_escaped_values_are_read_as_they_are(values: list[str]) -> None:
    escaped = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    line = "".join(f'[A{place} "{value}"]' for place, value in enumerate(escaped))
    game = pgn.parse(f"{line}\n\n1. e4")
    assert [value for _, value in game.headers] == escaped


@pytest.mark.parametrize("between", [" ", "", "\t", " ; no end of it\n", " {a comment} "])
def test_a_position_is_not_lost_behind_another_header(between: str) -> None:
    fen = "4k3/8/8/8/8/8/4q3/K7 b - - 5 40"
    assert pgn.parse(f'[Event "x"]{between}[FEN "{fen}"]\n\n40... Kd7').start_fen == fen


@pytest.mark.parametrize(
    ("written", "moves"),
    [
        ("1. e4 c5 2. e5 d5 3. exd6e.p. exd6", "e5d6 e7d6"),
        ("1. e4 c5 2. e5 d5 3. exd6 e.p. exd6", "e5d6 e7d6"),
        ("1. e4 c5 2. e5 d5 3. e5xd6e.p.! exd6", "e5d6 e7d6"),
        ("1. e4 c5 2. e5 d5 3. Ne2 Nc6", "g1e2 b8c6"),
        ("1. e4 c5 2. e5 d5 3.Be2 e6", "f1e2 e7e6"),
    ],
)
def test_en_passant_may_be_said(written: str, moves: str) -> None:
    assert [move.uci for move in pgn.parse(written).moves[4:]] == moves.split()


def test_a_draw_in_one_character_each() -> None:
    assert pgn.parse("1. e4 e5 ½-½").result == "1/2-1/2"


def test_a_position_with_black_to_move() -> None:
    game = pgn.parse(with_fen("4k3/8/8/8/8/8/4q3/K7 b - - 5 40", "40... Kd7 41. Kb1 *"))
    assert [move.white for move in game.moves] == [False, True]
    assert game.boards[0].fullmove_number == 40
    assert game.start_fen == "4k3/8/8/8/8/8/4q3/K7 b - - 5 40"


# Of lichess and chess.com, as their PGNs and their APIs spell them.
@pytest.mark.parametrize(
    "variant",
    [
        *("Antichess", "Atomic", "Crazyhouse", "Horde", "King of the Hill", "Racing Kings", "Three-check"),
        *("antichess", "atomic", "crazyhouse", "horde", "kingOfTheHill", "racingKings", "threeCheck"),
        *(
            "Bughouse",
            "bughouse",
            "crazyhouse",
            "kingofthehill",
            "threecheck",
            "3 Check",
            "Giveaway",
            "Duck Chess",
        ),
    ],
)
def test_variants_that_the_engine_does_not_play(variant: str) -> None:
    error = failure(f'[Variant "{variant}"]\n\n1. e4 e5')
    assert error.reason is Reason.UNSUPPORTED_VARIANT
    assert variant in error.message


@pytest.mark.parametrize("variant", ["", "Standard", "standard", "Chess", "From Position", "fromPosition"])
def test_names_of_standard_chess(variant: str) -> None:
    assert not pgn.parse(f'[Variant "{variant}"]\n\n1. e4 e5').chess960


@pytest.mark.parametrize("variant", ["Chess960", "chess960", "chess 960", "Fischerandom", "Freestyle Chess"])
def test_chess960_castles_onto_the_rook(variant: str) -> None:
    fen = "bqnrkrnb/pppppppp/8/8/8/8/PPPPPPPP/BQNRKRNB w KQkq - 0 1"
    game = pgn.parse(with_fen(fen, "1. Nf3 Nf6 2. O-O O-O", variant))
    assert game.chess960
    assert [move.uci for move in game.moves][2:] == ["e1f1", "e8f8"]
    assert game.boards[-1].piece_at(chess.G1) == chess.Piece.from_symbol("K")


def test_chess960_is_seen_without_its_header() -> None:
    fen = "bqnrkrnb/pppppppp/8/8/8/8/PPPPPPPP/BQNRKRNB w KQkq - 0 1"
    assert pgn.parse(with_fen(fen, "1. Nf3")).chess960


def test_ordinary_castling_is_the_kings_move() -> None:
    game = pgn.parse("1. Nf3 Nf6 2. g3 g6 3. Bg2 Bg7 4. O-O 0-0")
    assert [move.uci for move in game.moves][-2:] == ["e1g1", "e8g8"]
    assert game.moves[-1].san == "O-O"


def test_forced_moves_are_marked() -> None:
    game = pgn.parse(with_fen("7k/5Q2/8/8/8/8/8/K7 b - - 0 1".replace("Q", "R"), "1... Kg8 2. Ra7 Kf8"))
    assert [move.forced for move in game.moves] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        (with_fen("k7/8/1K6/8/8/8/8/2Q5 w - - 0 1", "1. Qc7"), True),  # stalemate
        (with_fen("k7/8/8/8/8/8/8/Kr6 w - - 0 1", "1. Kxb1"), True),  # bare kings
        ("1. Nf3 Nf6 2. Ng1 Ng8 3. Nf3 Nf6 4. Ng1 Ng8", True),  # third occurrence
        ("1. Nf3 Nf6 2. Ng1 Ng8 3. Nf3 Nf6 4. Ng1", False),
        (with_fen("k7/8/8/8/8/8/1R6/K7 w - - 99 90", "90. Rc2"), True),  # fifty moves
        (with_fen("k7/8/1K6/8/8/8/8/2R5 w - - 99 90", "90. Rc8#"), False),  # mate comes first
    ],
)
def test_draws_by_rule_at_the_end(text: str, drawn: bool) -> None:
    assert pgn.parse(text).drawn_at_end is drawn


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        ("", Reason.EMPTY_GAME, "no moves"),
        ('[White "x"]\n\n1-0', Reason.EMPTY_GAME, "no moves"),
        ("1. e4 e5 2. Ke3", Reason.ILLEGAL_MOVE, "half-move 3, 2.Ke3: not legal in rnbq"),
        ("1. e4 e5 2. Nf3 Nc6 3. Nxd5", Reason.ILLEGAL_MOVE, "half-move 5, 3.Nxd5"),
        ("1. -- e5", Reason.ILLEGAL_MOVE, "null move"),
        ("1. Z0 e5", Reason.ILLEGAL_MOVE, "null move"),
        ("1. Nf3 d5 2. d3 c5 3. Nd2 e5 4. h3 e4 5. Nxe4", Reason.ILLEGAL_MOVE, "several pieces"),
        ("1. e4 Qxh9", Reason.INVALID_PGN, "1...Qxh9: cannot be read as a move"),
        ("1. e4 e5 <html>", Reason.INVALID_PGN, "'<html>' cannot be read after half-move 2 (e5)"),
        ("1. e4\0 e5", Reason.INVALID_PGN, "NUL byte at position 5"),
        ("1. e4 {no end", Reason.INVALID_PGN, "comment is not closed after half-move 1"),
        ("1. e4 (1. d4 {no end", Reason.INVALID_PGN, "comment is not closed"),
        ("1. e4 (1. d4", Reason.INVALID_PGN, "variation is not closed"),
        ("1. e4 ) e5", Reason.INVALID_PGN, "without its ("),
        ("1. e4 1-0 [Event \"two\"]", Reason.INVALID_PGN, "one game at a time"),
        ('1. e4 e5\n\n[Event "two"]\n\n1. d4', Reason.INVALID_PGN, "one game at a time"),
        ("1. e4 1-0 1. d4", Reason.INVALID_PGN, "one game at a time"),
        ('[A "x"] y [FEN "z"]\n\n1. e4', Reason.INVALID_PGN, "header line 1 cannot be read"),
        ('[A "x"]\n[B "x"] [FEN \'z\']\n\n1. e4', Reason.INVALID_PGN, "header line 2 cannot be read: \"[FEN"),
        ('[A "x"] {no end\n\n1. e4', Reason.INVALID_PGN, "not closed before the first move"),
        ('[White "x]\n\n1. e4', Reason.INVALID_PGN, "header line 1 cannot be read"),
        (with_fen("8/8/8/8/8/8/8/8 w - - 0 1", "1. e4"), Reason.INVALID_PGN, "no white king"),
        (with_fen("nonsense", "1. e4"), Reason.INVALID_PGN, "FEN header"),
        (with_fen("kK6/8/8/8/8/8/8/8 w - - 0 1", "1. Kc8"), Reason.INVALID_PGN, "no legal position"),
        (with_fen("kr6/8/8/8/8/8/8/K7 w - - 10000 1", "1. Ka2"), Reason.INVALID_PGN, "is beyond 9,999"),
        (with_fen(f"kr6/8/8/8/8/8/8/K7 w - - 0 {'9' * 4000}", "1. Ka2"), Reason.INVALID_PGN, "is beyond"),
        (with_fen(f"kr6/8/8/8/8/8/8/K7 w - - 0 {'9' * 5000}", "1. Ka2"), Reason.INVALID_PGN, "invalid full"),
        ('[Variant "Crazyhouse"]\n\n1. e4', Reason.UNSUPPORTED_VARIANT, "'Crazyhouse'"),
        ('[Variant "King of the Hill"]\n\n1. e4', Reason.UNSUPPORTED_VARIANT, "chess960"),
        ("1. e4 d5 2. exd5 Qxd5 3. P@c4", Reason.UNSUPPORTED_VARIANT, "3.P@c4: a piece is dropped"),
        ("1. e4 d5 2. exd5 @d6", Reason.UNSUPPORTED_VARIANT, "bughouse"),
        ("1. e4 {" + "x" * pgn.MAX_BYTES + "}", Reason.TOO_LARGE, "at most 262,144"),
        ("1. Nf3 Nf6 2. Ng1 Ng8 " * 601, Reason.TOO_LARGE, "2,404 half-moves"),
    ],
)  # fmt: skip
def test_what_is_not_taken_says_why_and_where(text: str, reason: Reason, says: str) -> None:
    error = failure(text)
    assert error.reason is reason
    assert says in error.message
    assert len(error.message) < 200


def test_ten_megabytes_are_refused_at_once() -> None:
    started = time.process_time()
    assert failure("1. e4 " * 1_700_000).reason is Reason.TOO_LARGE
    assert time.process_time() - started < 1


def test_a_600_move_game_is_taken() -> None:
    game = pgn.parse("1. Nf3 Nf6 2. Ng1 Ng8 " * 300)
    assert game.plies == 1200


HOSTILE = {
    "deep variations": "1. e4 " + "(1. d4 " * 1000 + ")" * 1000 + " e5",
    "very deep variations": "1. e4 " + "(1. d4 " * 20_000 + ")" * 20_000 + " e5",
    "unclosed variations": "1. e4 " + "(" * 250_000,
    "braces in a variation": "1. e4 (" + "{" * 250_000,
    "signs": "1. e4 (" + "=" * 250_000 + "x)",
    "digits": "1. e4 (" + "1" * 250_000 + "x)",
    "dashes": "1. e4 (" + "-" * 250_000 + "x)",
    "spaces": " " * 250_000 + "1. e4",
    "lines": "\n" * 250_000 + "1. e4",
    "quotes": "[A " + '" ' * 125_000,
    "headers": '[A "b"]\n' * 30_000 + "\n1. e4",
    "headers in a line": '[A "b"]' * 30_000 + "\n1. e4",
    "headers without an end": '[A "b" ' * 35_000,
    "headers with half an end": '[A "b"] c ' * 25_000,
    "ends of headers": '[A "' + '"] x' * 60_000,
    "escaped quotes": '[A "' + '\\"]' * 80_000,
    "names of headers": "[A " * 80_000,
    "one long name": '[A ""] [' + "A" * 250_000,
    "spaces in a header": '[A "' + '"  ' * 80_000 + "]",
    "comments among headers": '{x} [A "b"] ; c\n' * 15_000 + "1. e4",
    "lone escapes": "%" * 250_000,
    "es": "1. e4 (" + "e" * 250_000,
    "e.p.s": "1. e4 (" + "e.p." * 60_000,
    "dots": "1. e4 " + "." * 250_000,
    "stars": "1. e4 (" + "*" * 250_000 + ")",
    "line comments": "1. e4 " + ";\n" * 120_000,
    "comments": "1. e4 " + "{}" * 120_000,
    "nags": "1. e4 " + "$1" * 120_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_take_no_time(text: str) -> None:
    """Every one is read in milliseconds; quadratic reading would take minutes."""
    started = time.process_time()
    try:
        assert pgn.parse(text).plies <= 2
    except UnplayableGame as error:
        assert error.reason in (Reason.INVALID_PGN, Reason.EMPTY_GAME)  # noqa: PT017  either way is right
    assert time.process_time() - started < 2


def random_game(seed: int) -> tuple[chess.Board, list[chess.Move]]:
    chooser = random.Random(seed)
    board = chess.Board.from_chess960_pos(chooser.randrange(960)) if seed % 3 == 0 else chess.Board()
    moves = []
    after = board.copy()
    for _ in range(chooser.randrange(1, 80)):
        legal = list(after.legal_moves)
        if not legal:
            break
        moves.append(chooser.choice(legal))
        after.push(moves[-1])
    return board, moves


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**9))
def test_any_legal_game_is_read_as_it_was_played(seed: int) -> None:
    board, moves = random_game(seed)
    text = with_fen(board.fen(), board.variation_san(moves), "Chess960" if board.chess960 else "")
    game = pgn.parse(text)
    assert [
        before.parse_uci(move.uci) for before, move in zip(game.boards, game.moves, strict=False)
    ] == moves
    assert_consistent(game)


def assert_consistent(game: ParsedGame) -> None:
    for before, move, after in zip(game.boards, game.moves, game.boards[1:], strict=False):
        played = before.parse_uci(move.uci)
        assert before.san(played) == move.san
        assert move.forced == (before.legal_moves.count() == 1)
        replay = before.copy()
        replay.push(played)
        assert replay.fen() == after.fen()


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=300) | st.text(alphabet='[]"{}();$.-=+1234 efgNQRx#O*/\n', max_size=300))
def test_any_text_is_a_game_or_a_typed_failure(text: str) -> None:
    try:
        assert_consistent(pgn.parse(text))
    except UnplayableGame as error:
        assert error.message  # noqa: PT017  either way is right
