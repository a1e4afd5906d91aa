"""Every setting of the command line as a client, from the environment; `.env.example` lists them."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import OptionalFile, OptionalSecret, ServiceSettings
from servicekit.tls import ClientSecurity


class ClientSettings(ServiceSettings):
    """What the command line needs to call an orchestrator."""

    orchestrator: str = Field(default="127.0.0.1:50051", description="host:port that the command line calls")
    token: OptionalSecret = Field(
        default=None, description="Bearer token of the command line: `rookify token`"
    )
    lichess_token: OptionalSecret = Field(
        default=None,
        description="The player's lichess token, with which `rookify sync lichess` fetches faster",
    )
    tls_ca: OptionalFile = Field(
        default=None, description="The CA of the orchestrator's certificate; empty: those of the system"
    )
    tls_client_cert: OptionalFile = Field(
        default=None, description="The certificate that the command line shows (mutual TLS)"
    )
    tls_client_key: OptionalFile = Field(default=None, description="Its private key")
    tls_name: str = Field(
        default="", description="What the orchestrator's certificate is for, where that is not its address"
    )
    allow_plaintext: bool = Field(
        default=False,
        description="Speak without TLS to other machines too: only where the network itself keeps secrets",
    )

    def security(self) -> ClientSecurity:
        """How it reaches the orchestrator. Raises ConfigurationError."""
        return ClientSecurity(
            "ROOKIFY_TLS",
            self.tls_ca,
            self.tls_client_cert,
            self.tls_client_key,
            self.tls_name,
            self.allow_plaintext,
        )
