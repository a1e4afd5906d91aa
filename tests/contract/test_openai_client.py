"""The LLM's client against a server that answers as OpenAI's API does, in every way in which it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.explain.llm import Outcome
from orchestrator.explain.openai_client import LlmSettings, OpenAiClient
from orchestrator.explain.request import SCHEMA, Prompt
from tests.support import openai_server
from tests.support.openai_server import KEY, MODEL, OpenAiServer

PROMPT = Prompt("You are a coach.", "[]", SCHEMA, most_output_tokens=100)


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as running:
        yield running


@pytest.fixture
async def connect(server: OpenAiServer) -> AsyncIterator[Callable[..., OpenAiClient]]:
    """Clients with changed settings, closed at the end."""
    made: list[OpenAiClient] = []

    def client(**changes: Any) -> OpenAiClient:
        settings = LlmSettings(api_key=KEY, model=MODEL, base_url=server.url, timeout=5)
        made.append(OpenAiClient(replace(settings, **changes)))
        return made[-1]

    yield client
    for each in made:
        await each.aclose()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.explain.openai_client._FIRST_WAIT", 0.01)


Connect = Callable[..., OpenAiClient]


class TestAnswers:
    async def test_an_answer_comes_with_what_it_cost(self, server: OpenAiServer, connect: Connect) -> None:
        answer = await connect(temperature=0.2).ask(PROMPT)
        assert (answer.outcome, answer.content, answer.calls) == (
            Outcome.ANSWERED,
            '{"explanations": []}',
            1,
        )
        assert (answer.input_tokens, answer.output_tokens) == (server.input_tokens, server.output_tokens)
        assert answer.input_tokens > 80
        assert answer.latency_seconds > 0
        (seen,) = server.requests
        assert seen.body["temperature"] == 0.2
        assert seen.body["max_completion_tokens"] == 100
        assert [message["role"] for message in seen.body["messages"]] == ["system", "user"]
        assert seen.body["response_format"]["json_schema"]["strict"] is True

    async def test_the_temperature_is_the_models_own_unless_it_is_set(
        self, server: OpenAiServer, connect: Connect
    ) -> None:
        await connect().ask(PROMPT)
        assert "temperature" not in server.requests[0].body

    async def test_refusals_are_told_from_answers(self, server: OpenAiServer, connect: Connect) -> None:
        server.script = [server.refuses, server.filters]
        client = connect()
        assert [(await client.ask(PROMPT)).outcome for _ in range(2)] == [Outcome.REFUSED] * 2
        assert len(server.requests) == 2  # asking the same again is of no use

    async def test_what_was_cut_off_is_not_taken_for_whole(
        self, server: OpenAiServer, connect: Connect
    ) -> None:
        server.script = [server.says("x" * 1000)]
        answer = await connect().ask(PROMPT)
        assert (answer.outcome, answer.output_tokens) == (Outcome.CUT_OFF, 100)

    @pytest.mark.parametrize("answer", [openai_server.is_no_json, "empty"])
    async def test_what_is_no_answer_of_the_api(
        self, server: OpenAiServer, connect: Connect, answer: Any
    ) -> None:
        server.script = [server.says("") if answer == "empty" else answer]
        assert (await connect().ask(PROMPT)).outcome is Outcome.WRONG_SHAPE


class TestTrouble:
    async def test_a_blip_is_tried_again(self, server: OpenAiServer, connect: Connect) -> None:
        server.script = [openai_server.breaks(500), openai_server.drops]
        answer = await connect().ask(PROMPT)
        assert (answer.outcome, answer.calls) == (Outcome.ANSWERED, 3)

    async def test_an_outage_is_told_after_three_calls(self, server: OpenAiServer, connect: Connect) -> None:
        server.always = openai_server.breaks(503)
        answer = await connect().ask(PROMPT)
        assert (answer.outcome, answer.calls, len(server.requests)) == (Outcome.UNAVAILABLE, 3, 3)

    async def test_the_pause_that_is_asked_for_is_kept(self, server: OpenAiServer, connect: Connect) -> None:
        server.script = [openai_server.limits("1")]
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await connect().ask(PROMPT)
        assert (answer.outcome, answer.calls) == (Outcome.ANSWERED, 2)
        assert loop.time() - began >= 1

    @pytest.mark.parametrize(
        "limit", [openai_server.limits("120"), openai_server.limits(code="insufficient_quota")]
    )
    async def test_a_pause_too_long_to_wait_for(
        self, server: OpenAiServer, connect: Connect, limit: Any
    ) -> None:
        server.always = limit
        answer = await connect().ask(PROMPT)
        assert (answer.outcome, answer.calls) == (Outcome.RATE_LIMITED, 1)

    async def test_silence_has_its_time(self, server: OpenAiServer, connect: Connect) -> None:
        server.always = server.hangs
        answer = await connect(timeout=0.2).ask(PROMPT)
        assert (answer.outcome, answer.calls) == (Outcome.TIMEOUT, 1)

    async def test_nobody_listens(self, connect: Connect) -> None:
        answer = await connect(base_url="http://127.0.0.1:9/v1").ask(PROMPT)
        assert (answer.outcome, answer.calls) == (Outcome.UNAVAILABLE, 3)

    @pytest.mark.parametrize("wrong", [{"api_key": "sk-other"}, {"model": "coach-2"}])
    async def test_a_wrong_setting_is_no_reason_to_try_again(self, connect: Connect, wrong: Any) -> None:
        answer = await connect(**wrong).ask(PROMPT)
        assert (answer.outcome, answer.calls) == (Outcome.REJECTED, 1)

    async def test_a_dead_service_is_left_alone(self, server: OpenAiServer, connect: Connect) -> None:
        server.always = openai_server.breaks()
        client = connect()
        for _ in range(3):
            await client.ask(PROMPT)
        calls = len(server.requests)
        answer = await client.ask(PROMPT)
        assert (answer.outcome, answer.calls, len(server.requests)) == (Outcome.UNAVAILABLE, 0, calls)


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(LlmSettings(api_key=KEY, model=MODEL))
