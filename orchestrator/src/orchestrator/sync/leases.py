"""The jobs that this process holds, and the heartbeat that keeps them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog

from orchestrator.store.rows import Claim
from orchestrator.store.store import Store
from servicekit.errors import RookifyError, StaleLease

log = structlog.get_logger()


class Leases:
    """`length` is how long a job without a heartbeat stays this process's; `owner` names it to people."""

    def __init__(self, store: Store, length: timedelta) -> None:
        self.length = length
        self.owner = f"{socket.gethostname()}/{os.getpid()}"
        self._store = store
        self._held: dict[UUID, Claim] = {}

    @property
    def claims(self) -> list[Claim]:
        return list(self._held.values())

    def hold(self, claim: Claim) -> None:
        self._held[claim.job.id] = claim

    def let_go(self, claim: Claim) -> None:
        """Renews the claim no more. Does nothing where a later claim of the same job has replaced it."""
        if (held := self._held.get(claim.job.id)) and held.lease_token == claim.lease_token:
            del self._held[claim.job.id]

    def of(self, job_id: UUID) -> Claim:
        """Raises StaleLease where the job is not held."""
        if claim := self._held.get(job_id):
            return claim
        raise StaleLease(
            f"sync job {job_id} is not held here: only who created or claimed a job may move it, until it "
            "ends, is released or is lost"
        )

    async def renew(self, claim: Claim) -> None:
        """Raises StaleLease where another worker has the job, or it is over."""
        if claim.job.id not in await self._store.renew_leases([claim], self.length):
            self.let_go(claim)
            raise StaleLease(f"the lease of sync job {claim.job.id} is not held by this worker any more")

    async def keep(self, on_lost: Callable[[Claim], None] | None = None) -> None:
        """Without end: renews all in one call, three times a lease.

        `on_lost` hears of a claim that is this process's no more, until it is let go of; by default that is
        at once.
        """
        while True:
            await asyncio.sleep(self.length.total_seconds() / 3)
            claims = self.claims
            if not claims:
                continue
            try:
                kept = await self._store.renew_leases(claims, self.length)
            except RookifyError as error:
                log.warning("leases could not be renewed", error=error.message)
                continue
            for claim in claims:
                if claim.job.id not in kept and self._held.get(claim.job.id) is claim:
                    (on_lost or self.let_go)(claim)
