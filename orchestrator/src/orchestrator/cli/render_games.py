"""Analyzed games as rows, lines and headings. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from orchestrator.cli.grid import Column, Grid
from orchestrator.cli.render import short_ids
from orchestrator.cli.words import (
    NOTHING,
    clean,
    count,
    opening_text,
    percent,
    platform_word,
    result_text,
    time_class_word,
    time_text,
)
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2


def finished_game(game: sync_pb2.GameFinished) -> Text:
    """One line for a game that has just ended: players, result, the user's accuracy and blunders."""
    players = f"{clean(game.white) or '?'} – {clean(game.black) or '?'}"
    if game.error:
        where = f" ({clean(game.game_url)})" if game.game_url else ""
        return Text.assemble(("✗ ", "red"), f"{players}{where}: {clean(game.error)}")
    return Text.assemble(
        ("✓ ", "green"),
        f"{players:<34} {result_text(game.result):<4}",
        f" accuracy {percent(game.user_accuracy):>5}  ",
        (count(game.blunder_count, "blunder"), "red" if game.blunder_count else "dim"),
    )


def games_grid(games: Sequence[sync_pb2.GameSummary], *, whole_ids: bool) -> Grid:
    """One row a game; the user's side is bold. `whole_ids` for programs, the first characters for people."""
    grid = Grid(
        [
            Column("game"),
            Column("white", shrinks=2, least=10),
            Column("elo", right=True, shrinks=1, least=0),
            Column("black", shrinks=2, least=10),
            Column("elo", right=True, shrinks=1, least=0),
            Column("result"),
            Column("accuracy", right=True),
            Column("blunders", right=True),
            Column("opening", shrinks=1, least=7),
        ]
    )
    ids = [game.id for game in games]
    for game, shown in zip(games, ids if whole_ids else short_ids(ids), strict=True):
        yours = game.user_color
        white, black = game.white_summary, game.black_summary
        grid.add(
            Text(shown, style="cyan"),
            _player(game.white, 0, yours == sync_pb2.COLOR_WHITE),
            str(game.white_rating or NOTHING),
            _player(game.black, 0, yours == sync_pb2.COLOR_BLACK),
            str(game.black_rating or NOTHING),
            result_text(game.result),
            _pair(
                _accuracy(game.HasField("white_summary"), white),
                _accuracy(game.HasField("black_summary"), black),
                yours,
                width=len("100.0"),
            ),
            _pair(str(white.blunder_count), str(black.blunder_count), yours, width=2),
            opening_text(game.opening),
        )
    return grid


def _player(name: str, rating: int, user: bool) -> Text:
    return Text(
        f"{clean(name) or '?'} {rating}" if rating else clean(name) or "?", style="bold" if user else ""
    )


def _accuracy(known: bool, side: analysis_pb2.SideSummary) -> str:
    return percent(side.accuracy) if known else NOTHING


def _pair(white: str, black: str, yours: int, width: int) -> Text:
    """White's and Black's figure, the user's own in bold: " 93.1  87.5"."""
    return Text.assemble(
        (f"{white:>{width}}", "bold" if yours == sync_pb2.COLOR_WHITE else ""),
        " ",
        (f"{black:>{width}}", "bold" if yours == sync_pb2.COLOR_BLACK else ""),
    )


def game_heading(game: sync_pb2.GameSummary) -> list[Text]:
    """Players, result, when and where, opening, and the game's own address."""
    players = Text.assemble(
        _player(game.white, game.white_rating, game.user_color == sync_pb2.COLOR_WHITE),
        " – ",
        _player(game.black, game.black_rating, game.user_color == sync_pb2.COLOR_BLACK),
        f"   {result_text(game.result)}",
    )
    facts = [
        time_class_word(game.time_class),
        clean(game.time_control),
        time_text(game.play_time),
        platform_word(game.platform),
    ]
    return [
        players,
        Text(", ".join(fact for fact in facts if fact and fact != NOTHING), style="dim"),
        *([Text(opening_text(game.opening))] if game.HasField("opening") else []),
        *([Text(clean(game.game_url), style="dim")] if game.game_url else []),
    ]
