"""The games that wait for an analyzer: a short queue for each job, served in rounds. No I/O here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from uuid import UUID

from opentelemetry.trace import INVALID_SPAN, Span

from orchestrator.analyzers.base import GameOutcome, GameToAnalyze

# Waiting games per job beyond those at an analyzer. Enough that a slot that comes free is filled at once (a
# job's feeder needs one turn of the event loop for the next game), so few that PGNs stay in the database.
AHEAD = 8


@dataclass(eq=False, slots=True)
class Ticket:
    """A game on its way. `outcome` is resolved exactly once, or cancelled when the job lets go of it."""

    game: GameToAnalyze
    outcome: asyncio.Future[GameOutcome]
    tries: int = 0  # transient failures that analyzers reported
    losses: int = 0  # streams that broke with the game on them
    avoid: str | None = None  # the analyzer that had it last
    span: Span = INVALID_SPAN  # the game's step in the job's trace


class FairQueue:
    """Jobs take turns: each `take` serves the job that was served longest ago."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[UUID, deque[Ticket]] = OrderedDict()
        self._room: dict[UUID, asyncio.Event] = {}

    def __len__(self) -> int:
        return sum(len(tickets) for tickets in self._jobs.values())

    async def room(self, job_id: UUID) -> None:
        """Waits until fewer than AHEAD games of the job are waiting."""
        while len(self._jobs.get(job_id, ())) >= AHEAD:
            await self._room.setdefault(job_id, asyncio.Event()).wait()
            self._room.pop(job_id, None)

    def put(self, ticket: Ticket, *, first: bool = False) -> None:
        """`first` is for a game that was out already: it goes before those that were not."""
        tickets = self._jobs.setdefault(ticket.game.job_id, deque())
        if first:
            tickets.appendleft(ticket)
        else:
            tickets.append(ticket)

    def take(self, address: str, *, alone: bool) -> Ticket | None:
        """The next game for the analyzer at `address`, or None.

        A game that it failed last waits for another analyzer, unless this one is alone.
        """
        for job_id, tickets in self._jobs.items():
            for place, ticket in enumerate(tickets):
                if alone or ticket.avoid != address:
                    del tickets[place]
                    self._taken(job_id)
                    return ticket
        return None

    def drop(self, job_id: UUID) -> None:
        """Forgets the job's waiting games."""
        self._jobs.pop(job_id, None)
        if room := self._room.get(job_id):
            room.set()

    def _taken(self, job_id: UUID) -> None:
        if self._jobs[job_id]:
            self._jobs.move_to_end(job_id)
        else:
            del self._jobs[job_id]
        if room := self._room.get(job_id):
            room.set()
