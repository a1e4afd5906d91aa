"""Every setting of the orchestrator, from the environment; `.env.example` lists them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from servicekit.settings import OptionalFile, OptionalSecret, ServiceSettings, load_settings
from servicekit.tls import ClientSecurity, ServerSecurity

__all__ = ["Settings", "default_data_dir", "load_settings"]


def default_data_dir() -> Path:
    """Root's stays out of its home, where Postgres (which refuses to run as root) could not reach it."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/rookify")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "rookify"


class Settings(ServiceSettings):
    """Durations are seconds."""

    # Where things are
    data: Path = Field(
        default_factory=default_data_dir,
        description="The embedded mode's folder; unset: /var/lib/rookify (root) or ~/.local/share/rookify",
    )
    database_url: OptionalSecret = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="Postgres to use instead of the embedded one; on another machine by TLS, "
        "sslmode=require where it names none",
    )
    supabase_url: str = Field(
        default="",
        validation_alias="SUPABASE_URL",
        description="A Supabase project, https://PROJECT.supabase.co: its users' access tokens are trusted; "
        "with its secret key and without DATABASE_URL it is the database to use",
    )
    supabase_service_role_key: OptionalSecret = Field(
        default=None,
        validation_alias="SUPABASE_SERVICE_ROLE_KEY",
        description="The project's secret key (sb_secret_…, or the legacy service_role key); "
        "who shows it as bearer token is the service",
    )
    listen: str = Field(default="127.0.0.1:50051", description="Where the orchestrator serves gRPC")
    analyzers: str = Field(
        default="127.0.0.1:50061",
        description="Comma-separated host:port; a DNS name stands for all its addresses, now and later",
    )
    chesscom_url: str = Field(
        default="https://api.chess.com/pub", description="chess.com's Published Data API"
    )
    lichess_url: str = Field(default="https://lichess.org", description="lichess's API")
    contact: str = Field(
        default="", description="Who runs this (mail or URL); sent in User-Agent as chess.com asks"
    )
    stockfish: str = Field(default="", description="Stockfish to use; empty: looked for on PATH")

    # Who may call
    jwt_secret: OptionalSecret = Field(
        default=None, description="HS256 signing secret; the embedded mode makes its own in the data folder"
    )
    token_key: OptionalSecret = Field(
        default=None,
        description="Fernet key that lichess tokens are kept under, or several with commas, the first for "
        "new ones; the embedded mode makes its own",
    )
    supabase_jwt_secret: OptionalSecret = Field(
        default=None,
        validation_alias="SUPABASE_JWT_SECRET",
        description="The project's legacy JWT secret, only where it still signs with that; "
        "without it HS256 is refused",
    )
    supabase_jwks_url: str = Field(
        default="",
        validation_alias="SUPABASE_JWKS_URL",
        description="Where the project's public keys are; empty: SUPABASE_URL/auth/v1/.well-known/jwks.json",
    )
    supabase_jwt_issuer: str = Field(
        default="",
        validation_alias="SUPABASE_JWT_ISSUER",
        description="The `iss` of its tokens, where that is not SUPABASE_URL/auth/v1",
    )

    # How it is reached, and reaches the analyzers
    tls_cert: OptionalFile = Field(
        default=None, description="The orchestrator's certificate (PEM, with what leads to its CA): serve TLS"
    )
    tls_key: OptionalFile = Field(default=None, description="Its private key (PEM)")
    tls_client_ca: OptionalFile = Field(
        default=None, description="Only callers with a certificate of this CA get in (mutual TLS)"
    )
    analyzer_tls_ca: OptionalFile = Field(
        default=None, description="The CA of the analyzers' certificates: reach them by TLS"
    )
    analyzer_tls_client_cert: OptionalFile = Field(
        default=None, description="The certificate that the orchestrator shows to them (mutual TLS)"
    )
    analyzer_tls_client_key: OptionalFile = Field(default=None, description="Its private key")
    analyzer_tls_name: str = Field(
        default="",
        description="What their certificates are for; empty: the host that ROOKIFY_ANALYZERS names",
    )
    allow_plaintext: bool = Field(
        default=False,
        description="Speak without TLS to other machines too: only where the network itself keeps secrets",
    )

    # How a job is worked
    jobs_per_replica: int = Field(
        default=16, ge=1, le=1000, description="Jobs that one orchestrator works at once"
    )
    lease_seconds: float = Field(
        default=15, ge=1, le=3600, description="A job without a heartbeat this long is taken over"
    )
    stuck_after: float = Field(
        default=7200, ge=1, description="An active job without progress this long is failed"
    )
    write_interval: float | None = Field(
        default=None,
        ge=0,
        le=10,
        description="Finished games of a job are written together this often; unset: 0.2, by SUPABASE_URL 1",
    )
    shutdown_grace: float = Field(
        default=8, ge=0, le=600, description="Time for open calls and jobs to end on SIGTERM"
    )
    analyzer_silence: float = Field(
        default=60,
        ge=1,
        le=3600,
        description="An analyzer that holds games and says nothing this long is given up",
    )
    analyzer_resolve_interval: float = Field(
        default=2, ge=0.1, le=3600, description="Between look-ups of a DNS name"
    )

    # Limits
    max_starts_per_window: int = Field(default=5, ge=1, description="Syncs a user may start per window")
    start_window_seconds: int = Field(default=600, ge=1, description="The window's length")
    max_games_per_day: int = Field(default=5000, ge=1, description="Games analyzed per user and day")
    max_games_per_sync: int = Field(default=5000, ge=1, description="Games of one sync, newest first")
    max_months: int = Field(default=12, ge=1, le=12, description="Months per sync")
    max_queued_jobs: int = Field(default=10_000, ge=1, description="Jobs waiting in the whole system")
    # A browser opens six streams to a host: for three of them, and streams that broke and are not missed yet.
    max_watches_per_user: int = Field(
        default=20,
        ge=1,
        le=1_000_000,
        description="WatchSync streams of a user at once, at each orchestrator",
    )
    # 33 KB each: 270 MB of the 512 MB that the manifests give, beside 135 MB for all else.
    max_watches: int = Field(
        default=8000, ge=1, le=1_000_000, description="WatchSync streams in all, at each orchestrator"
    )

    # Explanations
    explain: bool = Field(
        default=True,
        description="Explain the moments of games: by an LLM where OPENAI_API_KEY is set, else by templates",
    )
    openai_api_key: OptionalSecret = Field(
        default=None,
        validation_alias="OPENAI_API_KEY",
        description="Key of the LLM's API; unset: templates explain all",
    )
    openai_base_url: str = Field(
        default="",
        validation_alias="OPENAI_BASE_URL",
        description="Another service that speaks OpenAI's chat completions, its path to /v1 included",
    )
    llm_model: str = Field(
        default="gpt-4.1-mini", min_length=1, description="The model; it must answer by JSON schemas"
    )
    llm_temperature: float | None = Field(
        default=None, ge=0, le=2, description="Of the model; unset: its own, as some models demand"
    )
    llm_timeout: float = Field(default=60, ge=1, le=600, description="For one answer of the LLM")
    llm_grace: float = Field(
        default=25, ge=0, le=600, description="How long a sync waits for the LLM when its games are analyzed"
    )
    llm_concurrency: int = Field(
        default=8, ge=1, le=1000, description="Requests of one orchestrator to the LLM under way at once"
    )
    llm_tokens_per_answer: int = Field(
        default=160,
        ge=80,
        le=10_000,
        description="Most tokens for the explanation of one moment; a model that reasons needs more",
    )
    llm_tokens_per_request: int = Field(
        default=3000, ge=1000, le=1_000_000, description="For one request, answer included: some nine moments"
    )
    llm_calls_per_game: float = Field(
        default=0.25, gt=0, le=100, description="Requests for each game of a sync, on average"
    )
    llm_tokens_per_game: int = Field(
        default=2000, ge=300, le=1_000_000, description="Tokens for each game of a sync, on average"
    )
    llm_calls_per_sync: int = Field(default=60, ge=1, le=1_000_000, description="Requests for one sync")
    llm_tokens_per_sync: int = Field(
        default=200_000, ge=1000, le=2**31 - 1, description="Tokens for one sync"
    )
    llm_calls_per_day: int = Field(
        default=200, ge=1, le=2**31 - 1, description="Requests for one user and day (UTC)"
    )
    llm_tokens_per_day: int = Field(
        default=600_000, ge=1000, le=2**31 - 1, description="Tokens for one user and day (UTC)"
    )

    # The gateway
    cors_origins: str = Field(
        default="",
        description="Comma-separated origins whose pages may call the gateway: https://app.example.com",
    )
    gateway_rate: int = Field(
        default=50,
        ge=1,
        le=1_000_000,
        description="Requests a second of one client address (IPv6: one /64), at the gateway",
    )
    gateway_burst: int = Field(
        default=200, ge=1, le=1_000_000, description="How many of these may come at once"
    )
    gateway_trusted_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies before the gateway (load balancer, Ingress) whose X-Forwarded-For is believed; "
        "one too few: all users share one rate, one too many: they make up their addresses",
    )
    envoy: str = Field(
        default="", description="Envoy to use for the gateway; empty: looked for beside Python and on PATH"
    )

    # What is said
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OpenTelemetry collector that spans go to, http://host:4317; empty: nowhere",
    )
    metrics_listen: str = Field(
        default="", description="Where the orchestrator serves Prometheus /metrics, host:port; empty: nowhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, else JSON"
    )

    @property
    def asks_llm(self) -> bool:
        return self.explain and self.openai_api_key is not None

    def security(self) -> ServerSecurity:
        """How it is reached. Raises ConfigurationError."""
        return ServerSecurity(
            "ROOKIFY_TLS", self.tls_cert, self.tls_key, self.tls_client_ca, self.allow_plaintext
        )

    def analyzer_security(self) -> ClientSecurity:
        """How it reaches the analyzers. Raises ConfigurationError."""
        return ClientSecurity(
            "ROOKIFY_ANALYZER_TLS",
            self.analyzer_tls_ca,
            self.analyzer_tls_client_cert,
            self.analyzer_tls_client_key,
            self.analyzer_tls_name,
            self.allow_plaintext,
        )
