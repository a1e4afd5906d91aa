"""The orchestrator's side of the analysis contract: credits, rounds, retries elsewhere, lost analyzers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, Self
from uuid import UUID, uuid4

import grpc.aio
import pytest
from structlog.testing import capture_logs

from orchestrator.analyzers import pool as pool_module
from orchestrator.analyzers.base import AnalyzedGame, FailedGame, GameOutcome, GameToAnalyze, KnownPly
from orchestrator.analyzers.pool import MAX_LOSSES, MAX_TRIES, AnalyzerPool
from rookify.analysis.v1 import analysis_pb2 as pb
from servicekit.backoff import Backoff
from tests.support.scripted_analyzer import ScriptedAnalyzer, analyzed, failed

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_RETRY_SECONDS", (0.0, 0.01))
    monkeypatch.setattr(pool_module, "_RECONNECT", Backoff(0.01, 0.05))


class Analyzer(Protocol):
    address: str
    up: bool


@asynccontextmanager
async def running(*analyzers: Analyzer, silence: float = 30) -> AsyncIterator[AnalyzerPool]:
    pool = AnalyzerPool(
        ",".join(analyzer.address for analyzer in analyzers),
        resolve_interval=timedelta(seconds=0.05),
        silence=timedelta(seconds=silence),
    )
    task = asyncio.create_task(pool.run())
    try:
        async with asyncio.timeout(20):
            while pool.connected < sum(analyzer.up for analyzer in analyzers):  # noqa: ASYNC110  no event
                await asyncio.sleep(0.01)
            yield pool
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def game(job_id: UUID = A, pgn: str = "1. e4") -> GameToAnalyze:
    return GameToAnalyze(job_id, uuid4(), pgn, "fast")


async def outcomes(pool: AnalyzerPool, *games: GameToAnalyze) -> list[GameOutcome]:
    return await asyncio.gather(*[await pool.submit(game) for game in games])


async def test_every_game_comes_back_once_and_credits_are_kept() -> None:
    async with ScriptedAnalyzer(credits=3) as analyzer, running(analyzer) as pool:
        games = [game() for _ in range(40)]
        ended = await outcomes(pool, *games)
        assert [e.game_id for e in ended] == [g.game_id for g in games]
        assert all(isinstance(e, AnalyzedGame) for e in ended)
        assert len(analyzer.games) == 40
        assert analyzer.most_outstanding <= 3


async def test_jobs_take_turns_on_the_wire() -> None:
    async with ScriptedAnalyzer(script=lambda _: "hold", credits=1) as analyzer, running(analyzer) as pool:
        first = [await pool.submit(game(A)) for _ in range(4)]
        second = [await pool.submit(game(B)) for _ in range(2)]
        for sent in range(1, 7):
            await analyzer.until(lambda sent=sent: len(analyzer.games) == sent)  # type: ignore[misc]
            analyzer.release()
        await asyncio.gather(*first, *second)
        assert [g.job_id for g in analyzer.games] == [str(job) for job in (A, A, B, A, B, A)]


async def test_what_is_known_from_the_analyzers_engine_goes_with_the_game() -> None:
    ours = KnownPly(0, {"centipawns": -12}, ["e2e4", "e7e5"], depth=11, nodes=9_000)
    mate = KnownPly(1, {"mate_in": 3}, ["d8h4"], depth=0, nodes=0)
    other = KnownPly(0, {"centipawns": 99}, ["a2a3"], depth=20, nodes=1)
    async with ScriptedAnalyzer() as analyzer, running(analyzer) as pool:
        await outcomes(pool, replace(game(), known={"script": [ours, mate], "another": [other]}))
        assert list(analyzer.games[0].known) == [
            pb.KnownEvaluation(
                ply=0,
                score=pb.Score(centipawns=-12),
                best_uci="e2e4",
                best_line_uci=["e2e4", "e7e5"],
                depth=11,
                nodes=9_000,
            ),
            pb.KnownEvaluation(ply=1, score=pb.Score(mate_in=3), best_uci="d8h4", best_line_uci=["d8h4"]),
        ]


async def test_games_go_to_every_analyzer() -> None:
    async with (
        ScriptedAnalyzer(script=lambda _: "hold", credits=2) as one,
        ScriptedAnalyzer(script=lambda _: "hold", credits=2) as two,
        running(one, two) as pool,
    ):
        waiting = [await pool.submit(game()) for _ in range(4)]
        await one.until(lambda: len(one.games) == 2)
        await two.until(lambda: len(two.games) == 2)
        one.release()
        two.release()
        await asyncio.gather(*waiting)


async def test_a_permanent_failure_is_final() -> None:
    def script(sent: pb.Game) -> pb.AnalyzeGamesResponse:
        return failed(sent, pb.GameFailure.REASON_ILLEGAL_MOVE, retryable=False)

    async with ScriptedAnalyzer(script=script) as analyzer, running(analyzer) as pool:
        (ended,) = await outcomes(pool, game())
        assert isinstance(ended, FailedGame)
        assert (ended.reason, ended.message) == ("ILLEGAL_MOVE", "as scripted")
        assert len(analyzer.games) == 1


async def test_an_answer_that_cannot_be_used_fails_its_game_and_no_other() -> None:
    def script(sent: pb.Game) -> pb.AnalyzeGamesResponse:
        answer = analyzed(sent)
        if sent.pgn == "poison":
            answer.analysis.moves[0].clock.seconds = 10**12  # beyond what a Duration may be
        return answer

    async with ScriptedAnalyzer(script=script, credits=1) as analyzer, running(analyzer) as pool:
        with capture_logs() as told:
            poison = game(pgn="poison")
            ended = await outcomes(pool, game(), poison, game(B))
        assert [type(e) for e in ended] == [AnalyzedGame, FailedGame, AnalyzedGame]
        assert isinstance(ended[1], FailedGame)
        assert ended[1].reason == "BAD_ANSWER"
        assert [g.pgn for g in analyzer.games].count("poison") == 1
        assert analyzer.streams == 1
        (defect,) = [line for line in told if line["log_level"] == "error"]
        assert defect["game_id"] == str(poison.game_id)


async def test_a_game_that_cannot_be_sent_fails_and_no_other() -> None:
    async with ScriptedAnalyzer(credits=1) as analyzer, running(analyzer) as pool:
        ended = await outcomes(pool, game(), replace(game(), preset="nonsense"), game())
        assert [type(e) for e in ended] == [AnalyzedGame, FailedGame, AnalyzedGame]
        assert isinstance(ended[1], FailedGame)
        assert ended[1].reason == "NOT_SENT"


async def test_what_is_known_and_cannot_be_read_is_left_out() -> None:
    good = KnownPly(2, {"centipawns": 7}, ["g1f3"], depth=9, nodes=9)
    broken = [
        KnownPly(0, {"centipawns": 7}, [], depth=9, nodes=9),
        KnownPly(1, {"centipawns": "many"}, ["e7e5"], depth=9, nodes=9),
        KnownPly(1, {"centipawns": 7}, ["e7e5"], depth=9, nodes=2**80),
    ]
    async with ScriptedAnalyzer() as analyzer, running(analyzer) as pool:
        (ended,) = await outcomes(pool, replace(game(), known={"script": [*broken, good]}))
        assert isinstance(ended, AnalyzedGame)
        assert [known.ply for known in analyzer.games[0].known] == [2]


class Babbling:
    """An analyzer that answers every game with bytes that are no message of the contract."""

    up = True

    async def __aenter__(self) -> Self:
        handlers: dict[str, Any] = {"AnalyzeGames": grpc.stream_stream_rpc_method_handler(self._talk)}
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("rookify.analysis.v1.AnalysisService", handlers),)
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)

    async def _talk(self, requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        yield pb.AnalyzeGamesResponse(credit=pb.Credit(games=9)).SerializeToString()
        async for _ in requests:
            yield b"\xff\xff\xff"


async def test_an_analyzer_that_talks_nonsense_loses_its_games_to_others() -> None:
    async with Babbling() as bad, ScriptedAnalyzer(credits=1) as good, running(bad, good) as pool:
        assert all(isinstance(e, AnalyzedGame) for e in await outcomes(pool, *[game() for _ in range(4)]))


async def test_a_game_beyond_the_contracts_bound_is_refused_without_a_word_to_the_analyzer() -> None:
    async with ScriptedAnalyzer() as analyzer, running(analyzer) as pool:
        huge, ended = await outcomes(pool, game(pgn="x" * 10_000_000), game())
        assert isinstance(huge, FailedGame)
        assert huge.reason == "TOO_LARGE"
        assert isinstance(ended, AnalyzedGame)
        assert len(analyzer.games) == analyzer.streams == 1


async def test_a_transient_failure_is_tried_on_another_analyzer() -> None:
    def engine_down(sent: pb.Game) -> pb.AnalyzeGamesResponse:
        return failed(sent, pb.GameFailure.REASON_ENGINE, retryable=True)

    async with (
        ScriptedAnalyzer(script=engine_down, credits=9) as bad,
        ScriptedAnalyzer(credits=1) as good,
        running(bad, good) as pool,
    ):
        ended = await outcomes(pool, *[game() for _ in range(6)])
        assert all(isinstance(e, AnalyzedGame) for e in ended)
        once = [g.game_id.partition("/")[0] for g in bad.games]
        assert len(once) == len(set(once)), "no game goes twice running to the analyzer that failed it"


async def test_a_game_that_fails_again_and_again_is_given_up() -> None:
    def engine_down(sent: pb.Game) -> pb.AnalyzeGamesResponse:
        return failed(sent, pb.GameFailure.REASON_ENGINE, retryable=True)

    async with ScriptedAnalyzer(script=engine_down) as analyzer, running(analyzer) as pool:
        (ended,) = await outcomes(pool, game())
        assert isinstance(ended, FailedGame)
        assert ended.reason == "ENGINE"
        assert len(analyzer.games) == MAX_TRIES


async def test_games_of_a_broken_stream_are_done_elsewhere() -> None:
    async with (
        ScriptedAnalyzer(script=lambda _: "break", credits=2) as bad,
        ScriptedAnalyzer() as good,
        running(bad, good) as pool,
    ):
        assert all(isinstance(e, AnalyzedGame) for e in await outcomes(pool, *[game() for _ in range(8)]))


async def test_a_game_that_takes_its_analyzer_down_is_given_up_and_the_rest_is_done() -> None:
    def script(sent: pb.Game) -> pb.AnalyzeGamesResponse | str:
        return "break" if sent.pgn == "poison" else analyzed(sent)

    async with ScriptedAnalyzer(script=script, credits=1) as analyzer, running(analyzer) as pool:
        ended = await outcomes(pool, game(), game(pgn="poison"), game(), game())
        assert [type(e) for e in ended] == [AnalyzedGame, FailedGame, AnalyzedGame, AnalyzedGame]
        assert [g.pgn for g in analyzer.games].count("poison") == MAX_LOSSES


async def test_an_analyzer_that_goes_silent_is_given_up() -> None:
    async with (
        ScriptedAnalyzer(script=lambda _: "hold", credits=9) as silent,
        ScriptedAnalyzer(credits=1) as good,
        running(silent, good, silence=0.2) as pool,
    ):
        assert all(isinstance(e, AnalyzedGame) for e in await outcomes(pool, *[game() for _ in range(4)]))
        await silent.until(lambda: silent.streams >= 2)  # it is tried again later


async def test_a_draining_analyzer_gets_no_more_and_ends_what_it_has() -> None:
    async with ScriptedAnalyzer() as coming:
        listen = coming.address
    async with (
        ScriptedAnalyzer(script=lambda _: "hold", credits=2) as old,
        running(old, coming) as pool,
    ):
        first = [await pool.submit(game()) for _ in range(2)]
        await old.until(lambda: len(old.games) == 2)
        old.drain()
        later = await pool.submit(game())
        old.release()
        await asyncio.gather(*first)
        async with ScriptedAnalyzer(listen=listen):
            assert isinstance(await later, AnalyzedGame)
        assert len(old.games) == 2


async def test_games_wait_until_there_is_an_analyzer() -> None:
    async with ScriptedAnalyzer() as gone:
        listen = gone.address
    async with running(gone) as pool:
        waiting = await pool.submit(game())
        async with ScriptedAnalyzer(listen=listen):
            assert isinstance(await waiting, AnalyzedGame)


async def test_cancelling_a_job_takes_its_games_back_and_no_others() -> None:
    async with ScriptedAnalyzer(script=lambda _: "hold", credits=3) as analyzer, running(analyzer) as pool:
        mine = [await pool.submit(game(A)) for _ in range(5)]
        await analyzer.until(lambda: len(analyzer.games) == 3)
        other = await pool.submit(game(B))
        pool.cancel(A)
        assert all(future.cancelled() for future in mine)
        await analyzer.until(lambda: len(analyzer.games) == 4)  # the credits came back
        assert analyzer.cancelled == [str(A)]
        assert analyzer.games[-1].job_id == str(B)
        analyzer.release()
        assert isinstance(await other, AnalyzedGame)


async def test_the_same_game_may_come_again_at_once() -> None:
    async with ScriptedAnalyzer(script=lambda _: "hold", credits=2) as analyzer, running(analyzer) as pool:
        again = game()
        await pool.submit(again)
        await analyzer.until(lambda: len(analyzer.games) == 1)
        pool.cancel(A)
        second = await pool.submit(again)
        await analyzer.until(lambda: len(analyzer.games) == 2)
        assert len({g.game_id for g in analyzer.games}) == 2
        analyzer.release()
        assert isinstance(await second, AnalyzedGame)
