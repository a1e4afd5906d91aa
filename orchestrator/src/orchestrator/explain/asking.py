"""Asks the LLM about chosen moments: cache and budget first, then side by side, each answer checked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from uuid import UUID, uuid4

import structlog

from orchestrator import metrics
from orchestrator.explain import answer, request
from orchestrator.explain.answer import Checked, WrongShape
from orchestrator.explain.choice import Choice
from orchestrator.explain.llm import Answer, Llm, Outcome
from orchestrator.explain.policy import Policy
from orchestrator.explain.rating import Band
from orchestrator.explain.request import Prompt
from orchestrator.store.moment_rows import KnownExplanation, LlmBudget, LlmCall, LlmRequest, NewMoment
from orchestrator.store.rows import Claim
from orchestrator.store.store import Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asking:
    """For whom is asked; `over` is set when there is no more time."""

    claim: Claim
    rating: int
    band: Band
    over: asyncio.Event


@dataclass(slots=True)
class Told:
    """What came of asking: texts, and of the other choices why there is none.

    `unanswered` are those of them that nobody answered: they may be asked about later. `usage` and `learned`
    are for the store.
    """

    explained: list[tuple[Choice, str]] = field(default_factory=list)
    unexplained: list[tuple[Choice, str]] = field(default_factory=list)
    unanswered: list[Choice] = field(default_factory=list)
    usage: list[LlmCall] = field(default_factory=list)
    learned: list[KnownExplanation] = field(default_factory=list)


@dataclass(slots=True)
class _Request:
    id: UUID
    choices: Sequence[Choice]
    prompt: Prompt
    sent: bool = False


class Asker:
    """One for a process: `concurrency` requests are under way at most."""

    def __init__(self, store: Store, llm: Llm, policy: Policy) -> None:
        self._store = store
        self._llm = llm
        self._policy = policy
        self._turns = asyncio.Semaphore(policy.concurrency)

    @property
    def model(self) -> str:
        return self._llm.model

    def groups(self, choices: Sequence[Choice], rating: int, tokens: int | None = None) -> list[list[Choice]]:
        """As many to a request as its tokens hold, in their order; unless said otherwise as the policy has
        it."""
        sizes = request.groups(
            [each.candidate for each in choices],
            rating,
            tokens or self._policy.tokens_per_request,
            self._policy.tokens_per_answer,
        )
        rest = iter(choices)
        return [list(islice(rest, len(size))) for size in sizes]

    async def ask(
        self,
        asking: Asking,
        choices: Sequence[Choice],
        others: Sequence[Choice],
        budget: LlmBudget,
        moments: Sequence[NewMoment] = (),
    ) -> Told:
        """Until all is answered, or there is no more time. What fails the checks is asked once more.

        Of `others` only what the cache knows is told. `moments` are written before anything is asked. Raises
        what the store raises; what was asked until then stays in the account at the most that it may have
        cost.
        """
        told = Told()
        tokens = self._policy.tokens_per_request
        requests = await self._plan(asking, choices, others, budget, tokens, told, moments)
        again = await self._read(await self._send(requests, asking.over), told)
        if again and not asking.over.is_set():
            # In smaller groups: what was cut off or confused has more room. And beyond the games' share of
            # calls, if need be, but within all other bounds.
            choices = [choice for choice, _ in again]
            requests = await self._plan(asking, choices, (), self._policy.budget, tokens // 2, told)
            again = await self._read(await self._send(requests, asking.over), told)
        told.unexplained += again
        return told

    async def _plan(
        self,
        asking: Asking,
        choices: Sequence[Choice],
        others: Sequence[Choice],
        budget: LlmBudget,
        tokens: int,
        told: Told,
        moments: Sequence[NewMoment] = (),
    ) -> list[_Request]:
        """What is to be sent: neither known already, nor beyond the budget."""
        rating, model = asking.rating, self._llm.model
        planned = await asyncio.to_thread(self._requests, choices, rating, tokens)
        plan = await self._store.plan_explanations(
            asking.claim,
            model,
            asking.band.name,
            list({_key(choice) for choice in (*choices, *others)}),
            [LlmRequest(each.id, len(each.choices), each.prompt.tokens) for each in planned],
            budget,
            moments,
        )
        known = {(each.position, each.move_uci): each.explanation for each in plan.known}
        hits = [(each, known[_key(each)]) for each in (*choices, *others) if _key(each) in known]
        if hits:
            told.explained += hits
            told.usage.append(LlmCall(uuid4(), model, "cached", len(hits), len(hits)))
        granted = [each.id for each in planned if each.id in plan.granted]
        unknown = [each for each in choices if _key(each) not in known]
        requests = await asyncio.to_thread(self._requests, unknown, rating, tokens) if hits else planned
        for each in requests[len(granted) :]:
            why = f"the LLM's budget was used up ({(plan.over or 'no budget').replace('_', ' ')})"
            told.unexplained += [(choice, why) for choice in each.choices]
        told.usage += [LlmCall(unused, model, "not_sent", 0) for unused in granted[len(requests) :]]
        return [
            replace(each, id=number)
            for number, each in zip(granted, requests, strict=False)  # either may be the longer
        ]

    def _requests(self, choices: Sequence[Choice], rating: int, tokens: int) -> list[_Request]:
        answer_tokens = self._policy.tokens_per_answer
        return [
            _Request(uuid4(), group, request.build([each.candidate for each in group], rating, answer_tokens))
            for group in self.groups(choices, rating, tokens)
        ]

    async def _send(self, requests: Sequence[_Request], over: asyncio.Event) -> list[tuple[_Request, Answer]]:
        """Each with its answer; those that had none when it was `over` were abandoned."""

        async def one(each: _Request) -> Answer:
            async with self._turns:
                each.sent = True
                return await self._llm.ask(each.prompt)

        tasks = [asyncio.create_task(one(each)) for each in requests]
        bell = asyncio.create_task(over.wait())
        try:
            waiting: set[asyncio.Task[object]] = set(tasks)
            while waiting and not over.is_set():
                _, left = await asyncio.wait({*waiting, bell}, return_when=asyncio.FIRST_COMPLETED)
                waiting = left - {bell}
        finally:
            for task in (*tasks, bell):
                task.cancel()
            await asyncio.gather(*tasks, bell, return_exceptions=True)
        return [
            (each, _abandoned(each) if task.cancelled() else task.result())
            for each, task in zip(requests, tasks, strict=True)
        ]

    async def _read(self, answers: Sequence[tuple[_Request, Answer]], told: Told) -> list[tuple[Choice, str]]:
        """Puts what came into `told`; what is worth asking again, with what was wrong."""
        again: list[tuple[Choice, str]] = []
        for each, came in answers:
            outcome, checked = came.outcome, Checked()
            if outcome is Outcome.ANSWERED:
                try:
                    candidates = [choice.candidate for choice in each.choices]
                    checked = await asyncio.to_thread(answer.check, came.content, candidates)
                except WrongShape:
                    outcome = Outcome.WRONG_SHAPE
            for place, choice in enumerate(each.choices):
                if place in checked.good:
                    told.explained.append((choice, checked.good[place]))
                    told.learned.append(KnownExplanation(*_key(choice), checked.good[place]))
                    continue
                fault = checked.faults.get(place, outcome.value.replace("_", " "))
                why = f"the LLM's answer could not be used: {fault}"
                (again if outcome.worth_asking_again else told.unexplained).append((choice, why))
                if not outcome.answered:
                    told.unanswered.append(choice)
            self._account(each, came, outcome, len(checked.good), told)
        return again

    def _account(self, each: _Request, came: Answer, outcome: Outcome, good: int, told: Told) -> None:
        if outcome is not Outcome.ANSWERED or good < len(each.choices):
            log.info(
                "LLM request",
                outcome=outcome.value,
                moments=len(each.choices),
                explained=good,
                calls=came.calls,
            )
        metrics.LLM_CALLS.labels(outcome.value).inc(came.calls)
        metrics.LLM_TOKENS.labels("input").inc(came.input_tokens)
        metrics.LLM_TOKENS.labels("output").inc(came.output_tokens)
        metrics.LLM_SECONDS.observe(came.latency_seconds)
        told.usage.append(
            LlmCall(
                id=each.id,
                model=self._llm.model,
                # What never went out costs nothing.
                outcome=outcome.value if came.calls else "not_sent",
                moments=len(each.choices),
                explained=good,
                calls=came.calls,
                input_tokens=came.input_tokens,
                cached_input_tokens=came.cached_input_tokens,
                output_tokens=came.output_tokens,
                latency_seconds=came.latency_seconds,
            )
        )


def _key(choice: Choice) -> tuple[str, str]:
    return choice.candidate.position, choice.candidate.uci


def _abandoned(each: _Request) -> Answer:
    """Nobody knows what it has cost: at most what was reserved."""
    if not each.sent:
        return Answer(Outcome.ABANDONED)
    return Answer(Outcome.ABANDONED, calls=1, input_tokens=each.prompt.tokens)
