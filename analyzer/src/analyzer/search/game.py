"""The evaluations of all positions of one game, searched on one lane: last to first, in passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import chess

from analyzer.engine.lane import EngineLane
from analyzer.engine.request import Limit, Position
from analyzer.evaluation import LINE_PLIES, Evaluation, Source
from analyzer.pgn import ParsedGame
from analyzer.scores import Centipawns, Checkmate, before_only_move
from analyzer.search.budget import Plan, to_deepen
from analyzer.search.cache import Key, PositionCache, position_keys

Progress = Callable[[int, int], None]  # positions done, and in all


@dataclass(frozen=True, slots=True)
class SearchedGame:
    """`evaluations`: one for each position, the start first. `seconds` that the engine searched."""

    evaluations: tuple[Evaluation, ...]
    engine: str
    nodes: int
    seconds: float
    searched: int  # positions
    reused: int  # positions not searched: known beforehand, or from the cache


async def search_game(
    lane: EngineLane,
    game: ParsedGame,
    plan: Plan,
    known: Mapping[int, Evaluation],
    on_progress: Progress = lambda _done, _total: None,
    cache: PositionCache | None = None,
) -> SearchedGame:
    """Raises EngineFailed. `known`: evaluations by position, used as they are and not searched."""
    cache = PositionCache(0) if cache is None else cache
    return await _GameSearch(lane, game, known, on_progress, cache).run(plan)


class _GameSearch:
    def __init__(
        self,
        lane: EngineLane,
        game: ParsedGame,
        known: Mapping[int, Evaluation],
        on_progress: Progress,
        cache: PositionCache,
    ) -> None:
        self._lane = lane
        self._game = game
        self._on_progress = on_progress
        self._cache = cache
        self._keys: list[Key | None] = []
        self._played = [move.uci for move in game.moves]
        self._fixed = {ply: evaluation for ply, evaluation in known.items() if usable(game, ply, evaluation)}
        self._reused = set(self._fixed)
        end = over(game)
        if end is not None:
            self._fixed[game.plies] = end
        self._found: dict[int, Evaluation] = dict(self._fixed)
        self._searched: set[int] = set()
        self._seconds = 0.0
        self._nodes = 0

    async def run(self, plan: Plan) -> SearchedGame:
        everything = range(self._game.plies + 1)
        await self._lane.new_game(chess960=self._game.chess960)
        self._keys = position_keys(self._game, self._lane.name, plan)
        first, *later = plan
        await self._deepen(0, first.limit, everything, final=not later)
        for number, step in enumerate(later, start=1):
            evaluations = [self._found[ply] for ply in everything]
            wanted = to_deepen(step, evaluations, self._played, white_first=self._game.moves[0].white)
            await self._deepen(number, step.limit, self._through_forced(wanted), final=number == len(later))
        return SearchedGame(
            evaluations=tuple(self._found[ply] for ply in everything),
            engine=self._lane.name,
            nodes=self._nodes,
            seconds=self._seconds,
            searched=len(self._searched),
            reused=len(self._reused - self._searched),
        )

    async def _deepen(self, step: int, limit: Limit, wanted: Collection[int], *, final: bool) -> None:
        """Search the wanted positions, last to first: what was found there helps with those before."""
        total = self._game.plies + 1
        left = len(wanted)
        for ply in sorted(wanted, reverse=True):
            if ply not in self._fixed:
                self._found[ply] = (
                    self._forced(ply) or self._cached(ply, step) or await self._search(ply, step, limit)
                )
            left -= 1
            if final:
                self._on_progress(total - left, total)

    def _forced(self, ply: int) -> Evaluation | None:
        """With one legal move a position is worth what the next one is."""
        if ply == self._game.plies or not self._game.moves[ply].forced:
            return None
        move, after = self._game.moves[ply], self._found[ply + 1]
        return Evaluation(
            score=before_only_move(after.score, white=move.white),
            line=(move.uci, *after.line)[:LINE_PLIES],
            source=Source.FORCED,
            depth=after.depth + 1,
            swing=after.swing,
        )

    def _cached(self, ply: int, step: int) -> Evaluation | None:
        found = self._cache.get(self._keys[ply], step)
        if found is not None:
            self._reused.add(ply)
        return found

    async def _search(self, ply: int, step: int, limit: Limit) -> Evaluation:
        position = Position(command=self._command(ply), board=self._game.boards[ply])
        started = time.monotonic()
        found = await self._lane.search(position, limit)
        self._seconds += time.monotonic() - started
        self._nodes += found.nodes
        self._searched.add(ply)
        earlier = self._found.get(ply)
        evaluation = Evaluation(
            score=found.score,
            line=found.line,
            source=Source.SEARCHED,
            depth=found.depth,
            nodes=found.nodes + (earlier.nodes if earlier else 0),
            swing=found.swing,
        )
        self._cache.put(self._keys[ply], step, evaluation)
        return evaluation

    def _command(self, ply: int) -> str:
        history = f" moves {' '.join(self._played[:ply])}" if ply else ""
        return f"position fen {self._game.start_fen}{history}"

    def _through_forced(self, wanted: set[int]) -> set[int]:
        """With each wanted position that is forced, the one that its score comes from."""
        complete = set(wanted)
        for ply in sorted(wanted):
            at = ply
            while at < self._game.plies and self._game.moves[at].forced:
                at += 1
                complete.add(at)
        return complete


def over(game: ParsedGame) -> Evaluation | None:
    """The last position's evaluation where the game is over on the board; None where it is not."""
    board = game.boards[-1]
    if board.is_checkmate():
        return Evaluation(Checkmate(white_wins=board.turn == chess.BLACK), (), Source.OVER)
    if game.drawn_at_end:
        return Evaluation(Centipawns(0), (), Source.OVER)
    return None


def usable(game: ParsedGame, ply: int, evaluation: Evaluation) -> bool:
    """Whether a known evaluation fits this game: a position of it, and a line that can be played there."""
    if not 0 <= ply <= game.plies or not evaluation.line or isinstance(evaluation.score, Checkmate):
        return False
    board = game.boards[ply].copy(stack=False)
    try:
        for uci in evaluation.line:
            board.push_uci(uci)
    except ValueError:
        return False
    return True
