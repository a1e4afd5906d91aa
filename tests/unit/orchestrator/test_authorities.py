"""The CAs are read once, whoever calls by HTTPS."""

from __future__ import annotations

import ssl

import httpx
import pytest

from orchestrator.authorities import trusted
from orchestrator.platforms.chesscom import ChessComClient
from orchestrator.platforms.lichess import LichessClient
from orchestrator.store.supabase import SupabaseTransport


async def test_they_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ssl.SSLContext] = []
    create = httpx.create_ssl_context

    def reading() -> ssl.SSLContext:
        read.append(create())
        return read[-1]

    monkeypatch.setattr(httpx, "create_ssl_context", reading)
    trusted.cache_clear()
    for client in (ChessComClient(contact="a@b.example"), LichessClient(contact="a@b.example")):
        await client.aclose()
    async with SupabaseTransport("https://project.supabase.co", "sb_secret_0123456789abcdefghij_klmnopq"):
        pass
    assert len(read) == 1
