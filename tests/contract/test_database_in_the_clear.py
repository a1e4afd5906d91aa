"""A Postgres on another machine that has no TLS, or whoever says so in its place, hears no password."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from orchestrator.local import doctor
from orchestrator.settings import Settings
from orchestrator.store import choice, postgres
from servicekit.errors import ConfigurationError, Unavailable
from tests.support.rookify_cli import answered

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
HANDSHAKE = b"\x16"  # the first byte of a TLS client


class Listener:
    """Answers every question for TLS alike; `said` is the question of each connection and what followed."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.said: list[tuple[bytes, bytes]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        # An address that leads here too, and is none of loopback.
        self.url = f"postgresql://authenticator:hush@0.0.0.0:{port}/postgres"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = await reader.read(8)
            writer.write(self._answer)
            self.said.append((question, await reader.read(500)))
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(postgres, "_CHECKOUT_SECONDS", 0.5)


@pytest.fixture
async def without_tls() -> AsyncIterator[Listener]:
    async with Listener(b"N") as listener:
        yield listener


def settings(url: str, **given: Any) -> Settings:
    return Settings(_env_file=None, DATABASE_URL=url, SUPABASE_URL="", **given)  # type: ignore[call-arg]


async def asked_once(made: Settings) -> None:
    with pytest.raises(Unavailable):
        async with choice.open_transport(made) as transport:
            await transport.call("get_figures", {})


async def test_a_service_says_nothing_to_a_server_without_tls(without_tls: Listener) -> None:
    await asked_once(settings(without_tls.url))
    assert without_tls.said
    assert set(without_tls.said) == {(SSL_REQUEST, b"")}


async def test_nor_do_the_tools(without_tls: Listener, tmp_path: Path) -> None:
    given = {"DATABASE_URL": without_tls.url}
    for command in ("migrate", "doctor"):
        done = await answered(command, settings=given, folder=tmp_path)
        assert done.code
        assert "SSL" in done.out + done.err
        assert "hush" not in done.out + done.err
    assert len(without_tls.said) >= 2
    assert set(without_tls.said) == {(SSL_REQUEST, b"")}


async def test_a_server_with_tls_is_spoken_to_by_tls() -> None:
    async with Listener(b"S") as listener:
        await asked_once(settings(listener.url))
    assert listener.said
    assert {(question, said[:1]) for question, said in listener.said} == {(SSL_REQUEST, HANDSHAKE)}


async def test_what_asks_for_less_connects_to_nobody(without_tls: Listener, tmp_path: Path) -> None:
    for mode in ("disable", "allow", "prefer"):
        url = f"{without_tls.url}?sslmode={mode}"
        with pytest.raises(ConfigurationError, match="ROOKIFY_ALLOW_PLAINTEXT"):
            choice.open_transport(settings(url))
        (check,) = [check async for check in doctor._database(settings(url))]
        assert check.verdict is doctor.Verdict.FAIL
        assert f"sslmode={mode}" in check.found
        done = await answered("migrate", settings={"DATABASE_URL": url}, folder=tmp_path)
        assert done.code
        assert f"sslmode={mode}" in done.err
    assert not without_tls.said


async def test_where_plaintext_is_allowed_it_is_spoken(without_tls: Listener) -> None:
    await asked_once(settings(without_tls.url, allow_plaintext=True))
    assert any(b"authenticator" in said for _, said in without_tls.said)
