"""A local server that answers chat completions as OpenAI's API does: shapes, errors, headers, usage.

After its API reference (POST /v1/chat/completions, structured outputs by `response_format`). Tokens are
counted by a rule of its own, stated here: a quarter of the characters, rounded up, of all messages and the
schema going in, and of the content coming out. What it is asked is checked as the real one checks it: key,
model, parameters, strict schema.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

KEY = "sk-local-0123456789abcdef"
MODEL = "coach-1"
_PARAMETERS = {"model", "messages", "response_format", "max_completion_tokens", "temperature"}

Body = Mapping[str, Any]
Moment = Mapping[str, Any]
Answer = Callable[["Seen"], Awaitable[web.StreamResponse]]
Coach = Callable[[Moment], Mapping[str, Any] | None]


def tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def asked_tokens(body: Body) -> int:
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return sum(tokens(message["content"]) for message in body["messages"]) + tokens(
        json.dumps(schema) if schema else ""
    )


@dataclass(slots=True)
class Seen:
    """One request as it came."""

    body: Body
    headers: Mapping[str, str]
    request: web.Request = field(repr=False)

    @property
    def moments(self) -> list[Moment]:
        found: list[Moment] = json.loads(self.body["messages"][-1]["content"])
        return found


def coach(moment: Moment) -> Mapping[str, Any]:
    """A good answer of usual length: 40 words or so, about the moves of the moment alone."""
    move, then = moment["move"], moment["then"].split()
    if "better" not in moment:
        text = (
            f"You found {move}, and it was the only move that keeps your position together. Everything else "
            "would have let your opponent back into the game, so looking for the most forcing idea paid off "
            "here; remember the pattern for next time."
        )
        return {"id": moment["id"], "text": text, "moves": [move]}
    better = moment["better"].split()[0]
    reply = f" because of {then[0]}" if then else ""
    text = (
        f"You played {move}, which does not work{reply}. Before you commit to such a move, look at what it "
        f"leaves behind and at your opponent's most forcing answer. With {better} you would have kept your "
        "pieces safe and your plans alive."
    )
    return {"id": moment["id"], "text": text, "moves": [move, better, *then[:1]]}


@dataclass
class OpenAiServer:
    """`async with` it; `url` is the base URL for clients. `script` holds answers for the next requests, in
    turn; then `coach` explains every moment. `requests` are all that came, `input_tokens` and so on what was
    counted."""

    coach: Coach = coach
    script: list[Answer] = field(default_factory=list)
    always: Answer | None = None
    requests: list[Seen] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    url: str = ""

    async def __aenter__(self) -> Self:
        self._changed = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def settings(self) -> dict[str, str]:
        """For an orchestrator that is to use it."""
        return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.url, "ROOKIFY_LLM_MODEL": MODEL}

    async def seen(self, count: int) -> None:
        """Waits until so many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
        body = await request.json()
        if wrong := _wrong(body):
            return wrong
        seen = Seen(body, dict(request.headers), request)
        async with self._changed:
            self.requests.append(seen)
            self._changed.notify_all()
        answer = self.script.pop(0) if self.script else self.always or self._coached
        return await answer(seen)

    async def _coached(self, seen: Seen) -> web.StreamResponse:
        items = [item for moment in seen.moments if (item := self.coach(moment)) is not None]
        return self.completion(seen, json.dumps({"explanations": items}))

    def completion(
        self, seen: Seen, content: str | None, *, refusal: str | None = None, finish: str = "stop"
    ) -> web.Response:
        """The answer's envelope; too long a content is cut off, as the request says."""
        most = seen.body.get("max_completion_tokens")
        if content is not None and most is not None and tokens(content) > most:
            content, finish = content[: 4 * most], "length"
        going_in, coming_out = asked_tokens(seen.body), tokens(content or refusal or "")
        self.input_tokens += going_in
        self.output_tokens += coming_out
        return web.json_response(
            {
                "id": f"chatcmpl-{len(self.requests):029}",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": seen.body["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": content,
                            "refusal": refusal,
                            "annotations": [],
                        },
                        "logprobs": None,
                        "finish_reason": finish,
                    }
                ],
                "usage": {
                    "prompt_tokens": going_in,
                    "completion_tokens": coming_out,
                    "total_tokens": going_in + coming_out,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {
                        "reasoning_tokens": 0,
                        "audio_tokens": 0,
                        "accepted_prediction_tokens": 0,
                        "rejected_prediction_tokens": 0,
                    },
                },
                "service_tier": "default",
                "system_fingerprint": "fp_0123456789",
            },
            headers={"x-request-id": f"req_{len(self.requests):032x}", "openai-version": "2020-10-01"},
        )

    # What else may come

    async def refuses(self, seen: Seen) -> web.StreamResponse:
        return self.completion(seen, None, refusal="I'm sorry, I can't assist with that request.")

    async def filters(self, seen: Seen) -> web.StreamResponse:
        return self.completion(seen, "", finish="content_filter")

    async def cuts_off(self, seen: Seen) -> web.StreamResponse:
        whole = json.dumps({"explanations": [self.coach(moment) for moment in seen.moments]})
        return self.completion(seen, whole[: len(whole) // 2], finish="length")

    async def hangs(self, seen: Seen) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    def says(self, content: str) -> Answer:
        async def answer(seen: Seen) -> web.StreamResponse:
            return self.completion(seen, content)

        return answer

    def explains(self, *texts: str, moves: Sequence[str] = ()) -> Answer:
        """These texts for the first moments, whatever they are about."""
        items = [{"id": n, "text": text, "moves": list(moves)} for n, text in enumerate(texts, start=1)]
        return self.says(json.dumps({"explanations": items}))


def limits(retry_after: str | None = None, code: str = "rate_limit_exceeded") -> Answer:
    async def answer(seen: Seen) -> web.StreamResponse:
        headers = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "0"}
        kind = "insufficient_quota" if code == "insufficient_quota" else "requests"
        return error(
            429,
            f"Rate limit reached for {MODEL} on requests per min (RPM).",
            kind,
            code,
            headers | ({"Retry-After": retry_after} if retry_after else {}),
        )

    return answer


def breaks(status: int = 500) -> Answer:
    async def answer(seen: Seen) -> web.StreamResponse:
        return error(
            status,
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
            None,
        )

    return answer


async def is_no_json(seen: Seen) -> web.StreamResponse:
    """A proxy's page, with status 200."""
    return web.Response(text="<html>Welcome to the hotel's network</html>", content_type="text/html")


async def drops(seen: Seen) -> web.StreamResponse:
    """The connection, in the middle of an answer."""
    answer = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await answer.prepare(seen.request)
    await answer.write(b'{"id": "chatcmpl')
    assert seen.request.transport is not None
    seen.request.transport.close()
    return answer


def error(
    status: int, message: str, kind: str, code: str | None, headers: Mapping[str, str] | None = None
) -> web.Response:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def _wrong(body: Body) -> web.Response | None:
    """What the real service refuses."""
    invalid = "invalid_request_error"
    if unknown := set(body) - _PARAMETERS:
        return error(400, f"Unrecognized request argument supplied: {min(unknown)}", invalid, None)
    if body.get("model") != MODEL:
        message = f"The model `{body.get('model')}` does not exist or you do not have access to it."
        return error(404, message, invalid, "model_not_found")
    if not body.get("messages"):
        return error(400, "Missing required parameter: 'messages'.", invalid, "missing_required_parameter")
    asked = body.get("response_format")
    if asked is not None and not _is_strict(asked.get("json_schema", {}).get("schema")):
        message = "Invalid schema for response_format: 'additionalProperties' is required to be false."
        return error(400, message, invalid, None)
    return None


def _is_strict(schema: Any) -> bool:
    """Every object lists all its properties as required, and takes no others."""
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "object":
        return (
            schema.get("additionalProperties") is False
            and sorted(schema.get("required", [])) == sorted(schema["properties"])
            and all(map(_is_strict, schema["properties"].values()))
        )
    return schema.get("type") != "array" or _is_strict(schema.get("items"))
