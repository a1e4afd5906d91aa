"""One worker's engine: started once, owned by one task, replaced when it can no longer be trusted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import chess
import structlog

from analyzer.engine import output
from analyzer.engine.errors import EngineError, EngineFailed, EngineNonsense
from analyzer.engine.output import SearchOutput
from analyzer.engine.process import EngineProcess
from analyzer.engine.request import Limit, Position
from analyzer.evaluation import LINE_PLIES
from analyzer.scores import MateIn, flipped
from servicekit.backoff import Backoff

log = structlog.get_logger()

ATTEMPTS = 3  # engines that one position may cost before its game is given up
_RESTART = Backoff(0.1, 5.0)  # before a fresh engine, by the failures in a row

# A deadline is far beyond any healthy search: it finds engines that hang, and costs only the time until then.
_DEADLINE_FLOOR = 5.0  # seconds for whatever else the machine does
_DEADLINE_FACTOR = 10  # times what the nodes take at the speed measured
_SPEED_BEFORE_MEASURED = 100_000  # nodes per second; a tenth of a current core's
_SPEED_MEMORY = 0.98  # weight of the past after one search: about the last 50 count


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`hash_mb` and `niceness` (0..19) per engine."""

    path: str
    hash_mb: int = 64
    niceness: int = 0


class EngineLane:
    """Searches positions one at a time. A position that fails is searched again on a fresh engine."""

    def __init__(self, config: EngineConfig, number: int = 0) -> None:
        self._config = config
        self._number = number
        self._engine: EngineProcess | None = None
        self._game: object = None
        self._chess960 = False
        self._failures = 0  # in a row
        self._nodes = 0.0  # of recent searches, and their seconds
        self._seconds = 0.0
        self.name = ""
        self.restarts = 0
        self.searches = 0
        self.total_nodes = 0
        self.busy_seconds = 0.0

    @property
    def nodes_per_second(self) -> float:
        """Over recent searches; 0 before the first."""
        return self._nodes / self._seconds if self._seconds > 0 else 0.0

    @property
    def pid(self) -> int:
        """The engine's process; 0 where none runs."""
        return self._engine.pid if self._engine else 0

    async def start(self) -> None:
        """Have an engine ready. Raises EngineError where the first one does not come up."""
        self._engine = await self._started()

    async def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def new_game(self, game: object = None, *, chess960: bool) -> bool:
        """Forget the last game, unless it was the same one: then False, and what was found in it still helps.

        Raises EngineFailed.
        """
        if game is not None and game is self._game:
            return False
        self._game, self._chess960 = None, chess960
        for _ in range(ATTEMPTS):
            try:
                if self._engine is None:
                    await self._replace()
                else:
                    await self._engine.new_game(chess960=chess960)
            except EngineError as error:
                await self._discard(error)
            else:
                self._game = game
                return True
        raise EngineFailed(f"no engine could be started, {ATTEMPTS} times in a row")

    async def search(self, position: Position, limit: Limit) -> SearchOutput:
        """The score is from White's point of view, the first move is legal. Raises EngineFailed.

        When cancelled, the engine stops searching at once and stays fit for use.
        """
        last: EngineError | None = None
        for _ in range(ATTEMPTS):
            try:
                return await self._search(position, limit)
            except EngineError as error:
                last = error
                await self._discard(error)
        raise EngineFailed(f"{ATTEMPTS} engines failed in {position.board.fen()}: {last}")

    async def _search(self, position: Position, limit: Limit) -> SearchOutput:
        if self._engine is None:
            await self._replace()
        assert self._engine is not None  # noqa: S101  what _replace promises
        speed = self.nodes_per_second or _SPEED_BEFORE_MEASURED
        deadline = _DEADLINE_FLOOR + _DEADLINE_FACTOR * limit.nodes / speed
        started = time.monotonic()
        said = await self._engine.search(position.command, position.go(limit), deadline=deadline)
        seconds = time.monotonic() - started
        found = _checked(output.parse(said), position)
        self._failures = 0
        self._nodes = self._nodes * _SPEED_MEMORY + found.nodes
        self._seconds = self._seconds * _SPEED_MEMORY + seconds
        self.searches += 1
        self.total_nodes += found.nodes
        self.busy_seconds += seconds
        return found

    async def _replace(self) -> None:
        if self._failures:
            await asyncio.sleep(_RESTART.delay(self._failures))
        self.restarts += self._failures > 0
        engine = await self._started()
        try:
            await engine.new_game(chess960=self._chess960)
        except BaseException:
            await engine.kill()
            raise
        self._engine = engine

    async def _started(self) -> EngineProcess:
        config = self._config
        engine = await EngineProcess.start(config.path, hash_mb=config.hash_mb, niceness=config.niceness)
        self.name = engine.name
        log.debug("engine started", worker=self._number, engine=engine.name, pid=engine.pid)
        return engine

    async def _discard(self, error: EngineError) -> None:
        self._failures += 1
        engine, self._engine = self._engine, None
        log.warning(
            "engine discarded", worker=self._number, error=type(error).__name__, detail=str(error),
            failures=self._failures,
        )  # fmt: skip
        if engine is not None:
            await engine.kill()


def _checked(found: SearchOutput, position: Position) -> SearchOutput:
    """With White's score. Of the line only the first move is checked, where it does not claim to mate."""
    board, best = position.board, found.line[0]
    try:
        board.parse_uci(best)
    except ValueError:
        raise EngineNonsense(f"best move {best[:10]!r} is not legal in {board.fen()}") from None
    if position.among and best not in position.among:
        raise EngineNonsense(f"best move {best} is not one of those to choose from in {board.fen()}")
    if isinstance(found.score, MateIn) and not _plausible(found.score, board, found.line):
        raise EngineNonsense(f"{' '.join(found.line)} is said to mate from {board.fen()}, and does not")
    return SearchOutput(
        score=found.score if board.turn else flipped(found.score),
        line=found.line[:LINE_PLIES],
        depth=found.depth,
        nodes=found.nodes,
        swing=found.swing,
    )


def _plausible(mate: MateIn, board: chess.Board, line: Sequence[str]) -> bool:
    """Whether the line mates when it should, as far as it goes: engines cut lines short."""
    plies = 2 * mate.moves - 1 if mate.moves > 0 else -2 * mate.moves
    after = board.copy(stack=False)
    try:
        for uci in line[:plies]:
            after.push_uci(uci)
    except ValueError:
        return False
    return after.is_checkmate() == (len(line) >= plies)
