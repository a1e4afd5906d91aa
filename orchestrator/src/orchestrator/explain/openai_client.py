"""The LLM behind an API that speaks OpenAI's chat completions: its answers and failures as `Answer`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import openai
import stamina
import structlog
from openai.types.chat import ChatCompletion

from orchestrator.explain.llm import Answer, Outcome
from orchestrator.explain.request import Prompt
from orchestrator.platforms.answers import retry_after_seconds
from orchestrator.platforms.breaker import Breaker

log = structlog.get_logger()

_ATTEMPTS = 3  # waiting 0.5 and 1 s between them: a blip is over by then, an outage is not
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0  # a pause asked for that is longer is not worth holding a job for
# So many requests in a row without an answer, and nothing is asked for a while: 15, 30, then 60 s. Meanwhile
# jobs end without waiting.
_BREAKER = (3, 15.0, 60.0)
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """`timeout` is for one attempt, in seconds; `temperature` None leaves the model its own."""

    api_key: str = field(repr=False)
    model: str
    base_url: str | None = None
    temperature: float | None = None
    timeout: float = 60.0


class _Failed(Exception):
    """One attempt failed; `retry_after` is what the service asks for, None where another is of no use."""

    def __init__(self, outcome: Outcome, retry_after: float | None) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.retry_after = retry_after


class OpenAiClient:
    """One for a process: it leaves a dead service alone, whosoever asks."""

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key,
            base_url=settings.base_url,
            timeout=openai.Timeout(settings.timeout, connect=min(_CONNECT_SECONDS, settings.timeout)),
            max_retries=0,  # the policy is here
            default_headers={"User-Agent": f"rookify-sync/{version('rookify-orchestrator')}"},
        )
        self._breaker = Breaker(*_BREAKER)
        self._rests_until = 0.0

    @property
    def model(self) -> str:
        return self._settings.model

    async def aclose(self) -> None:
        await self._client.close()

    async def ask(self, prompt: Prompt) -> Answer:
        calls, began = 0, time.monotonic()
        if began < self._rests_until:
            return Answer(Outcome.UNAVAILABLE)
        try:
            async for attempt in _retries():
                with attempt:
                    calls += 1
                    completion = await self._attempt(prompt)
        except _Failed as failed:
            self._failed(failed.outcome)
            return Answer(failed.outcome, calls=calls, latency_seconds=time.monotonic() - began)
        self._breaker.succeeded()
        return _answer(completion, prompt, calls, time.monotonic() - began)

    async def _attempt(self, prompt: Prompt) -> ChatCompletion:
        """One request. Raises _Failed."""
        temperature = self._settings.temperature
        try:
            async with asyncio.timeout(self._settings.timeout):  # the client's own is for each read
                return await self._client.chat.completions.create(
                    model=self._settings.model,
                    messages=[
                        {"role": "system", "content": prompt.system},
                        {"role": "user", "content": prompt.user},
                    ],
                    response_format={
                        "type": "json_schema",
                        "json_schema": {
                            "name": "explanations",
                            "strict": True,
                            "schema": dict(prompt.schema),
                        },
                    },
                    max_completion_tokens=prompt.most_output_tokens,
                    temperature=openai.omit if temperature is None else temperature,
                )
        except (TimeoutError, openai.APITimeoutError):
            raise _Failed(Outcome.TIMEOUT, None) from None
        except openai.APIStatusError as error:
            raise _status(error) from None
        except openai.APIConnectionError:
            raise _Failed(Outcome.UNAVAILABLE, 0) from None
        except (openai.OpenAIError, ValueError):  # a body that is no JSON, or not the API's
            raise _Failed(Outcome.WRONG_SHAPE, None) from None

    def _failed(self, outcome: Outcome) -> None:
        if outcome is Outcome.WRONG_SHAPE:
            return  # it answers
        if rest := self._breaker.failed():
            log.warning("the LLM is left alone", why=outcome.value, seconds=round(rest, 1))
            self._rests_until = time.monotonic() + rest


def _retries() -> AsyncIterator[stamina.Attempt]:
    return stamina.retry_context(
        on=_wait,
        attempts=_ATTEMPTS,
        timeout=None,
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
        wait_jitter=_FIRST_WAIT,
    ).with_name("LLM request", (), {})


def _wait(error: Exception) -> bool | float:
    """Whether, and how long at least, to wait before the next attempt."""
    if not isinstance(error, _Failed) or error.retry_after is None:
        return False
    return error.retry_after or True


def _status(error: openai.APIStatusError) -> _Failed:
    asked = retry_after_seconds(error.response.headers.get("Retry-After"), datetime.now(UTC))
    if error.status_code == 429:
        # A quota that is used up answers 429 too, and does not come back in seconds.
        spent = error.code == "insufficient_quota"
        hopeless = spent or (asked is not None and asked > _LONGEST_WAIT)
        return _Failed(Outcome.RATE_LIMITED, None if hopeless else asked or 0)
    if error.status_code >= 500 or error.status_code in (408, 409):
        return _Failed(Outcome.UNAVAILABLE, asked or 0)
    log.warning("the LLM refuses requests", status=error.status_code, code=error.code)
    return _Failed(Outcome.REJECTED, None)


def _answer(completion: ChatCompletion, prompt: Prompt, calls: int, seconds: float) -> Answer:
    """Whatever came with status 200. The library checks no shapes: what lacks a part of it has no choice."""
    choices = getattr(completion, "choices", None)
    choice = choices[0] if choices else None
    message = getattr(choice, "message", None)
    finish = getattr(choice, "finish_reason", None)
    content = getattr(message, "content", None) or ""
    if finish == "content_filter" or getattr(message, "refusal", None):
        outcome = Outcome.REFUSED
    elif finish == "length":
        outcome = Outcome.CUT_OFF
    else:
        outcome = Outcome.ANSWERED if content and isinstance(content, str) else Outcome.WRONG_SHAPE
    usage = getattr(completion, "usage", None)
    cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
    # A service that does not count is taken at the most that it may have used.
    input_tokens = getattr(usage, "prompt_tokens", None) or prompt.tokens - prompt.most_output_tokens
    output_tokens = getattr(usage, "completion_tokens", None)
    return Answer(
        outcome=outcome,
        content=content if outcome is Outcome.ANSWERED else "",
        calls=calls,
        input_tokens=input_tokens,
        cached_input_tokens=cached or 0,
        output_tokens=prompt.most_output_tokens if output_tokens is None else output_tokens,
        latency_seconds=seconds,
    )
