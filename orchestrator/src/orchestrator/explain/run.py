"""Explains a job's moments beside its analysis, and never in its way.

Every game's moments are written with a template before the LLM is asked, so that nothing is missing whatever
becomes of it; a model's words replace the template when they come. The LLM is asked in rounds: while games
come in about the best of what is known by then, and once more when all games are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog

from orchestrator import metrics
from orchestrator.explain import candidates, choice, rating, templates
from orchestrator.explain.asking import Asker, Asking, Told
from orchestrator.explain.candidates import Candidate
from orchestrator.explain.choice import Choice
from orchestrator.explain.llm import Llm
from orchestrator.explain.policy import Policy
from orchestrator.store.moment_rows import CandidateGame, NewMoment
from orchestrator.store.rows import Claim, SyncJob
from orchestrator.store.store import Store
from servicekit.errors import RookifyError

log = structlog.get_logger()

_PAGE = 100  # games read at a time: 400 KB
_ROUND_GAMES = (10, 50)  # a round is due after half of the job's games, within these bounds
_BATCH = 300  # moments written at a time: 200 KB
# Candidates kept for later rounds: four times what any job's calls could explain, 2 MB.
_KEPT = 2000


class Explainer:
    """One for a process. Without an LLM, templates explain all."""

    def __init__(self, store: Store, llm: Llm | None, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._asker = Asker(store, llm, policy) if llm is not None else None

    def beside(self, claim: Claim) -> JobExplainer:
        """For the time in which the job is analyzed: use as `async with`, and `finish` in it."""
        return JobExplainer(self._store, self._asker, self._policy, claim)


class JobExplainer:
    """Told of the job's `progress`; `finish` when the last of its games is written."""

    def __init__(self, store: Store, asker: Asker | None, policy: Policy, claim: Claim) -> None:
        self._store = store
        self._asker = asker
        self._policy = policy
        self._claim = claim
        self._job = claim.job
        self._last = False
        self._woken = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rating = rating.UNKNOWN
        self._band = rating.band(self._rating)
        self._read_to = 0  # finished_ordinal
        self._games = 0
        self._open: list[Candidate] = []  # may be asked about
        self._taken: list[Candidate] = []  # are, or have been
        self._fresh: list[Choice] = []  # moments written since the last round
        self._calls = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"explaining {self._claim.job.id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None  # noqa: S101  entered
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)  # `finish` has told of what went wrong

    def progress(self, job: SyncJob) -> None:
        """More of the job's games are written."""
        self._job = job
        self._woken.set()

    async def finish(self) -> None:
        """Returns when every moment has its explanation: the policy's `grace` after this call at the latest.

        Raises what the store raises. Whatever else goes wrong is told to the log and no reason to fail a
        sync.
        """
        assert self._task is not None  # noqa: S101  entered
        self._last = True
        self._woken.set()
        timer = asyncio.get_running_loop().call_later(self._policy.grace, self._over.set)
        try:
            await self._task
        except RookifyError:
            raise
        except Exception:
            log.exception("moments were left unexplained by a defect")
        finally:
            timer.cancel()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._write_left_over()
                while not self._last:
                    if self._is_due():
                        await self._round(tasks, last=False)
                    self._woken.clear()
                    if not self._last:
                        await self._woken.wait()
                await self._round(tasks, last=True)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group  # one cause is enough

    def _is_due(self) -> bool:
        """Whether there are games enough for another round."""
        least, most = _ROUND_GAMES
        return self._ended - self._read_to >= max(least, min(most, self._job.games_found // 2))

    @property
    def _ended(self) -> int:
        """The last finished_ordinal that is known of."""
        return self._job.games_analyzed + self._job.games_failed

    async def _round(self, tasks: asyncio.TaskGroup, *, last: bool) -> None:
        moments = await self._read_games()
        if self._asker is None or self._over.is_set():
            await self._write(moments)
        else:
            await self._begin_asking(tasks, self._asker, moments, last=last)

    # Reading, and the templates

    async def _read_games(self) -> list[NewMoment]:
        """The moments of the games that have ended since, as templates have them, that are not written
        yet."""
        unwritten: list[NewMoment] = []
        while rows := await self._store.list_moment_candidates(self._claim.job.id, self._read_to, _PAGE):
            self._read_to = rows[-1].finished_ordinal
            unwritten += await self._take_in(rows)
            if len(rows) < _PAGE or self._read_to >= self._ended:
                break
            if len(unwritten) >= _BATCH:
                await self._write(unwritten)
                unwritten = []
        return unwritten

    async def _write_left_over(self) -> None:
        """The moments of games that an earlier job analyzed and, cut off, did not come to: skipped here."""
        after = 0
        while rows := await self._store.list_left_over_candidates(self._claim.job.id, after, _PAGE):
            after = -rows[-1].finished_ordinal
            await self._write(await self._take_in(rows))

    async def _take_in(self, rows: Sequence[CandidateGame]) -> list[NewMoment]:
        """The moments of the games that are not written yet."""
        if not self._games:
            self._rating = rating.of_player(rows[0].profile_rating, [row.rating for row in rows])
            self._band = rating.band(self._rating)
        self._games += len(rows)
        found, choices, moments = await asyncio.to_thread(_templates, rows)
        for candidate in found:
            by_llm = candidate.explained_by not in ("", templates.NAME)
            (self._taken if by_llm else self._open).append(candidate)
        if self._asker is not None:
            self._fresh += choices
        return moments

    async def _write(self, moments: Sequence[NewMoment], told: Told | None = None) -> None:
        usage, learned = (told.usage, told.learned) if told else ([], [])
        for start in range(0, max(len(moments), 1), _BATCH):
            batch = moments[start : start + _BATCH]
            if batch or usage:
                await self._store.record_moments(
                    self._claim, batch, usage, band=self._band.name, learned=learned
                )
                usage, learned = [], []
        for moment in moments:
            metrics.MOMENTS.labels("template" if moment.explained_by == templates.NAME else "llm").inc()

    # Asking

    async def _begin_asking(
        self, tasks: asyncio.TaskGroup, asker: Asker, moments: Sequence[NewMoment], *, last: bool
    ) -> None:
        """What is chosen counts as taken from here on; whole requests only, but for the last time."""
        budget = self._policy.job_budget(self._games)
        calls = budget.calls_per_job - self._calls
        choices = await asyncio.to_thread(
            choice.for_the_llm,
            self._open,
            self._band,
            room=max(0, calls) * self._policy.moments_per_request,
            per_game=self._policy.moments_per_game(self._band),
            taken=self._taken,
        )
        groups = (await asyncio.to_thread(asker.groups, choices, self._rating))[: max(0, calls)]
        if not last:
            groups = groups[:-1]
        chosen = [each for group in groups for each in group]
        self._calls += len(groups)
        self._take([each.candidate for each in chosen])
        places = {_place(each.candidate) for each in chosen}
        others = [each for each in self._fresh if _place(each.candidate) not in places]
        self._fresh = []
        if chosen or others or moments:
            tasks.create_task(self._ask(asker, chosen, others, moments))

    def _take(self, chosen: Sequence[Candidate]) -> None:
        places = {_place(each) for each in chosen}
        left = [each for each in self._open if _place(each) not in places]
        if len(left) > _KEPT:
            left = sorted(left, key=lambda each: choice.worth(each, self._band), reverse=True)[:_KEPT]
        self._open = left
        self._taken += chosen

    async def _ask(
        self,
        asker: Asker,
        chosen: Sequence[Choice],
        others: Sequence[Choice],
        moments: Sequence[NewMoment],
    ) -> None:
        asking = Asking(self._claim, self._rating, self._band, self._over)
        budget = self._policy.job_budget(self._games)
        try:
            told = await asker.ask(asking, chosen, others, budget, moments)
        except RookifyError:
            raise
        except Exception:
            log.exception("the LLM was not asked, by a defect")
            await self._write(moments)
            return
        explained = [_moment(each, text, asker.model, each.why) for each, text in told.explained]
        explained += await asyncio.to_thread(_replaced, told.unexplained)
        await self._write(explained, told)
        if told.unanswered and not self._last:
            # Perhaps the service is back for the next round.
            again = {_place(each.candidate) for each in told.unanswered}
            self._open = [*self._open, *(each.candidate for each in told.unanswered)]
            self._taken = [each for each in self._taken if _place(each) not in again]


def _place(candidate: Candidate) -> tuple[int, int]:
    return candidate.game, candidate.ply


def _templates(
    rows: Sequence[CandidateGame],
) -> tuple[list[Candidate], list[Choice], list[NewMoment]]:
    """The candidates of the games, the moments that have no model's words, and those that are not written."""
    found: list[Candidate] = []
    choices: list[Choice] = []
    for row in rows:
        of_game = candidates.of_game(row)
        found += of_game
        choices += [
            each for each in choice.of_game(of_game) if each.candidate.explained_by in ("", templates.NAME)
        ]
    moments = [
        _moment(each, templates.explain(each.candidate), templates.NAME, each.why)
        for each in choices
        if not each.candidate.explained_by
    ]
    return found, choices, moments


def _replaced(unexplained: Sequence[tuple[Choice, str]]) -> list[NewMoment]:
    """Templates for what the LLM was to explain; the reason is the last of those for the moment."""
    return [
        _moment(each, templates.explain(each.candidate), templates.NAME, (*each.why, reason))
        for each, reason in unexplained
    ]


def _moment(chosen: Choice, text: str, explained_by: str, why: Sequence[str]) -> NewMoment:
    candidate = chosen.candidate
    return NewMoment(
        game_analysis_id=candidate.game_analysis_id,
        ply=candidate.ply,
        judgement=candidate.judgement,
        fen_before=candidate.fen,
        move_san=candidate.san,
        best_san=candidate.best_san,
        win_percent_lost=candidate.lost,
        themes=candidate.themes,
        explanation=text,
        explained_by=explained_by,
        why=tuple(why),
    )
