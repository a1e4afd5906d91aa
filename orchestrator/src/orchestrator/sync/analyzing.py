"""The second phase of a job: its queued games out to the analyzers, and what comes back into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol
from uuid import UUID

import structlog

from orchestrator.analyzers.base import AnalyzedGame, FailedGame, GameOutcome, GameToAnalyze
from orchestrator.store.rows import Claim, SyncJob
from orchestrator.store.store import Store
from orchestrator.sync.openings import KnownOpenings, opening_of
from servicekit.errors import RookifyError
from servicekit.tasks import alongside

log = structlog.get_logger()

_PAGE = 51  # PGNs read at a time: about 200 KB, and a hundred games by two calls
_LAST_WRITE_SECONDS = 2.0  # of the time in which a process has to stop
_BATCH = 20  # analyses written at a time: below a megabyte of JSON
# Ended games that wait for the write before theirs; then no more are handed in. Analyzers can be faster than
# the database, and an analysis of 60 half-moves is 200 KB of Python objects.
_UNWRITTEN = 2 * _BATCH


class Analyzers(Protocol):
    """What this phase needs of the analyzer pool."""

    async def submit(self, game: GameToAnalyze) -> asyncio.Future[GameOutcome]: ...

    def cancel(self, job_id: UUID) -> None: ...


class JobExplainer(Protocol):
    """Explains one job's moments while its games come in; `finish` waits for what is left, in bounds."""

    def progress(self, job: SyncJob) -> None: ...

    async def finish(self) -> None: ...


class Explainer(Protocol):
    """What this phase needs of the writer of explanations."""

    def beside(self, claim: Claim) -> AbstractAsyncContextManager[JobExplainer]: ...


class _Ended(asyncio.Queue["asyncio.Future[GameOutcome] | None"]):
    """The games that have ended and are not written yet, and None behind the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = asyncio.Event()

    async def room(self) -> None:
        """Waits while there are many of them (backpressure)."""
        while self.qsize() >= _UNWRITTEN:
            self._taken.clear()
            await self._taken.wait()

    def _get(self) -> asyncio.Future[GameOutcome] | None:
        self._taken.set()
        return super()._get()


async def analyze_games(
    store: Store,
    analyzers: Analyzers,
    claim: Claim,
    write_interval: float,
    on_written: Callable[[SyncJob], None] = lambda job: None,
) -> None:
    """Until every queued game has ended and is written. Raises StaleLease.

    `on_written` hears of each write, with the job as it is then. Cancelled in the middle, it takes the job's
    games back from the analyzers; what was written stays.
    """
    outcomes = _Ended()
    try:
        await alongside(
            _write(store, claim, outcomes, write_interval, on_written),
            _feed(store, analyzers, claim, outcomes),
        )
    finally:
        analyzers.cancel(claim.job.id)


async def _feed(
    store: Store,
    analyzers: Analyzers,
    claim: Claim,
    outcomes: _Ended,
) -> None:
    """Hands the games in as fast as the analyzers take them; memory holds what is out, not the job."""
    job = claim.job
    submitted: set[asyncio.Future[GameOutcome]] = set()

    def ended(outcome: asyncio.Future[GameOutcome]) -> None:
        submitted.discard(outcome)
        outcomes.put_nowait(outcome)

    ordinal, taken = 0, _PAGE
    while taken == _PAGE:
        games = await store.take_games(claim, ordinal, _PAGE)
        taken = len(games)
        openings = {game.game_id: opening_of(game.pgn) for game in games}
        known = await _known(store, openings.values(), job.preset)
        for game in games:
            await outcomes.room()
            outcome = await analyzers.submit(
                GameToAnalyze(job.id, game.game_id, game.pgn, job.preset, known.of(openings[game.game_id]))
            )
            submitted.add(outcome)
            outcome.add_done_callback(ended)
            await asyncio.sleep(0)  # for `ended`: what was over at once counts before the next is handed in
            ordinal = game.ordinal
    if submitted:
        await asyncio.wait(submitted)
    outcomes.put_nowait(None)


async def _known(store: Store, openings: Iterable[str | None], preset: str) -> KnownOpenings:
    """What the database knows of them. It only saves searches: not to hear it is no reason to stop."""
    try:
        positions = await store.known_positions([each for each in openings if each is not None], preset)
    except RookifyError as error:
        log.warning("known positions cannot be had", error=error.message)
        positions = []
    return KnownOpenings(positions)


async def _write(
    store: Store,
    claim: Claim,
    outcomes: _Ended,
    write_interval: float,
    on_written: Callable[[SyncJob], None],
) -> None:
    """Writes ended games together: those of one interval, or a full batch. What is ready is never lost."""
    batch: list[Mapping[str, Any]] = []
    last = False
    try:
        while not last:
            last = await _gather(outcomes, batch, write_interval)
            if batch:
                on_written(await store.record_analyses(claim, batch))
                batch = []
    except asyncio.CancelledError:
        # The job is given back: what the engines have done is kept. Written twice, it counts once.
        while not outcomes.empty():
            _take(outcomes.get_nowait(), batch)
        if batch:
            with suppress(RookifyError, TimeoutError):
                async with asyncio.timeout(_LAST_WRITE_SECONDS):
                    await store.record_analyses(claim, batch)
        raise


async def _gather(
    outcomes: _Ended,
    batch: list[Mapping[str, Any]],
    write_interval: float,
) -> bool:
    """Fills the batch; True when there is no more to come."""
    # The first may take as long as it likes; the rest is what follows within the interval.
    if not _take(await outcomes.get(), batch):
        return True
    with suppress(TimeoutError):
        async with asyncio.timeout(write_interval):
            while len(batch) < _BATCH:
                if not _take(await outcomes.get(), batch):
                    return True
    return False


def _take(outcome: asyncio.Future[GameOutcome] | None, batch: list[Mapping[str, Any]]) -> bool:
    """Puts the outcome into the batch; False where it is the end mark."""
    if outcome is None:
        return False
    if not outcome.cancelled():
        batch.append(_row(outcome.result()))
    return True


def _row(outcome: GameOutcome) -> dict[str, Any]:
    """As `record_analyses` takes it."""
    match outcome:
        case AnalyzedGame(game_id, columns):
            return {"game_id": str(game_id), **columns}
        case FailedGame(game_id, reason, message):
            return {"game_id": str(game_id), "failure": reason, "failure_message": message}
