"""Whose certificates are trusted by what this process calls over HTTPS."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """The CAs, as httpx finds them. Once for the process: reading them blocks for some 40 ms."""
    return httpx.create_ssl_context()
