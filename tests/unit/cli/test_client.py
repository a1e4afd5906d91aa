"""Addresses, tokens, pages and ids, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import jwt
import pytest

from orchestrator.cli.client import RETRY, full_id, open_channel, pages, token_subject
from servicekit.errors import ConfigurationError, FailedPrecondition, NotFound
from servicekit.plaintext import is_loopback

FIRST = "3f2a1b9c-0d9e-4c7b-8a65-1f2e3d4c5b6a"
SECOND = "3f2a7777-0d9e-4c7b-8a65-1f2e3d4c5b6a"
SECRET = "a signing secret of thirty-two bytes"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LocalHost", "[::1]", "::1"])
def test_loopback_may_be_plaintext(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "localhost.example.org", "example.org", "[2001:db8::1]", "192.168.1.1"]
)
def test_anything_else_may_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("target", ["", "localhost", ":50051", "host:", "host:http", "host:0", "host:65536"])
async def test_an_address_without_host_and_port_is_refused(target: str) -> None:
    with pytest.raises(ConfigurationError, match="ROOKIFY_ORCHESTRATOR"):
        open_channel(target)


def test_the_tokens_user_is_read_without_its_secret() -> None:
    assert token_subject(jwt.encode({"sub": FIRST}, SECRET)) == FIRST
    assert token_subject(jwt.encode({"role": "service_role"}, SECRET)) == ""
    assert token_subject("sb_secret_made_up") == ""


def test_an_expired_token_is_the_servers_to_judge() -> None:
    assert token_subject(jwt.encode({"sub": FIRST, "exp": 1}, SECRET)) == FIRST


def test_no_token_says_how_to_get_one() -> None:
    with pytest.raises(ConfigurationError, match="rookify token --user UUID"):
        token_subject("")


@pytest.mark.parametrize("token", ["secret-nonsense", "a.b.c", "ey.secret-nonsense.x"])
def test_what_is_no_token_is_not_repeated(token: str) -> None:
    with pytest.raises(ConfigurationError, match="ROOKIFY_TOKEN") as caught:
        token_subject(token)
    assert token not in str(caught.value)


def test_waits_grow_and_are_bounded() -> None:
    for attempt, longest in ((1, 0.2), (2, 0.4), (3, 0.8), (10, 5.0), (100_000, 5.0)):
        waits = {RETRY.delay(attempt) for _ in range(50)}
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(waits) > 1


@dataclass(frozen=True)
class Page:
    items: str
    next_page_token: str


async def test_pages_are_followed_to_the_last() -> None:
    book = {"": Page("a", "1"), "1": Page("b", "2"), "2": Page("c", "")}
    asked: list[str] = []

    async def fetch(token: str) -> Page:
        asked.append(token)
        return book[token]

    assert [page.items async for page in pages(fetch)] == ["a", "b", "c"]
    assert asked == ["", "1", "2"]


async def test_a_server_that_repeats_its_token_does_not_hold_the_client_forever() -> None:
    async def fetch(token: str) -> Page:
        return Page("x", "same")

    assert len([page async for page in pages(fetch)]) == 2


async def known(*ids: str) -> AsyncIterator[str]:
    for each in ids:
        yield each


async def test_the_beginning_of_an_id_is_enough() -> None:
    assert await full_id("3f2a1", "game", known(FIRST, SECOND)) == FIRST
    assert await full_id("3F2A1B9C-0", "game", known(FIRST, SECOND)) == FIRST


async def test_a_beginning_of_several_or_of_none_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="'3f2a' begins 2 ids"):
        await full_id("3f2a", "game", known(FIRST, SECOND))
    with pytest.raises(NotFound, match="no game whose id begins with 'beef'"):
        await full_id("beef", "game", known(FIRST, SECOND))


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (FIRST, FIRST),
        (FIRST.replace("-", "").upper(), FIRST),
        ("abc", "abc"),
        ("not-an-id", "not-an-id"),
        ("", ""),
    ],
)
async def test_whole_ids_and_nonsense_go_to_the_server_without_a_look_up(typed: str, sent: str) -> None:
    asked = False

    async def never() -> AsyncIterator[str]:
        nonlocal asked
        asked = True
        yield SECOND

    assert await full_id(typed, "game", never()) == sent
    assert not asked
