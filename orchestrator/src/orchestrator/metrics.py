"""The orchestrator's Prometheus metrics, every name in one place; docs/operations.md says what for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prometheus_client import Counter, Gauge, Histogram

from servicekit.metrics import LATENCY_BUCKETS

# Seconds: fetching takes one to some minutes, analyzing up to hours.
_PHASE_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600)
# Seconds: an event is to reach its watchers within a quarter of one.
_DELAY_BUCKETS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2.5, 5)
# Seconds: a request has several moments to explain.
_LLM_BUCKETS = (0.5, 1, 2, 4, 8, 15, 30, 60)

# Of the whole system, as each replica reads them from the database: take the largest, not the sum.
JOBS = Gauge("rookify_jobs", "Active sync jobs.", ["status"])
QUEUE_AGE = Gauge("rookify_queue_age_seconds", "How long the job that waits longest has waited for a worker.")
STUCK_JOBS = Gauge("rookify_stuck_jobs", "Active jobs without progress for a quarter of an hour.")
BACKLOG = Gauge("rookify_backlog_games", "Games of active jobs that are found and not yet analyzed.")
AUDIT_FINDINGS = Gauge(
    "rookify_audit_findings", "Breaches of the compliance rules, from the audit.", ["rule"]
)

# Of this replica.
JOBS_HELD = Gauge("rookify_jobs_held", "Jobs that this replica works.")
JOBS_ENDED = Counter(
    "rookify_jobs_ended", "Jobs that a worker has brought to their end.", ["platform", "status"]
)
PHASE_SECONDS = Histogram(
    "rookify_job_phase_seconds", "Time of jobs in a phase.", ["phase"], buckets=_PHASE_BUCKETS
)
GAMES = Counter("rookify_games", "Games that have ended.", ["outcome"])
GAME_RETRIES = Counter("rookify_game_retries", "Games sent to an analyzer again.", ["reason"])
ANALYZERS = Gauge("rookify_analyzers", "Analyzers connected.")
CREDITS = Gauge("rookify_stream_credits", "Games that analyzers would take now.")
OUTSTANDING = Gauge("rookify_games_outstanding", "Games at analyzers.")
TASKS = Gauge("rookify_tasks", "Tasks of the event loop.")
WATCHERS = Gauge("rookify_watchers", "WatchSync streams open.")
EVENT_DELAY = Histogram(
    "rookify_event_delay_seconds", "From a change's commit to its event's sending.", buckets=_DELAY_BUCKETS
)
PLATFORM_REQUESTS = Counter(
    "rookify_platform_requests", "Requests by HTTP status; none: no answer.", ["platform", "status"]
)
LLM_CALLS = Counter("rookify_llm_calls", "Calls of the LLM, retries included.", ["outcome"])
LLM_TOKENS = Counter("rookify_llm_tokens", "Tokens of the LLM, as it counts them.", ["direction"])
LLM_SECONDS = Histogram(
    "rookify_llm_request_seconds", "Requests to the LLM, retries included.", buckets=_LLM_BUCKETS
)
MOMENTS = Counter("rookify_moments", "Moments explained.", ["by"])
DATABASE_SECONDS = Histogram(
    "rookify_database_call_seconds",
    "Calls of SQL functions, repeats apart.",
    ["function"],
    buckets=LATENCY_BUCKETS,
)
DATABASE_FAILURES = Counter(
    "rookify_database_call_failures",
    "Calls of SQL functions that failed, by the error's reason.",
    ["function", "reason"],
)


@contextmanager
def database_call(function: str) -> Iterator[None]:
    """Measures one call; what it raises is counted by its `reason`."""
    started = time.monotonic()
    try:
        yield
    except Exception as error:
        DATABASE_FAILURES.labels(function, getattr(error, "reason", type(error).__name__)).inc()
        raise
    finally:
        DATABASE_SECONDS.labels(function).observe(time.monotonic() - started)


_phases: OrderedDict[UUID, tuple[str, float]] = (
    OrderedDict()
)  # of the jobs that this process moved: since when
_MOST_PHASES = 10_000  # jobs lost to other workers are forgotten


def job_moved(job_id: UUID, platform: str, status: str, *, over: bool) -> None:
    """A worker of this process has moved the job on."""
    now = time.monotonic()
    phase, began = _phases.pop(job_id, (status, now))
    if phase != status:
        PHASE_SECONDS.labels(phase).observe(now - began)
    if over:
        JOBS_ENDED.labels(platform, status).inc()
        return
    _phases[job_id] = (status, now if phase != status else began)
    if len(_phases) > _MOST_PHASES:
        _phases.popitem(last=False)


def follow(gauge: Gauge, value: Callable[[], float]) -> None:
    """Have a gauge read its value whenever it is asked for."""
    gauge.set_function(value)
