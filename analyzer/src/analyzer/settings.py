"""Every setting of the analyzer, from the environment; `.env.example` lists them."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from servicekit.settings import OptionalFile, ServiceSettings
from servicekit.tls import ServerSecurity


class Settings(ServiceSettings):
    """Durations are seconds."""

    analyzer_listen: str = Field(default="127.0.0.1:50061", description="Where the analyzer serves gRPC")
    analyzer_tls_cert: OptionalFile = Field(
        default=None, description="The analyzer's certificate (PEM, with what leads to its CA): serve TLS"
    )
    analyzer_tls_key: OptionalFile = Field(default=None, description="Its private key (PEM)")
    analyzer_tls_client_ca: OptionalFile = Field(
        default=None, description="Only orchestrators with a certificate of this CA get in (mutual TLS)"
    )
    allow_plaintext: bool = Field(
        default=False,
        description="Speak without TLS to other machines too: only where the network itself keeps secrets",
    )
    analyzer_grace: float = Field(
        default=8, ge=0, le=3600, description="Time for running games to end on SIGTERM"
    )
    engine_workers: int = Field(
        default=0, ge=0, le=1024, description="Engines; 0: one per core, all but one where more than 4"
    )
    stockfish: str = Field(
        default="",
        description="Stockfish to use, or several separated as in PATH, the first that is there counts; "
        "empty: looked for on PATH and in the usual places",
    )
    # A game searched with the default preset fills about 3 million entries of 10 bytes; twice that is where
    # more stops helping, and clearing it between games costs 2 ms.
    engine_hash_mb: int = Field(default=64, ge=1, le=65536, description="Hash table of each engine in MB")
    position_cache_mb: int = Field(
        default=64, ge=0, le=65536, description="Evaluated positions kept for other games, in MB; 0: none"
    )
    engine_nice: int = Field(default=0, ge=0, le=19, description="Niceness of the engines")
    analyzer_metrics_listen: str = Field(
        default="", description="Where the analyzer serves Prometheus /metrics, host:port; empty: nowhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, else JSON"
    )

    def security(self) -> ServerSecurity:
        """How it is reached. Raises ConfigurationError."""
        return ServerSecurity(
            "ROOKIFY_ANALYZER_TLS",
            self.analyzer_tls_cert,
            self.analyzer_tls_key,
            self.analyzer_tls_client_ca,
            self.allow_plaintext,
        )

    @property
    def workers(self) -> int:
        """Engines to run. Where cores are many, one is left for the rest of the machine."""
        if self.engine_workers:
            return self.engine_workers
        cores = usable_cores()
        return cores if cores <= 4 else cores - 1


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
