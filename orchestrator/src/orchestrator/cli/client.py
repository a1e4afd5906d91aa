"""The way to an orchestrator: channel, token, deadlines, pages, and ids by their first characters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import grpc
import grpc.aio
import jwt

from orchestrator.cli.failures import as_failure
from orchestrator.client_settings import ClientSettings
from orchestrator.settings import load_settings
from rookify.sync.v1 import sync_pb2_grpc
from servicekit.address import host_port
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError, FailedPrecondition, NotFound
from servicekit.plaintext import is_loopback
from servicekit.server import CHANNEL_OPTIONS
from servicekit.tls import ClientSecurity

CALL_SECONDS: Final = 20.0  # a page of analyses over a slow database; a person waits no longer than this
PAGE_SIZE: Final = 100
RETRY: Final = Backoff(0.2, 5.0)  # before a call, or a watch that broke, is tried again
_TRIES: Final = 4  # of a call that is safe to repeat: 0.2 + 0.4 + 0.8 s at most, a restart's blink
_SHORT_ID: Final = re.compile(r"[0-9a-f-]{4,35}")

LOOPBACK_OR_TLS: Final = ClientSecurity()

Request = TypeVar("Request")
Response = TypeVar("Response")
Metadata = tuple[tuple[str, str], ...]


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


Page = TypeVar("Page", bound=_Page)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Client:
    """One connection. `subject` is the user that the token names, empty where it names none."""

    target: str
    sync: sync_pb2_grpc.SyncServiceAsyncStub
    admin: sync_pb2_grpc.SyncAdminServiceAsyncStub
    subject: str
    metadata: Metadata = field(repr=False)

    def user(self, given: str | None) -> str:
        """Who the call is about: `--user`, else the token's own user."""
        if given or self.subject:
            return given or self.subject
        raise ConfigurationError("the token names no user: say which by --user UUID.", reason="NO_USER")

    async def call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        return await method(request, metadata=self.metadata, timeout=CALL_SECONDS)

    async def call_safely(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        """For a request that may be repeated: tried again while the server cannot be reached."""
        for attempt in range(1, _TRIES):
            try:
                return await self.call(method, request)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            await asyncio.sleep(RETRY.delay(attempt))
        return await self.call(method, request)


def run(work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Connect as the settings say and do `work`; a failed call becomes an error that people can read."""
    settings = load_settings(ClientSettings)
    token = settings.token.get_secret_value().strip() if settings.token else ""
    return asyncio.run(_run(settings.orchestrator, token, settings.security(), work))


async def _run(
    target: str, token: str, security: ClientSecurity, work: Callable[[Client], Coroutine[Any, Any, T]]
) -> T:
    async with connect(target, token, security) as client:
        try:
            return await work(client)
        except grpc.aio.AioRpcError as error:
            raise as_failure(error, client.target, tls=speaks_tls(target, security)) from error


@asynccontextmanager
async def connect(
    target: str, token: str, security: ClientSecurity = LOOPBACK_OR_TLS
) -> AsyncIterator[Client]:
    """A client for `host:port` that shows `token` on every call. Opens no socket until the first call."""
    subject = token_subject(token)
    async with open_channel(target, security) as channel:
        yield Client(
            target=target,
            sync=sync_pb2_grpc.SyncServiceStub(channel),
            admin=sync_pb2_grpc.SyncAdminServiceStub(channel),
            subject=subject,
            metadata=(("authorization", f"Bearer {token}"),),
        )


def open_channel(target: str, security: ClientSecurity = LOOPBACK_OR_TLS) -> grpc.aio.Channel:
    """Plaintext on loopback, unless TLS is set up; anywhere else TLS, unless plaintext is asked for by name.

    So the token never travels in the clear by mistake. Raises ConfigurationError.
    """
    host, _ = host_port(target, "ROOKIFY_ORCHESTRATOR", example="127.0.0.1:50051")
    direct = (("grpc.enable_http_proxy", 0),) if is_loopback(host) else ()
    options = (*CHANNEL_OPTIONS, *direct, *security.name_options())
    if speaks_tls(target, security):
        return grpc.aio.secure_channel(target, security.credentials(), options=options)
    return grpc.aio.insecure_channel(target, options=options)


def speaks_tls(target: str, security: ClientSecurity) -> bool:
    """Whether `open_channel` calls `host:port` by TLS."""
    return security.tls or not (security.allow_plaintext or is_loopback(target.rpartition(":")[0]))


def token_subject(token: str) -> str:
    """The token's `sub`, not verified: the server does that, this only saves typing --user."""
    if not token:
        raise ConfigurationError(
            "no token: set ROOKIFY_TOKEN to one; `rookify token --user UUID` makes it.", reason="NO_TOKEN"
        )
    if token.startswith("sb_secret_"):  # a Supabase project's own key, which is no JWT and no user's
        return ""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise ConfigurationError(
            "ROOKIFY_TOKEN does not hold a token (a JWT); `rookify token --user UUID` makes one.",
            reason="BAD_TOKEN",
        ) from None
    subject = claims.get("sub")
    return subject if isinstance(subject, str) else ""


async def pages(fetch: Callable[[str], Awaitable[Page]]) -> AsyncIterator[Page]:
    """Every page; `fetch` takes the page token, empty for the first."""
    token = ""
    while True:
        page = await fetch(token)
        yield page
        if page.next_page_token == token:  # at the end both are empty; else the server goes in circles
            return
        token = page.next_page_token
        if not token:
            return


async def full_id(typed: str, what: str, known: AsyncIterator[str]) -> str:
    """The one id among `known` that begins as typed; a whole UUID is taken as it is, without asking.

    Tables show the first characters of ids, and those should do.
    """
    text = typed.strip().lower()
    with suppress(ValueError):
        return str(UUID(text))
    if not _SHORT_ID.fullmatch(text):
        return text  # nonsense: the server says what is wrong with it
    matches = [each async for each in known if each.startswith(text)]
    if not matches:
        raise NotFound(f"there is no {what} whose id begins with {typed!r}.")
    if len(matches) > 1:
        raise FailedPrecondition(
            f"{typed!r} begins {len(matches)} ids; give more of the one you mean: {', '.join(matches[:3])}…"
        )
    return matches[0]
