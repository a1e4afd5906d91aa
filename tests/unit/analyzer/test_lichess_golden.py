"""Our verdicts and figures on games that lichess published with its own: same scores, same result."""

from __future__ import annotations

import pytest

from analyzer import pgn
from analyzer.accuracy import INITIAL, game_figures
from analyzer.phases import divide
from analyzer.scores import Score
from analyzer.verdicts import Judgement, judge
from tests.support.lichess_annotated import (
    BLACK_FIRST,
    CRAZYHOUSE,
    PUBLISHED,
    ROSSOLIMO,
    TARRASCH,
    Published,
    annotated,
)

GAMES = {
    "rossolimo": annotated(ROSSOLIMO),
    "tarrasch": annotated(TARRASCH),
    "black first": annotated(BLACK_FIRST),
    "crazyhouse": annotated(CRAZYHOUSE),
    **{game_id: game.analysis for game_id, game in PUBLISHED.items()},
}
# The plies of moves that seem to lose enough, and have no verdict since they are the engine's first choice.
FIRST_CHOICES = {"tarrasch": {100, 103, 106}, "crazyhouse": {4, 5, 6, 11, 12, 18}}


@pytest.mark.parametrize("name", GAMES)
def test_every_move_is_judged_as_on_lichess(name: str) -> None:
    before: Score = INITIAL
    differ = []
    for index, (san, theirs, after) in enumerate(GAMES[name]):
        white = (index % 2 == 0) == (name != "black first")
        first_choice = index + 1 in FIRST_CHOICES.get(name, ())
        ours = judge(before, after, white=white, first_choice=first_choice)
        if ours is not theirs:
            differ.append((index + 1, san, ours, theirs))
        before = after
    assert differ == []


def test_the_games_are_whole() -> None:
    """And hold verdicts of every kind, scores beyond ±1000 and mates among them."""
    assert {name: len(game) for name, game in GAMES.items()} == {
        "rossolimo": 97,
        "tarrasch": 139,
        "black first": 73,
        "crazyhouse": 35,
        "q7ZvsdUF": 125,
        "3zfAoBZs": 31,
    }
    verdicts = [verdict for game in GAMES.values() for _, verdict, _ in game]
    assert sum(verdict is not Judgement.NONE for verdict in verdicts) == 70


@pytest.mark.parametrize("game", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_the_figures_are_those_that_lichess_shows(game: Published) -> None:
    """lichess rounds them to whole numbers."""
    white, black = game_figures([score for _, _, score in game.analysis], white_first=True)
    assert white is not None
    assert black is not None
    assert (round(white.average_centipawn_loss), round(black.average_centipawn_loss)) == game.loss
    if game.accuracy is not None:
        assert (round(white.accuracy), round(black.accuracy)) == game.accuracy
    counts = [
        tuple(
            sum(verdict is wanted for _, verdict, _ in game.analysis[first::2])
            for wanted in (Judgement.INACCURACY, Judgement.MISTAKE, Judgement.BLUNDER)
        )
        for first in (0, 1)
    ]
    assert tuple(counts) == game.counts
    if game.division is not None:
        assert divide(pgn.parse(game.moves).boards) == game.division
