"""The evaluations of all positions of one game: last to first, in passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from analyzer.engine.lane import EngineLane
from analyzer.engine.output import SearchOutput
from analyzer.engine.request import Limit, Position
from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import ParsedGame
from analyzer.search import second
from analyzer.search.budget import Plan, quick_look, to_deepen
from analyzer.search.cache import Key, PositionCache, position_keys
from analyzer.search.team import Team
from analyzer.search.unsearched import forced, over, usable

Progress = Callable[[int, int], None]  # positions done, and in all


@dataclass(frozen=True, slots=True)
class SearchedGame:
    """`evaluations`: one for each position, the start first. `seconds` that engines searched."""

    evaluations: tuple[Evaluation, ...]
    engine: str
    nodes: int
    second_nodes: int  # of them, for second lines
    seconds: float
    searched: int  # positions
    reused: int  # positions not searched: known beforehand, or from the cache


class GameSearch:
    """`run` it once, on one lane; meanwhile other lanes may `help`.

    `known`: evaluations by position, used as they are and not searched.
    """

    def __init__(
        self,
        game: ParsedGame,
        plan: Plan,
        known: Mapping[int, Evaluation],
        *,
        cache: PositionCache | None = None,
        on_progress: Progress = lambda _done, _total: None,
        job_id: str = "",
        priority: int = 0,
    ) -> None:
        self.job_id, self.priority, self.size = job_id, priority, game.plies
        self._game = game
        self._plan = plan
        self._cache = PositionCache(0) if cache is None else cache
        self._on_progress = on_progress
        self._played = [move.uci for move in game.moves]
        self._fixed = {ply: evaluation for ply, evaluation in known.items() if usable(game, ply, evaluation)}
        self._reused = set(self._fixed)
        end = over(game)
        if end is not None:
            self._fixed[game.plies] = end
        self._found: dict[int, Evaluation] = dict(self._fixed)
        self._steps: dict[int, int] = {}  # the pass that each evaluation is from, where it is from one
        self._keys: list[Key | None] = []
        self._searched: set[int] = set()
        self._seconds = 0.0
        self._nodes = 0
        self._second_nodes = 0
        self._team: Team[EngineLane] = Team(lambda lane: lane.new_game(self, chess960=game.chess960))

    async def run(self, lane: EngineLane, call: Callable[[], None] = lambda: None) -> SearchedGame:
        """Raises EngineFailed. Calls `call` when there is work to share."""
        try:
            await lane.new_game(self, chess960=self._game.chess960)
            self._keys = position_keys(self._game, lane.name, self._plan)
            for step in range(len(self._plan)):
                await self._deepen(step, lane, call)
            await self._second_lines(lane, call)
        finally:
            self._team.disband()
        self._cache.hits += len(self._reused - self._searched - self._fixed.keys())
        self._cache.misses += sum(self._keys[ply] is not None for ply in self._searched)
        return SearchedGame(
            evaluations=self._evaluations(),
            engine=lane.name,
            nodes=self._nodes,
            second_nodes=self._second_nodes,
            seconds=self._seconds,
            searched=len(self._searched),
            reused=len(self._reused - self._searched),
        )

    @property
    def spare(self) -> int:
        """Positions that one lane more would take over now."""
        return self._team.spare

    async def help(self, lane: EngineLane, leave: Callable[[], bool]) -> bool:
        """Take a share of the positions under way: until there is no more to take, or `leave` says so.

        False where the lane's engines failed.
        """
        return await self._team.help(lane, leave)

    # Passes

    async def _deepen(self, step: int, lane: EngineLane, call: Callable[[], None]) -> None:
        """One pass of the plan over the positions that it wants."""
        limit, total = self._plan[step].limit, self._game.plies + 1
        wanted = self._wanted(step)
        left = len(wanted)

        async def search(on: EngineLane, ply: int, new: bool) -> None:
            nonlocal left
            kept = self._cache.get(self._keys[ply], step)
            if kept is not None:
                self._reused.add(ply)
                self._found[ply], self._steps[ply] = kept.evaluation, kept.step
            else:
                if new and self._is_searched(ply + 1):
                    # What was found behind a position helps with it, and here another lane has found it.
                    await self._search(on, ply + 1, limit)
                await self._search_best(on, ply, step)
            left -= 1
            # The passes take about as many nodes each; a position that one leaves out is done with it.
            self._on_progress((total * (step + 1) - left) // len(self._plan), total)

        await self._team.search_all(lane, wanted, search, call)
        for ply in reversed(range(self._game.plies)):
            if self._forced(ply) and ply not in self._fixed:
                self._found[ply] = forced(self._game.moves[ply], self._found[ply + 1])

    def _wanted(self, step: int) -> list[int]:
        """The positions to search in a pass. In place of a forced one that which its score comes from."""
        if step == 0:
            wanted: Iterable[int] = range(self._game.plies + 1)
        else:
            wanted = to_deepen(
                self._plan[step], self._evaluations(), self._played, white_first=self._game.moves[0].white
            )
        return sorted({ply for ply in map(self._behind_forced, wanted) if self._is_searched(ply)})

    def _behind_forced(self, ply: int) -> int:
        while self._forced(ply):
            ply += 1
        return ply

    def _forced(self, ply: int) -> bool:
        return ply < self._game.plies and self._game.moves[ply].forced

    def _is_searched(self, ply: int) -> bool:
        """Whether the position's evaluation is the engine's to find."""
        return ply <= self._game.plies and ply not in self._fixed and not self._forced(ply)

    def _evaluations(self) -> tuple[Evaluation, ...]:
        return tuple(self._found[ply] for ply in range(self._game.plies + 1))

    # Searches

    async def _search_best(self, lane: EngineLane, ply: int, step: int) -> None:
        found = await self._search(lane, ply, self._plan[step].limit)
        earlier = self._found.get(ply)
        self._searched.add(ply)
        evaluation = Evaluation(
            score=found.score,
            line=found.line,
            source=Source.SEARCHED,
            depth=found.depth,
            nodes=found.nodes + (earlier.nodes if earlier else 0),
            swing=found.swing,
        )
        self._keep(ply, step, evaluation)

    async def _search(
        self, lane: EngineLane, ply: int, limit: Limit, among: tuple[str, ...] = ()
    ) -> SearchOutput:
        history = f" moves {' '.join(self._played[:ply])}" if ply else ""
        position = Position(f"position fen {self._game.start_fen}{history}", self._game.boards[ply], among)
        started = time.monotonic()
        found = await lane.search(position, limit)
        self._seconds += time.monotonic() - started
        self._nodes += found.nodes
        return found

    def _keep(self, ply: int, step: int, evaluation: Evaluation) -> None:
        self._found[ply], self._steps[ply] = evaluation, step
        self._cache.put(self._keys[ply], step, evaluation)

    # Second lines

    async def _second_lines(self, lane: EngineLane, call: Callable[[], None]) -> None:
        """A quick look at all that are wanted; where it leaves a doubt, as deep as the best line was."""
        wanted = second.wanted(self._game, self._evaluations())
        wanted = [ply for ply in wanted if not self._has_second(ply)]
        await self._team.search_all(lane, wanted, self._quick_second, call)
        doubtful = [
            ply
            for ply in wanted
            if self._own_limit(ply) != quick_look(self._plan)
            and second.doubtful(self._found[ply], white=self._game.moves[ply].white)
        ]
        await self._team.search_all(lane, doubtful, self._deep_second, call)

    def _has_second(self, ply: int) -> bool:
        """Whether it is known already; a known evaluation comes without."""
        kept = self._cache.get(self._keys[ply], 0)
        if kept is not None and kept.evaluation.best == self._found[ply].best:
            self._found[ply] = replace(self._found[ply], second=kept.evaluation.second)
        return self._found[ply].second is not None

    async def _quick_second(self, lane: EngineLane, ply: int, _new: bool) -> None:
        await self._search_second(lane, ply, quick_look(self._plan))

    async def _deep_second(self, lane: EngineLane, ply: int, _new: bool) -> None:
        await self._search_second(lane, ply, self._own_limit(ply))

    def _own_limit(self, ply: int) -> Limit:
        """Of the best line's search; a known evaluation is as good as the last pass."""
        return self._plan[self._steps.get(ply, -1)].limit

    async def _search_second(self, lane: EngineLane, ply: int, limit: Limit) -> None:
        board, evaluation = self._game.boards[ply], self._found[ply]
        others = tuple(uci for move in board.legal_moves if (uci := board.uci(move)) != evaluation.best)
        found = await self._search(lane, ply, limit, others)
        self._second_nodes += found.nodes
        evaluation = replace(evaluation, second=found.score, nodes=evaluation.nodes + found.nodes)
        self._keep(ply, self._steps.get(ply, len(self._plan) - 1), evaluation)
