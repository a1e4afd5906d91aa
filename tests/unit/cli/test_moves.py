"""A game's moves as lines."""

from __future__ import annotations

from orchestrator.cli.moves import Turn, graph_points, move_lines, sides_grid, turn_of
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
AFTER_E4 = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1"


def cp(value: int) -> analysis_pb2.Score:
    return analysis_pb2.Score(centipawns=value)


def move(
    ply: int,
    san: str,
    fen: str,
    before: analysis_pb2.Score,
    after: analysis_pb2.Score,
    best: str = "",
    judgement: analysis_pb2.Judgement.ValueType = analysis_pb2.JUDGEMENT_UNSPECIFIED,
    chance: tuple[float, float] = (50, 50),
) -> analysis_pb2.MoveAnalysis:
    return analysis_pb2.MoveAnalysis(
        ply=ply,
        san=san,
        uci=f"uci-{san}",
        fen_before=fen,
        score_before=before,
        score_after=after,
        best_san=best or san,
        best_uci=f"uci-{best or san}",
        win_percent_before=chance[0],
        win_percent_after=chance[1],
        judgement=judgement,
    )


def detail(*moves: analysis_pb2.MoveAnalysis, **more: object) -> sync_pb2.GameDetail:
    return sync_pb2.GameDetail(analysis=analysis_pb2.GameAnalysis(moves=moves), **more)  # type: ignore[arg-type]  # keywords of the message


def plain(game: sync_pb2.GameDetail) -> list[str]:
    return [line.plain for line in move_lines(game)]


def test_a_line_a_move_and_a_remark_for_each_judged_one() -> None:
    game = detail(
        move(1, "e4", START, cp(30), cp(28)),
        move(2, "g5", AFTER_E4, cp(28), cp(180), "e5", analysis_pb2.JUDGEMENT_MISTAKE, (47.4, 34.0)),
        move(3, "Nc3", START.replace(" 0 1", " 0 2"), cp(180), cp(150)),
    )
    assert plain(game) == [
        "   1. e4          +0.28   g5?         +1.80",
        "      1… g5 mistake, win chance 47 → 34 %, best was e5 (+0.28)",
        "   2. Nc3         +1.50",
    ]


def test_a_game_that_starts_with_black_says_so() -> None:
    fen = "4k3/8/8/8/8/8/8/R3K3 b - - 0 40"
    game = detail(
        move(1, "Kd7", fen, cp(500), cp(510)),
        move(2, "Ra7+", "8/3k4/8/8/8/8/8/R3K3 w - - 1 41", cp(510), analysis_pb2.Score(mate_in=9)),
    )
    assert plain(game) == [
        "  40. …                   Kd7         +5.10",
        "  41. Ra7+           #9",
    ]


def test_all_signs_stand_at_their_moves() -> None:
    signs = []
    for judgement in analysis_pb2.Judgement.values():
        game = detail(move(1, "e4", START, cp(0), cp(0), judgement=judgement))
        signs.append(plain(game)[0].split()[1])
    assert signs == ["e4", "e4?!", "e4?", "e4??", "e4!!", "e4!", "e4"]


def test_no_better_move_is_named_where_the_best_was_played() -> None:
    game = detail(move(1, "e4", START, cp(0), cp(0), judgement=analysis_pb2.JUDGEMENT_BLUNDER))
    assert "best was" not in plain(game)[1]


def test_what_happened_on_the_board_ends_the_remark() -> None:
    blunder = move(1, "f3", START, cp(30), cp(-90), "e4", analysis_pb2.JUDGEMENT_BLUNDER, (52, 20))
    great = move(2, "e5", AFTER_E4, cp(28), cp(30), judgement=analysis_pb2.JUDGEMENT_GREAT)
    assert len(plain(detail(blunder, great))) == 2
    blunder.themes[:], great.themes[:] = ["fork"], ["parried_threat"]
    assert plain(detail(blunder, great))[1:] == [
        "      1. f3 blunder, win chance 52 → 20 %, best was e4 (+0.30): allowed fork",
        "      1… e5 great: parried threat",
    ]


def test_the_time_that_moves_took_where_the_pgn_says() -> None:
    game = detail(
        move(1, "e4", START, cp(30), cp(28)),
        move(2, "e5", AFTER_E4, cp(28), cp(30)),
        move(3, "Nf3", START.replace(" 0 1", " 0 2"), cp(30), cp(30)),
    )
    game.analysis.annotated_pgn = (
        "1. e4 { [%clk 0:09:56] [%emt 0:00:04] } e5 { [%emt 0:01:03.9] } 2. Nf3 { good } *"
    )
    assert plain(game) == [
        "   1. e4          +0.28    0:04   e5          +0.30    1:03",
        "   2. Nf3         +0.30",
    ]


def test_the_time_of_a_game_that_starts_with_black() -> None:
    fen = "4k3/8/8/8/8/8/8/R3K3 b - - 0 40"
    game = detail(
        move(1, "Kd7", fen, cp(500), cp(510)),
        move(2, "Ra7+", "8/3k4/8/8/8/8/8/R3K3 w - - 1 41", cp(510), cp(600)),
    )
    game.analysis.annotated_pgn = f'[FEN "{fen}"]\n\n40... Kd7 {{ [%emt 0:00:09] }} 41. Ra7+ *'
    assert plain(game) == [
        "  40. …                           Kd7         +5.10    0:09",
        "  41. Ra7+        +6.00",
    ]


def test_a_great_move_says_what_else_there_was() -> None:
    great = move(1, "e4", START, cp(30), cp(28), judgement=analysis_pb2.JUDGEMENT_GREAT)
    great.second_score.centipawns = -250
    assert plain(detail(great))[1] == "      1. e4 great, the next best was -2.50"


def test_moves_from_a_pgn_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in "".join(plain(detail(move(1, "\x1b[2Je4", START, cp(0), cp(0)))))


def test_turns_come_from_the_position_else_from_the_count() -> None:
    assert turn_of(analysis_pb2.MoveAnalysis(ply=1, fen_before=AFTER_E4)) == Turn(1, white=False)
    assert turn_of(analysis_pb2.MoveAnalysis(ply=3)) == Turn(2, white=True)
    assert turn_of(analysis_pb2.MoveAnalysis(ply=4)) == Turn(2, white=False)


def test_the_graph_sees_everything_from_whites_side() -> None:
    game = detail(
        move(1, "e4", START, cp(0), cp(0), chance=(50, 60)),
        move(2, "g5", AFTER_E4, cp(0), cp(0), "e5", analysis_pb2.JUDGEMENT_BLUNDER, chance=(40, 10)),
    )
    first, second = graph_points(game.analysis)
    assert (first.white_percent, first.move_number, first.white_moved) == (60, 1, True)
    assert (second.white_percent, second.move_number, second.white_moved) == (90, 1, False)
    assert second.judgement == analysis_pb2.JUDGEMENT_BLUNDER


def test_each_side_has_its_figures() -> None:
    game = sync_pb2.GameSummary(
        white_summary=analysis_pb2.SideSummary(
            accuracy=91.44, average_centipawn_loss=23.6, inaccuracy_count=1, mistake_count=2, blunder_count=3
        ),
        black_summary=analysis_pb2.SideSummary(accuracy=100),
    )
    assert list(sides_grid(game).to_lines())[1:] == [
        "White    91.4 %         24 cp             1         2         3",
        "Black   100.0 %          0 cp             0         0         0",
    ]
