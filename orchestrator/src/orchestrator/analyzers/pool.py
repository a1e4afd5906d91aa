"""All analyzers together: finds them, keeps a stream to each, deals out games, sends lost ones elsewhere."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import grpc.aio
import structlog

from orchestrator import metrics
from orchestrator.analyzers.base import AnalyzedGame, FailedGame, GameOutcome, GameToAnalyze
from orchestrator.analyzers.convert import analysis_columns, failure_reason
from orchestrator.analyzers.discovery import parse_targets, resolve
from orchestrator.analyzers.queue import FairQueue, Ticket
from orchestrator.analyzers.stream import AnalyzerStream, Answer
from rookify.analysis.v1 import analysis_pb2 as pb
from servicekit import tracing
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError
from servicekit.server import CHANNEL_OPTIONS
from servicekit.tls import ClientSecurity, handshake_trouble

log = structlog.get_logger()

PLAINTEXT_ON_LOOPBACK = ClientSecurity("ROOKIFY_ANALYZER_TLS")
MAX_PGN_BYTES = 256 * 1024  # the contract's bound on Game.pgn
MAX_TRIES = 3  # of a game whose engine fails: the design's limit
# Of a game that was on a stream which broke. Most such games are innocent (the node was replaced), so more
# are allowed; but one that takes its analyzer down with it must not do so for ever.
MAX_LOSSES = 5
_RETRY_SECONDS = (0.2, 1.0)  # before a game that failed goes out again: an engine needs a moment to restart
_RECONNECT = Backoff(0.1, 5.0)  # one that ran for longer than the longest of these pauses begins anew


class AnalyzerPool:
    """Run `run` for as long as games are to be analyzed; games wait while no analyzer is reachable."""

    def __init__(
        self,
        targets: str,
        *,
        resolve_interval: timedelta,
        silence: timedelta,
        security: ClientSecurity = PLAINTEXT_ON_LOOPBACK,
    ) -> None:
        """`targets` as in ROOKIFY_ANALYZERS. Raises ConfigurationError."""
        self._targets = parse_targets(targets)
        self._security = security
        for host, _port in self._targets:
            security.check(f"ROOKIFY_ANALYZERS: {host}", host)
        self._resolve_interval = resolve_interval.total_seconds()
        self._silence = silence
        self._queue = FairQueue()
        self._streams: set[AnalyzerStream] = set()
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._tickets: dict[UUID, set[Ticket]] = {}  # by job: everything not yet resolved

    @property
    def connected(self) -> int:
        """Analyzers that have granted credits and are not going away."""
        return sum(stream.ready for stream in self._streams)

    @property
    def credits(self) -> int:
        """Games that analyzers would take now."""
        return sum(stream.free for stream in self._streams if stream.ready)

    @property
    def outstanding(self) -> int:
        """Games at analyzers."""
        return sum(len(stream.outstanding) for stream in self._streams)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                hosts = await resolve(self._targets)
                for address in hosts.keys() - self._keepers.keys():
                    log.info("analyzer found", analyzer=address)
                    keeper = tasks.create_task(
                        self._keep(address, hosts[address]), name=f"analyzer {address}"
                    )
                    self._keepers[address] = keeper
                await asyncio.sleep(self._resolve_interval)

    async def submit(self, game: GameToAnalyze) -> asyncio.Future[GameOutcome]:
        """Hands a game in; waits first while enough games of the job are waiting (backpressure).

        The future ends with the game's outcome: whatever happens to analyzers meanwhile is not the caller's
        business. `cancel` cancels it.
        """
        outcome: asyncio.Future[GameOutcome] = asyncio.get_running_loop().create_future()
        if (size := len(game.pgn.encode())) > MAX_PGN_BYTES:
            # Refused here, as an analyzer would: a message beyond gRPC's limit would break the whole stream.
            message = f"the PGN has {size:,} bytes; at most {MAX_PGN_BYTES:,} are analyzed"
            outcome.set_result(FailedGame(game.game_id, "TOO_LARGE", message))
            return outcome
        await self._queue.room(game.job_id)
        ticket = Ticket(game, outcome)
        ticket.span = tracing.begun("analyze game", {"rookify.game_id": str(game.game_id)})
        outcome.add_done_callback(lambda _: ticket.span.end())
        self._tickets.setdefault(game.job_id, set()).add(ticket)
        self._queue.put(ticket)
        self._deal()
        return ticket.outcome

    def cancel(self, job_id: UUID) -> None:
        """Lets go of all of the job's games; the analyzers stop searching them."""
        self._queue.drop(job_id)
        for ticket in self._tickets.pop(job_id, set()):
            ticket.outcome.cancel()
        for stream in self._streams:
            stream.cancel(job_id)

    # Dealing

    def _deal(self) -> None:
        """Sends waiting games while there are slots, to the analyzer with most of them free."""
        alone = self.connected <= 1
        while len(self._queue):
            for stream in sorted(self._streams, key=lambda s: s.free, reverse=True):
                if stream.open_for_games and (ticket := self._queue.take(stream.address, alone=alone)):
                    with self._failing_alone(ticket, stream, "NOT_SENT", "the game cannot be sent"):
                        stream.send(ticket)
                    break
            else:
                return

    @contextmanager
    def _failing_alone(
        self, ticket: Ticket, stream: AnalyzerStream, reason: str, message: str
    ) -> Iterator[None]:
        """Whatever goes wrong inside fails this game, for good: the same would come of it again.

        Going further up it would end the pool, and with it every job.
        """
        try:
            yield
        except Exception:  # a defect, on either side
            log.exception(
                "game failed by a defect",
                job_id=str(ticket.game.job_id),
                game_id=str(ticket.game.game_id),
                analyzer=stream.address,
                reason=reason,
            )
            if not ticket.outcome.done():
                self._resolve(ticket, FailedGame(ticket.game.game_id, reason, message))

    def _answered(self, stream: AnalyzerStream, ticket: Ticket, answer: Answer) -> None:
        if ticket.outcome.done():  # cancelled meanwhile
            return
        with self._failing_alone(ticket, stream, "BAD_ANSWER", "the game's analysis cannot be used"):
            self._use(stream, ticket, answer)

    def _use(self, stream: AnalyzerStream, ticket: Ticket, answer: Answer) -> None:
        if isinstance(answer, pb.GameAnalysis):
            ticket.span.set_attributes(
                {"server.address": stream.address, "rookify.nodes": answer.engine.nodes}
            )
            self._resolve(ticket, AnalyzedGame(ticket.game.game_id, analysis_columns(answer)))
            return
        reason = failure_reason(answer.reason)
        if answer.reason == pb.GameFailure.REASON_CANCELLED:
            self._again(ticket, stream.address)  # the analyzer is going away: not the game's fault
        elif not answer.retryable:
            self._resolve(ticket, FailedGame(ticket.game.game_id, reason, answer.message))
        else:
            ticket.tries += 1
            log.warning(
                "game failed on an analyzer",
                job_id=str(ticket.game.job_id),
                game_id=str(ticket.game.game_id),
                analyzer=stream.address,
                reason=reason,
                message=answer.message,
                tries=ticket.tries,
            )
            if ticket.tries >= MAX_TRIES:
                self._resolve(ticket, FailedGame(ticket.game.game_id, reason, answer.message))
            else:
                self._again(ticket, stream.address)
                metrics.GAME_RETRIES.labels(reason).inc()

    def _lost(self, stream: AnalyzerStream) -> None:
        """The stream broke: its games go elsewhere."""
        for ticket in stream.outstanding.values():
            if ticket.outcome.done():
                continue
            ticket.losses += not stream.draining
            if ticket.losses >= MAX_LOSSES:
                message = f"the analyzer was lost {MAX_LOSSES} times while it had this game"
                self._resolve(ticket, FailedGame(ticket.game.game_id, "ANALYZER_LOST", message))
            else:
                metrics.GAME_RETRIES.labels("ANALYZER_LOST").inc()
                self._again(ticket, stream.address)
        stream.outstanding.clear()

    def _again(self, ticket: Ticket, address: str) -> None:
        ticket.avoid = address
        pause = random.uniform(*_RETRY_SECONDS)  # noqa: S311  jitter, not a secret
        asyncio.get_running_loop().call_later(pause, self._requeue, ticket)

    def _requeue(self, ticket: Ticket) -> None:
        if not ticket.outcome.done():
            self._queue.put(ticket, first=True)
            self._deal()

    def _resolve(self, ticket: Ticket, outcome: GameOutcome) -> None:
        tickets = self._tickets[ticket.game.job_id]
        tickets.discard(ticket)
        if not tickets:
            del self._tickets[ticket.game.job_id]
        metrics.GAMES.labels("analyzed" if isinstance(outcome, AnalyzedGame) else outcome.reason).inc()
        ticket.outcome.set_result(outcome)

    # Keeping streams

    async def _keep(self, address: str, host: str) -> None:
        """A stream to the address, again and again, until the name does not lead there any more."""
        failures = 1
        told = ""
        while True:
            trouble = ""
            began = time.monotonic()
            stream = AnalyzerStream(
                address,
                # A new channel each time, and so the certificates as they are then.
                open_channel=functools.partial(self._security.channel, address, host, CHANNEL_OPTIONS),
                silence=self._silence,
                on_answer=self._answered,
                on_credit=self._deal,
            )
            self._streams.add(stream)
            try:
                await stream.run()
            except grpc.aio.AioRpcError as error:
                details = error.details() or ""
                log.debug("analyzer stream broke", analyzer=address, error=details)
                trouble = handshake_trouble(details, tls=self._security.tls)
            except ConfigurationError as error:  # the files of its certificate, while they are exchanged
                trouble = error.message
            except Exception:  # a defect, on either side: this stream ends, and no other
                log.exception("analyzer stream failed by a defect", analyzer=address)
            finally:
                self._streams.discard(stream)
                if stream.outstanding:
                    log.warning("analyzer lost its games", analyzer=address, games=len(stream.outstanding))
                self._lost(stream)
                self._deal()  # what avoided another analyzer may have been waiting for this one
            if trouble and trouble != told:
                log.warning("analyzer cannot be reached", analyzer=address, error=trouble)
            told = trouble
            if address not in await resolve(self._targets):
                log.info("analyzer gone", analyzer=address)
                del self._keepers[address]
                return
            failures = 1 if time.monotonic() - began > _RECONNECT.most else failures + 1
            await asyncio.sleep(_RECONNECT.delay(failures))
