"""The moments of a game: the board, beside it the move, the better one, and what there is to learn. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from rich.text import Text

from orchestrator.cli import board
from orchestrator.cli.moves import SIGNS, VERDICT_WORDS, turn_of
from orchestrator.cli.themes import ERRORS, PRAISES, themes_text
from orchestrator.cli.words import clean
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2

_GAP = 3  # cells between the board and the text
_NARROW = 24  # cells of text that are readable: a terminal with less room breaks the lines
_LINE_PLIES = 5  # of the better line


def moment_lines(
    game: sync_pb2.GameDetail, *, width: int, why: Mapping[int, Sequence[str]] | None = None
) -> Iterator[Text]:
    """Every moment in the order of the game, a blank line before each; none where there are no moments.

    `why`: the reasons for each moment, by ply.
    """
    moves = {move.ply: move for move in game.analysis.moves}
    white_below = game.summary.user_color != sync_pb2.COLOR_BLACK
    for moment in game.moments:
        move = moves.get(moment.ply) or _of_moment(moment)
        yield Text()
        drawn = board.board_lines(
            moment.fen_before, white_below=white_below, marked=(move.uci[:2], move.uci[2:4])
        )
        room = max(_NARROW, width - board.WIDTH - _GAP)
        told = chain(_told(moment, move, room), _reasons((why or {}).get(moment.ply, ()), room))
        for left, right in zip_longest(drawn, told):
            line = Text() if left is None else left.copy()
            if right is not None and right.plain:
                line.pad_right(board.WIDTH + _GAP - line.cell_len)
                line.append_text(right)
            yield line


def _of_moment(moment: sync_pb2.Moment) -> analysis_pb2.MoveAnalysis:
    """What a moment knows of its move, where the analysis does not have it."""
    return analysis_pb2.MoveAnalysis(
        ply=moment.ply,
        san=moment.move_san,
        best_san=moment.best_san,
        fen_before=moment.fen_before,
        judgement=moment.judgement,
        themes=moment.themes,
    )


def _told(moment: sync_pb2.Moment, move: analysis_pb2.MoveAnalysis, width: int) -> Iterator[Text]:
    sign, style = SIGNS.get(move.judgement, ("", ""))
    verdict = VERDICT_WORDS.get(move.judgement, "")
    yield Text.assemble(
        (f"{turn_of(move)} {clean(move.san)}{sign}", f"bold {style}"), (f"  {verdict}", style)
    )
    yield from _wrapped(_cost(moment, move), width, "dim")
    if moment.best_san and moment.best_san != moment.move_san:
        better = "better" if move.judgement in ERRORS else "best"
        yield from _wrapped(f"{better}: {_better(move)}", width, "green")
    yield from _wrapped(themes_text(move), width, "cyan")
    if moment.explanation:
        yield Text()
        yield from _wrapped(clean(moment.explanation), width, "")
        yield from _wrapped(f"({clean(moment.explained_by)})" if moment.explained_by else "", width, "dim")


def _reasons(why: Sequence[str], width: int) -> Iterator[Text]:
    if why:
        yield Text()
        yield Text("why:", style="dim")
    for reason in why:
        for line in textwrap.wrap(clean(reason), width, initial_indent="- ", subsequent_indent="  "):
            yield Text(line, style="dim")


def _cost(moment: sync_pb2.Moment, move: analysis_pb2.MoveAnalysis) -> str:
    if round(moment.win_percent_lost) <= 0 or move.judgement in PRAISES:
        return ""  # what a praised move seems to cost is the search's second thought
    if move.win_percent_before or move.win_percent_after:
        return f"win chance {move.win_percent_before:.0f} → {move.win_percent_after:.0f} %"
    return f"{moment.win_percent_lost:.0f} % of win chance lost"


def _better(move: analysis_pb2.MoveAnalysis) -> str:
    """The better line; only its first move where the line cannot be read."""
    line = board.line_text(move.fen_before, move.best_line_uci, _LINE_PLIES)
    return line or f"{turn_of(move)} {clean(move.best_san)}"


def _wrapped(text: str, width: int, style: str) -> Iterator[Text]:
    for line in textwrap.wrap(text, width):
        yield Text(line, style=style)
