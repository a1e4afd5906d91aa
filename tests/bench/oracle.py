"""What the best choice of positions could buy: a preset's search, told which of its verdicts are wrong.

A move is looked at again exactly where its verdict is not yet the reference's, at the preset's price. No
policy knows that, so with the same passes hardly one does better.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from unittest.mock import patch

from analyzer.engine.lane import EngineLane
from analyzer.evaluation import Evaluation
from analyzer.search import game as search
from analyzer.search.budget import Pass, Preset, plan
from tests.bench.agreement import Judged
from tests.bench.reference import ReferenceGame
from tests.bench.ways import Run, longest_first, on_lanes
from tests.support.searching import find_stockfish, search_game


async def told(games: Sequence[ReferenceGame], preset: Preset, workers: int) -> Run:
    """In this process; its `core_seconds` are not measured."""
    by_moves = {tuple(move.uci for move in game.game.moves): game for game in games}

    def wrong(
        step: Pass, evaluations: Sequence[Evaluation], played: Sequence[str], *, white_first: bool
    ) -> set[int]:
        game = by_moves[tuple(played)]
        assert game.game.moves[0].white == white_first
        wanted: set[int] = set()
        for index, (found, true) in enumerate(zip(_judged(game, evaluations), game.reference, strict=True)):
            spent = evaluations[index].nodes + evaluations[index + 1].nodes
            if found.label is not true.label and step.price * spent / 1000 <= 1:
                wanted.update((index, index + 1))
        return wanted

    runs: dict[int, search.SearchedGame] = {}

    async def one(lane: EngineLane, index: int) -> None:
        runs[index] = await search_game(lane, games[index].game, plan(preset), {})

    began = time.monotonic()
    with patch.object(search, "to_deepen", wrong):
        await on_lanes(find_stockfish(), workers, longest_first(games), one)
    return Run(
        tuple(_judged(game, runs[index].evaluations) for index, game in enumerate(games)),
        sum(run.nodes for run in runs.values()),
        time.monotonic() - began,
        core_seconds=0.0,
        second_nodes=sum(run.second_nodes for run in runs.values()),
    )


def _judged(game: ReferenceGame, evaluations: Sequence[Evaluation]) -> tuple[Judged, ...]:
    return tuple(
        Judged(before.score, after.score, move.white, first_choice=before.best == move.uci)
        for (before, after), move in zip(pairwise(evaluations), game.game.moves, strict=True)
    )
