"""The moves of an analyzed game as lines, and as points of the evaluation graph. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import chess.pgn
from rich.text import Text

from orchestrator.cli.graph import Point
from orchestrator.cli.grid import Column, Grid
from orchestrator.cli.themes import ERRORS, themes_text
from orchestrator.cli.words import clean, percent, score_text
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2

_SAN_WIDTH = 9  # "Qa1xb2+??" is as long as moves get, bar freaks such as "Qa1xb2#"
_TIME_WIDTH = 8  # "  120:00"

# The signs of annotated games (their NAGs are $6, $2, $4, $3, $1) and how they look.
SIGNS: Mapping[int, tuple[str, str]] = {
    analysis_pb2.JUDGEMENT_INACCURACY: ("?!", "cyan"),
    analysis_pb2.JUDGEMENT_MISTAKE: ("?", "yellow"),
    analysis_pb2.JUDGEMENT_BLUNDER: ("??", "bright_red"),
    analysis_pb2.JUDGEMENT_BRILLIANT: ("!!", "bright_green"),
    analysis_pb2.JUDGEMENT_GREAT: ("!", "green"),
}
VERDICT_WORDS: Mapping[int, str] = {
    analysis_pb2.JUDGEMENT_INACCURACY: "inaccuracy",
    analysis_pb2.JUDGEMENT_MISTAKE: "mistake",
    analysis_pb2.JUDGEMENT_BLUNDER: "blunder",
    analysis_pb2.JUDGEMENT_BRILLIANT: "brilliant",
    analysis_pb2.JUDGEMENT_GREAT: "great",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose move it is and its number, as the position before it says: a game may start with Black."""

    number: int
    white: bool

    def __str__(self) -> str:
        return f"{self.number}." if self.white else f"{self.number}…"


def turn_of(move: analysis_pb2.MoveAnalysis) -> Turn:
    """From the FEN before the move; by counting plies where there is none."""
    fields = move.fen_before.split()
    if len(fields) >= 6 and fields[5].isdecimal():
        return Turn(int(fields[5]), fields[1] == "w")
    return Turn((move.ply + 1) // 2, move.ply % 2 == 1)


def graph_points(analysis: analysis_pb2.GameAnalysis) -> list[Point]:
    points = []
    for move in analysis.moves:
        turn = turn_of(move)
        percent_after = move.win_percent_after if turn.white else 100 - move.win_percent_after
        points.append(Point(percent_after, turn.number, turn.white, move.judgement))
    return points


def sides_grid(game: sync_pb2.GameSummary) -> Grid:
    """Accuracy, average centipawn loss and verdicts of each side."""
    grid = Grid(
        [
            Column(""),
            Column("accuracy", right=True),
            Column("average loss", right=True),
            Column("inaccuracies", right=True),
            Column("mistakes", right=True),
            Column("blunders", right=True),
        ]
    )
    for name, color, side in (
        ("White", sync_pb2.COLOR_WHITE, game.white_summary),
        ("Black", sync_pb2.COLOR_BLACK, game.black_summary),
    ):
        grid.add(
            Text(name, style="bold" if game.user_color == color else ""),
            f"{percent(side.accuracy)} %",
            f"{side.average_centipawn_loss:.0f} cp",
            str(side.inaccuracy_count),
            str(side.mistake_count),
            str(side.blunder_count),
        )
    return grid


def move_lines(game: sync_pb2.GameDetail) -> Iterator[Text]:
    """One line a full move, and under it a remark for each error, and for what a great move does.

    12. Nf3         +0.34    0:07   Qxb2??      +3.10    1:12
        12… Qxb2 blunder, win chance 48 → 22 %, best was Nc6 (+0.40): trapped piece

    The times are what the moves took, where the game's clocks say it.
    """
    moves = list(game.analysis.moves)
    times = _times(game.analysis.annotated_pgn)
    blank = f"{'…':<{_SAN_WIDTH}} {'':>7}{'':>{_TIME_WIDTH if times else 0}}   "
    index = 0
    while index < len(moves):
        turn = turn_of(moves[index])
        pair = moves[index : index + (2 if turn.white else 1)]
        index += len(pair)
        line = Text.assemble((f"{turn.number:>4}. ", "dim"))
        if not turn.white:
            line.append(blank)
        for position, move in enumerate(pair):
            line.append("   " if position else "")
            line.append_text(_move(move))
            if times:
                line.append(f"{times.get(move.ply, ''):>{_TIME_WIDTH}}", "dim")
        line.rstrip()
        yield line
        for move in pair:
            yield from _remarks(move)


def _times(annotated_pgn: str) -> dict[int, str]:
    """What each move took, by ply, as the analyzer wrote it into the PGN ([%emt]); minutes and seconds."""
    game = chess.pgn.read_game(io.StringIO(annotated_pgn))
    spent = [] if game is None else [node.emt() for node in game.mainline()]
    return {
        ply: f"{int(seconds) // 60}:{int(seconds) % 60:02}"
        for ply, seconds in enumerate(spent, start=1)
        if seconds is not None
    }


def _move(move: analysis_pb2.MoveAnalysis) -> Text:
    sign, style = SIGNS.get(move.judgement, ("", ""))
    san = f"{clean(move.san)}{sign}"
    return Text.assemble(
        (f"{san:<{_SAN_WIDTH}}", f"bold {style}" if style else ""),
        (f" {score_text(move.score_after):>7}", "dim"),
    )


def _remarks(move: analysis_pb2.MoveAnalysis) -> Iterator[Text]:
    word, themes = VERDICT_WORDS.get(move.judgement), themes_text(move)
    only_move = move.HasField("second_score")
    if word is None or (move.judgement not in ERRORS and not themes and not only_move):
        return
    text = Text.assemble(f"{' ' * 6}{turn_of(move)} {clean(move.san)} ", (word, SIGNS[move.judgement][1]))
    if move.judgement in ERRORS:
        text.append(f", win chance {move.win_percent_before:.0f} → {move.win_percent_after:.0f} %")
        if move.best_san and move.best_uci != move.uci:
            text.append(f", best was {clean(move.best_san)} ({score_text(move.score_before)})")
    elif only_move:
        text.append(f", the next best was {score_text(move.second_score)}")
    if themes:
        text.append(": ").append(themes, "cyan")
    yield text
