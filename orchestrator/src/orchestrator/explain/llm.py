"""What explaining sees of an LLM: a prompt goes in, an answer comes back, and it never raises. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orchestrator.explain.request import Prompt


class Outcome(StrEnum):
    """What came of a request; the values are those of `llm_usage.outcome`."""

    ANSWERED = "answered"
    REFUSED = "refused"  # by the model, or by the service's filter
    CUT_OFF = "cut_off"  # the answer was longer than it may be
    WRONG_SHAPE = "wrong_shape"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"  # no connection, or an error of the service's own
    REJECTED = "rejected"  # a key, model or request that the service does not take
    ABANDONED = "abandoned"  # the time for it was over

    @property
    def answered(self) -> bool:
        """Whether the model has looked at it."""
        return self in (Outcome.ANSWERED, Outcome.REFUSED, Outcome.CUT_OFF, Outcome.WRONG_SHAPE)

    @property
    def worth_asking_again(self) -> bool:
        """Whether the same moments may well be explained by another request, made right away."""
        return self in (Outcome.ANSWERED, Outcome.CUT_OFF, Outcome.WRONG_SHAPE)


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` where there is one. `calls` counts what was sent, retries included; tokens are the
    service's."""

    outcome: Outcome
    content: str = field(default="", repr=False)
    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    latency_seconds: float = 0.0


class Llm(Protocol):
    """`model` is its name, as in `explained_by`."""

    @property
    def model(self) -> str: ...

    async def ask(self, prompt: Prompt) -> Answer:
        """Never raises; cancelling it gives the call up."""
        ...

    async def aclose(self) -> None: ...
