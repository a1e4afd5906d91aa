"""Every setting of the analyzer, from the environment; `.env.example` lists them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analyzer import machine
from servicekit.settings import OptionalFile, ServiceSettings
from servicekit.tls import ServerSecurity

# MB of memory beside hash tables and the position cache. This process was measured at 125 with four games in
# hand, an engine (Stockfish 15.1) at 75; newer ones have larger networks.
PROCESS_MB = 150
ENGINE_MB = 110
# Five real games with the default preset took 29 to 32 million nodes with 4 to 128 MB, in no order, and 34
# with 1: so little is enough. Games searched deep fill more, and clearing 64 MB between games costs 2 ms.
_MOST_HASH = 64
_LEAST_HASH = 8


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
        description="Stockfish to use, or builds of it separated as in PATH, of which the fastest is taken; "
        "empty: looked for on PATH and in the usual places",
    )
    engine_hash_mb: int = Field(
        default=0,
        ge=0,
        le=65536,
        description="Hash table of each engine in MB; 0: 64, or what the memory leaves, the container's too",
    )
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
        cores = machine.usable_cores()
        return cores if cores <= 4 else cores - 1

    @property
    def hash_mb(self) -> int:
        """Of each engine: their shares of the memory that all else leaves."""
        if self.engine_hash_mb:
            return self.engine_hash_mb
        left = machine.usable_memory() // 2**20 - self._memory_without_hash
        return max(_LEAST_HASH, min(left // self.workers, _MOST_HASH))

    @property
    def memory_mb(self) -> int:
        """What it takes at most, as far as is known."""
        return self._memory_without_hash + self.workers * self.hash_mb

    @property
    def _memory_without_hash(self) -> int:
        return PROCESS_MB + self.position_cache_mb + self.workers * ENGINE_MB
