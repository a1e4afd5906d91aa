"""One stream of AnalyzeGames: the games it holds, and what it is told about them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from functools import partial

import grpc
import structlog

from analyzer import convert, pgn, report
from analyzer.credits import Account, OverdrawnError
from analyzer.engine.errors import EngineFailed
from analyzer.engine.lane import EngineLane
from analyzer.pgn import UnplayableGame
from analyzer.scheduler import Scheduler
from analyzer.search.cache import PositionCache
from analyzer.search.game import GameSearch
from rookify.analysis.v1 import analysis_pb2 as pb
from servicekit.errors import InvalidInput, RookifyError, Unavailable

log = structlog.get_logger()

PROGRESS_INTERVAL = 0.5  # seconds between two messages about one game, at least
SIGN_OF_LIFE = 5.0  # seconds between two, at most, for as long as the game is held
_QUEUE_FULL = 64  # messages that a slow reader has not taken: progress is left out from there on


@dataclass(eq=False, slots=True)
class _Held:
    """A game on this stream that has not ended yet."""

    game: pb.Game
    task: asyncio.Task[pb.AnalyzeGamesResponse] | None = None
    cancelled: bool = False  # by CancelGames, and not because the stream ends
    done: int = 0
    total: int = 0
    told: float = 0.0  # when progress was last sent


class TooManyGames(RookifyError):
    """Answered RESOURCE_EXHAUSTED: the orchestrator broke the flow control."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    default_reason = "NO_CREDIT"


class Session:
    """`responses` is what the stream's writer takes from: messages, then an error, or None for the end."""

    def __init__(
        self,
        scheduler: Scheduler[EngineLane],
        cache: PositionCache,
        account: Account,
        *,
        spend: Callable[[Account, int], None],
        on_end: Callable[[Account, bool], None],
    ) -> None:
        self.responses: asyncio.Queue[pb.AnalyzeGamesResponse | RookifyError | None] = asyncio.Queue()
        self.account = account
        self._scheduler = scheduler
        self._cache = cache
        self._spend = spend
        self._on_end = on_end
        self._games: dict[str, _Held] = {}
        self._last_message = False  # the orchestrator has half-closed, or the node drains
        self._draining = False

    @property
    def holds(self) -> int:
        return len(self._games)

    # What comes in

    async def read(self, requests: AsyncIterable[pb.AnalyzeGamesRequest]) -> None:
        """Takes all requests; the stream then ends with its last game, or at once with an error."""
        try:
            async for request in requests:
                self._take(request)
        except RookifyError as error:
            self.responses.put_nowait(error)
            return
        except Exception as error:  # noqa: BLE001  whatever the transport raises, the stream is gone
            log.info("stream broke", detail=str(error))
            self.responses.put_nowait(Unavailable("the stream broke", reason="STREAM_BROKEN"))
            return
        self._last_message = True
        self._end_if_idle()

    def _take(self, request: pb.AnalyzeGamesRequest) -> None:
        match request.WhichOneof("message"):
            case "batch":
                self._take_batch(request.batch)
            case "cancel":
                self._cancel(request.cancel)
            case _:
                raise InvalidInput.of("message", "must be batch or cancel")

    def _take_batch(self, batch: pb.GameBatch) -> None:
        if not batch.games:
            raise InvalidInput.of("batch.games", "must hold at least one game")
        if batch.budget.nodes_per_position < 0:
            raise InvalidInput.of(
                "batch.budget.nodes_per_position", f"must be 0 or more, got {batch.budget.nodes_per_position}"
            )
        ids = set(self._games)
        for at, game in enumerate(batch.games):
            field = f"batch.games[{at}].game_id"
            if not game.game_id:
                raise InvalidInput.of(field, "must not be empty")
            if game.game_id in ids:
                raise InvalidInput.of(field, f"{game.game_id!r} is outstanding on this stream already")
            ids.add(game.game_id)
        if self._draining:
            for game in batch.games:
                self._fail(game.game_id, "the analyzer is stopping; send the game elsewhere", retryable=True)
            return
        try:
            self._spend(self.account, len(batch.games))
        except OverdrawnError as error:
            raise TooManyGames(f"batch.games: {error}") from None
        for game in batch.games:
            held = self._games[game.game_id] = _Held(game, told=time.monotonic())
            held.task = asyncio.create_task(self._analyze(held, batch.budget))
            held.task.add_done_callback(partial(self._finished, held))

    def _cancel(self, cancel: pb.CancelGames) -> None:
        if not cancel.job_id:
            raise InvalidInput.of("cancel.job_id", "must not be empty")
        for game_id in cancel.game_ids or list(self._games):
            held = self._games.get(game_id)
            if held is not None and held.game.job_id == cancel.job_id and held.task is not None:
                held.cancelled = True
                held.task.cancel()

    # What is done with a game

    async def _analyze(self, held: _Held, budget: pb.SearchBudget) -> pb.AnalyzeGamesResponse:
        """The game's analysis or failure."""
        game_id = held.game.game_id
        structlog.contextvars.bind_contextvars(job_id=held.game.job_id, game_id=game_id)
        started = time.monotonic()
        try:
            game = await asyncio.to_thread(pgn.parse, held.game.pgn)
            held.total = game.plies + 1
            search = GameSearch(
                game,
                convert.to_plan(budget),
                convert.to_known(held.game.known),
                cache=self._cache,
                on_progress=partial(self._progress, held),
                job_id=held.game.job_id,
                priority=held.game.priority,
            )
            searched = await self._scheduler.submit(search)
            analysis = await asyncio.to_thread(
                lambda: convert.from_report(game_id, report.build(game, searched.evaluations), searched)
            )
        except UnplayableGame as error:
            log.info("game cannot be analyzed", reason=error.reason.value, detail=error.message)
            return pb.AnalyzeGamesResponse(failure=convert.from_unplayable(game_id, error))
        except EngineFailed as error:
            log.warning("game given up for now", detail=str(error))
            return _failure(game_id, pb.GameFailure.REASON_ENGINE, str(error), retryable=True)
        except Exception:  # a defect of ours must not leave the game without an end
            log.exception("game failed by a defect")
            return _failure(
                game_id, pb.GameFailure.REASON_ENGINE, "internal error of the analyzer", retryable=True
            )
        log.debug(
            "game analyzed", plies=game.plies, nodes=searched.nodes, second_nodes=searched.second_nodes,
            engine_seconds=round(searched.seconds, 3), seconds=round(time.monotonic() - started, 3),
        )  # fmt: skip
        return pb.AnalyzeGamesResponse(analysis=analysis)

    def _finished(self, held: _Held, task: asyncio.Task[pb.AnalyzeGamesResponse]) -> None:
        """Every game ends here, exactly once, unless the stream is going away."""
        game_id = held.game.game_id
        if not task.cancelled():
            response = task.result()
        elif held.cancelled:
            response = _failure(
                game_id, pb.GameFailure.REASON_CANCELLED, "cancelled as asked for", retryable=False
            )
        else:
            return
        del self._games[game_id]
        self.responses.put_nowait(response)
        self._on_end(self.account, response.HasField("analysis"))
        self._end_if_idle()

    # What goes out

    def grant(self, games: int) -> None:
        self.responses.put_nowait(pb.AnalyzeGamesResponse(credit=pb.Credit(games=games)))

    def drain(self, grace: float) -> None:
        """Say that the node goes away; the stream ends with its last game."""
        self._draining = self._last_message = True
        draining = pb.Draining(grace=convert.from_seconds(grace))
        self.responses.put_nowait(pb.AnalyzeGamesResponse(draining=draining))
        self._end_if_idle()

    def break_off(self) -> None:
        """End the stream now; its unfinished games are to be sent elsewhere."""
        self.responses.put_nowait(
            Unavailable(f"the analyzer is stopping; {self.holds} games are unfinished", reason="STOPPING")
        )

    def show_life(self) -> None:
        """Progress of every held game that has not been heard of for long, queued ones too."""
        now = time.monotonic()
        for held in self._games.values():
            if held.total and now - held.told >= SIGN_OF_LIFE:
                self._tell(held, now)

    def close(self) -> None:
        """The stream is gone: stop everything that was done for it."""
        for held in self._games.values():
            held.cancelled = False
            if held.task is not None:
                held.task.cancel()

    def _progress(self, held: _Held, done: int, total: int) -> None:
        if self._games.get(held.game.game_id) is not held:
            return  # its end has been told; its search sees that a turn of the loop later
        held.done, held.total = done, total
        now = time.monotonic()
        if now - held.told >= PROGRESS_INTERVAL and done < total:
            self._tell(held, now)

    def _tell(self, held: _Held, now: float) -> None:
        held.told = now
        if self.responses.qsize() < _QUEUE_FULL:
            progress = pb.GameProgress(
                game_id=held.game.game_id, positions_done=held.done, positions_total=held.total
            )
            self.responses.put_nowait(pb.AnalyzeGamesResponse(progress=progress))

    def _fail(self, game_id: str, message: str, *, retryable: bool) -> None:
        self.responses.put_nowait(
            _failure(game_id, pb.GameFailure.REASON_CANCELLED, message, retryable=retryable)
        )

    def _end_if_idle(self) -> None:
        if self._last_message and not self._games:
            self.responses.put_nowait(None)


def _failure(
    game_id: str, reason: pb.GameFailure.Reason.ValueType, message: str, *, retryable: bool
) -> pb.AnalyzeGamesResponse:
    failure = pb.GameFailure(game_id=game_id, reason=reason, message=message, retryable=retryable)
    return pb.AnalyzeGamesResponse(failure=failure)
