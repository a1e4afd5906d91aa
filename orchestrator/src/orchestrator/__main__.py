"""The orchestrator's composition root: builds every part from the settings, runs them, stops them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog

from orchestrator import metrics
from orchestrator.analyzers.pool import AnalyzerPool
from orchestrator.auth.interceptor import AuthInterceptor
from orchestrator.auth.setup import token_verifier
from orchestrator.domain import Platform
from orchestrator.explain.policy import Policy
from orchestrator.explain.run import Explainer
from orchestrator.figures import keep_figures
from orchestrator.hub import Hub
from orchestrator.platforms.base import PlatformClient
from orchestrator.platforms.chesscom import ChessComClient
from orchestrator.platforms.lichess import LichessClient
from orchestrator.quotas import limits, llm_budget
from orchestrator.service.admin_servicer import AdminServicer
from orchestrator.service.compat_servicer import CompatServicer
from orchestrator.service.sync_servicer import SyncServicer
from orchestrator.service.validate import MAX_REQUEST_BYTES
from orchestrator.settings import Settings, load_settings
from orchestrator.store.choice import choose, open_transport
from orchestrator.store.schema import check_schema
from orchestrator.store.store import Store
from orchestrator.sync.runner import Runner
from orchestrator.sync_jobs import job_manager
from orchestrator.token_cipher import TokenCipher
from rookify.compat.v1 import compat_pb2, compat_pb2_grpc
from rookify.sync.v1 import sync_pb2, sync_pb2_grpc
from servicekit import logs
from servicekit.errors import ConfigurationError
from servicekit.interceptors import ErrorInterceptor
from servicekit.metrics import serving
from servicekit.plaintext import refuse_plaintext_url
from servicekit.server import GrpcServer, stop_signals
from servicekit.tracing import exporting

log = structlog.get_logger()

# Beside the watches, probes included. Short calls: 200 a second (docs/operations.md) that all wait 4 s for a
# database that is away come to 800. Only what is opened and never sent gets beyond.
_MAX_OTHER_CALLS = 2000
EXIT_CONFIGURATION = 2  # a supervisor need not try again before somebody has changed a setting


async def serve(
    settings: Settings, stop: asyncio.Event, on_ready: Callable[[int], None] = lambda port: None
) -> None:
    """Until `stop` is set; `on_ready` is told the port. Raises ConfigurationError where it cannot start."""
    verifier = token_verifier(settings)
    # Users' lichess tokens go to the one, a key to the other.
    for variable, url in (
        ("ROOKIFY_LICHESS_URL", settings.lichess_url),
        ("OPENAI_BASE_URL", settings.openai_base_url),
    ):
        refuse_plaintext_url(variable, url, allowed=settings.allow_plaintext)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(verifier.aclose)
        store = Store(await stack.enter_async_context(open_transport(settings)))
        await check_schema(store)
        hub = Hub(store)
        analyzers = AnalyzerPool(
            settings.analyzers,
            security=settings.analyzer_security(),
            resolve_interval=timedelta(seconds=settings.analyzer_resolve_interval),
            silence=timedelta(seconds=settings.analyzer_silence),
        )
        platforms: dict[Platform, PlatformClient] = {
            Platform.CHESS_COM: ChessComClient(settings.chesscom_url, settings.contact),
            Platform.LICHESS: LichessClient(settings.lichess_url, settings.contact),
        }
        for platform in platforms.values():
            stack.push_async_callback(platform.aclose)
        cipher = TokenCipher(settings.token_key.get_secret_value() if settings.token_key else None)
        runner = Runner(
            job_manager(store.patient(), settings),
            store.patient(),
            platforms,
            analyzers,
            cipher,
            _explainer(settings, store.patient(), stack),
            stuck_after=timedelta(seconds=settings.stuck_after),
            capacity=settings.jobs_per_replica,
            write_interval=(
                store.pace.write_interval if settings.write_interval is None else settings.write_interval
            ),
        )
        hub.listeners.append(runner.on_change)
        server = GrpcServer(
            settings.listen,
            interceptors=[ErrorInterceptor(), AuthInterceptor(verifier)],
            options=[("grpc.max_receive_message_length", MAX_REQUEST_BYTES)],
            security=settings.security(),
            max_calls=settings.max_watches + _MAX_OTHER_CALLS,
        )
        services = sync_pb2.DESCRIPTOR.services_by_name
        sync, admin = SyncServicer(store, hub, cipher, settings), AdminServicer(store, settings)
        server.add(sync_pb2_grpc.add_SyncServiceServicer_to_server, sync, services["SyncService"].full_name)
        server.add(
            sync_pb2_grpc.add_SyncAdminServiceServicer_to_server,
            admin,
            services["SyncAdminService"].full_name,
        )
        server.add(
            compat_pb2_grpc.add_CompatServiceServicer_to_server,
            CompatServicer(store, sync, admin),
            compat_pb2.DESCRIPTOR.services_by_name["CompatService"].full_name,
        )
        metrics.follow(metrics.JOBS_HELD, lambda: runner.jobs)
        loop = asyncio.get_running_loop()
        metrics.follow(metrics.TASKS, lambda: len(asyncio.all_tasks(loop)))
        metrics.follow(metrics.WATCHERS, lambda: hub.watchers)
        metrics.follow(metrics.ANALYZERS, lambda: analyzers.connected)
        metrics.follow(metrics.CREDITS, lambda: analyzers.credits)
        metrics.follow(metrics.OUTSTANDING, lambda: analyzers.outstanding)
        stack.enter_context(serving(settings.metrics_listen))
        stack.enter_context(exporting("orchestrator", settings.otlp_endpoint))
        port = await server.start()

        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(hub.run(), name="hub"),
                tasks.create_task(analyzers.run(), name="analyzers"),
                tasks.create_task(verifier.run(), name="signing keys"),
            ]
            if settings.metrics_listen:
                background.append(tasks.create_task(keep_figures(store, limits(settings)), name="figures"))
            working = tasks.create_task(runner.run(), name="runner")
            await server.set_serving()
            log.info("ready", listen=settings.listen, port=port, database=choose(settings).value)
            on_ready(port)
            await stop.wait()

            # Health first, so that no new call comes; then the jobs are given back while calls still end.
            await server.set_not_serving()
            runner.stop()
            hub.close()
            await asyncio.wait([working], timeout=settings.shutdown_grace / 2)
            working.cancel()
            await server.stop(settings.shutdown_grace / 2)
            for task in background:
                task.cancel()
        log.info("stopped")


def _explainer(settings: Settings, store: Store, stack: AsyncExitStack) -> Explainer | None:
    if not settings.explain:
        return None
    policy = Policy(
        budget=llm_budget(settings),
        calls_per_game=settings.llm_calls_per_game,
        tokens_per_game=settings.llm_tokens_per_game,
        tokens_per_request=settings.llm_tokens_per_request,
        tokens_per_answer=settings.llm_tokens_per_answer,
        concurrency=settings.llm_concurrency,
        grace=settings.llm_grace,
    )
    if settings.openai_api_key is None:
        return Explainer(store, None, policy)
    # What it costs to load is for those alone who ask an LLM.
    from orchestrator.explain.openai_client import LlmSettings, OpenAiClient

    llm = OpenAiClient(
        LlmSettings(
            api_key=settings.openai_api_key.get_secret_value(),
            model=settings.llm_model,
            base_url=settings.openai_base_url or None,
            temperature=settings.llm_temperature,
            timeout=settings.llm_timeout,
        )
    )
    stack.push_async_callback(llm.aclose)
    return Explainer(store, llm, policy)


async def _run(settings: Settings) -> None:
    await serve(settings, stop_signals())


def main() -> None:
    logs.configure("orchestrator", "info", "auto")
    try:
        settings = load_settings(Settings)
        logs.configure("orchestrator", settings.log_level, settings.log_format)
        asyncio.run(_run(settings))
    except ConfigurationError as error:
        log.error("cannot start", error=error.message)  # noqa: TRY400  the message is for people, the traceback not
        sys.exit(EXIT_CONFIGURATION)


if __name__ == "__main__":
    main()
