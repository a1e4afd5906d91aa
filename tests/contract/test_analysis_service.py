"""AnalysisService over a real socket, with real Stockfish."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import chess.pgn
import grpc
import grpc.aio
import psutil
import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc

from analyzer.app import Analyzer
from analyzer.settings import Settings
from orchestrator.local.processes import until_gone
from rookify.analysis.v1 import analysis_pb2 as pb
from servicekit.errors import ConfigurationError
from servicekit.status import from_rpc_error
from tests.support.analysis_client import AnalysisStream, analysis_stream, analyzer_channel
from tests.support.scripted_engine import commands, scripted_engine, starts

QUICK = pb.SearchBudget(nodes_per_position=2_000)
ENDLESS = pb.SearchBudget(nodes_per_position=10**9)
PRAISE = {pb.JUDGEMENT_BEST, pb.JUDGEMENT_GREAT, pb.JUDGEMENT_BRILLIANT}

FOOLS_MATE = '[Event "x"]\n[Result "0-1"]\n[ECO "A00"]\n\n1. f3 {[%clk 0:01:00]} e5 2. g4 Qh4# 0-1'
SCHOLARS_MATE = "1. e4 e5 2. Bc4 Nc6 3. Qh5 Nf6 4. Qxf7#"
BLUNDER = "1. e4 e5 2. Qh5 Nc6 3. Qxe5+ Nxe5 4. d4"


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {"analyzer_listen": "127.0.0.1:0", "engine_workers": 2, "engine_hash_mb": 4}
    return Settings(**{**values, **changes})


def game(game_id: str, pgn: str = FOOLS_MATE, job_id: str = "job", **fields: Any) -> pb.Game:
    return pb.Game(game_id=game_id, job_id=job_id, pgn=pgn, **fields)


@asynccontextmanager
async def stream(**changes: Any) -> AsyncIterator[AnalysisStream]:
    async with Analyzer(settings(**changes)) as analyzer, analysis_stream(analyzer.address) as opened:
        yield opened


# Games in, analyses out


async def test_a_game_is_analyzed() -> None:
    async with stream() as opened:
        await opened.feed([game("g1")], QUICK)
        analysis = opened.analysis("g1")
    assert [(move.ply, move.san, move.uci) for move in analysis.moves] == [
        (1, "f3", "f2f3"),
        (2, "e5", "e7e5"),
        (3, "g4", "g2g4"),
        (4, "Qh4#", "d8h4"),
    ]
    assert analysis.start_fen == chess.STARTING_FEN
    assert analysis.moves[0].fen_before == chess.STARTING_FEN
    for before, after in zip(analysis.moves, analysis.moves[1:], strict=False):
        assert before.score_after == after.score_before
        assert before.best_uci == before.best_line_uci[0]
    walks_into_mate, mates = analysis.moves[2:]
    assert walks_into_mate.judgement == pb.JUDGEMENT_BLUNDER
    assert walks_into_mate.score_after.mate_in == -1
    assert mates.score_after.WhichOneof("value") == "checkmate_white_wins"
    assert mates.score_after.checkmate_white_wins is False
    assert mates.judgement in PRAISE
    assert mates.best_san == "Qh4#"
    assert mates.win_percent_before == pytest.approx(97.545, abs=0.01)
    assert mates.accuracy == 100
    assert analysis.moves[0].clock.seconds == 60
    assert not analysis.moves[1].HasField("clock")
    assert analysis.moves[0].phase == pb.PHASE_OPENING
    assert analysis.moves[0].depth > 0
    assert analysis.moves[0].nodes > 0
    assert analysis.white.blunder_count == 1
    assert analysis.white.accuracy < 60 < analysis.black.accuracy
    assert analysis.opening.eco == "A00"
    assert analysis.engine.engine.startswith("Stockfish")
    assert analysis.engine.nodes > 4_000
    assert (analysis.engine.positions_searched, analysis.engine.positions_from_cache) == (4, 0)
    assert analysis.engine.engine_time.ToMilliseconds() > 0
    assert analysis.engine.finish_time.seconds > 1_600_000_000
    read = chess.pgn.read_game(io.StringIO(analysis.annotated_pgn))
    assert read is not None
    assert read.errors == []
    assert read.end().ply() == 4


@pytest.mark.parametrize("preset", [pb.SearchBudget.PRESET_FAST, pb.SearchBudget.PRESET_STANDARD])
async def test_presets(preset: pb.SearchBudget.Preset.ValueType) -> None:
    async with stream() as opened:
        await opened.feed([game("g1", BLUNDER)], pb.SearchBudget(preset=preset))
        verdicts = [move.judgement for move in opened.analysis("g1").moves]
        assert verdicts[4] == pb.JUDGEMENT_BLUNDER  # the queen for a pawn
        assert verdicts[5] in PRAISE


async def test_mate_for_white_is_no_blunder() -> None:
    async with stream() as opened:
        await opened.feed([game("g1", SCHOLARS_MATE)], QUICK)
        analysis = opened.analysis("g1")
        assert analysis.moves[-1].score_after.checkmate_white_wins is True
        assert analysis.moves[-1].judgement in PRAISE
        assert analysis.moves[-2].judgement == pb.JUDGEMENT_BLUNDER


async def test_positions_set_up() -> None:
    games = [
        game("stalemate", _setup("k7/8/1K6/8/8/8/8/2Q5 w - - 0 1", "1. Qc7")),
        game("bare kings", _setup("k7/8/8/8/8/8/8/Kr6 w - - 0 1", "1. Kxb1")),
        game("black mates", _setup("6k1/8/8/8/8/r7/1r6/7K b - - 0 30", "30... Ra1#")),
        game("white mates", _setup("7k/8/6K1/8/8/8/8/R7 w - - 0 1", "1. Ra8#")),
        game("one move", "1. e4"),
        game("forced", _setup("7k/5R2/8/8/8/8/8/K7 b - - 0 1", "1... Kg8 2. Ra7")),
    ]
    async with stream() as opened:
        await opened.feed(games, QUICK)
        stalemate = opened.analysis("stalemate").moves[0]
        assert stalemate.judgement == pb.JUDGEMENT_BLUNDER
        assert stalemate.score_after == pb.Score(centipawns=0)
        assert stalemate.score_after.WhichOneof("value") == "centipawns"
        bare = opened.analysis("bare kings").moves[0]
        assert bare.score_after.WhichOneof("value") == "centipawns"
        assert bare.score_after.centipawns == 0
        black = opened.analysis("black mates")
        assert black.moves[0].score_before.mate_in == -1
        assert black.moves[0].score_after == pb.Score(checkmate_white_wins=False)
        assert black.moves[0].judgement in PRAISE
        assert (black.white, black.black.accuracy) == (pb.SideSummary(), 100)
        white = opened.analysis("white mates")
        assert white.moves[0].score_after == pb.Score(checkmate_white_wins=True)
        assert white.moves[0].accuracy == 100
        assert len(opened.analysis("one move").moves) == 1
        forced = opened.analysis("forced").moves[0]
        assert forced.forced
        assert forced.best_uci == "h8g8"
        assert forced.judgement == pb.JUDGEMENT_UNSPECIFIED
        assert forced.score_before == forced.score_after


async def test_chess960() -> None:
    fen = "bqnrkrnb/pppppppp/8/8/8/8/PPPPPPPP/BQNRKRNB w KQkq - 0 1"
    async with stream() as opened:
        await opened.feed(
            [game("960", _setup(fen, "1. Nf3 Nf6 2. O-O O-O", "Chess960")), game("usual", SCHOLARS_MATE)],
            QUICK,
        )
        analysis = opened.analysis("960")
        assert [move.uci for move in analysis.moves][2:] == ["e1f1", "e8f8"]
        assert opened.analysis("usual").moves[-1].score_after.checkmate_white_wins


async def test_known_evaluations_are_used_and_not_searched() -> None:
    known = [
        pb.KnownEvaluation(ply=0, score=pb.Score(centipawns=31), best_uci="e2e4", depth=30, nodes=999),
        pb.KnownEvaluation(
            ply=1, score=pb.Score(centipawns=-77), best_uci="e7e5", best_line_uci=["e7e5", "g2g3"]
        ),
        pb.KnownEvaluation(ply=2, score=pb.Score(centipawns=-70), best_uci="a1a8"),  # not legal there
        pb.KnownEvaluation(ply=3, best_uci="d8h4"),  # without a score
        pb.KnownEvaluation(ply=99, score=pb.Score(centipawns=0), best_uci="e2e4"),  # no such position
    ]
    async with stream() as opened:
        await opened.feed([game("g1", known=known)], QUICK)
        first, second, third, _ = opened.analysis("g1").moves
        assert (first.score_before.centipawns, first.depth, first.nodes) == (31, 30, 999)
        assert first.score_after.centipawns == -77
        assert list(second.best_line_uci) == ["e7e5", "g2g3"]
        assert third.best_uci != "a1a8"
        report = opened.analysis("g1").engine
        assert (report.positions_from_cache, report.positions_searched) == (2, 2)


# Games that cannot be done


@pytest.mark.parametrize(
    ("pgn", "reason"),
    [
        ("1. e4 e5 2. Ke3", pb.GameFailure.REASON_ILLEGAL_MOVE),
        ("1. e4\0", pb.GameFailure.REASON_INVALID_PGN),
        ("<html>", pb.GameFailure.REASON_INVALID_PGN),
        ("", pb.GameFailure.REASON_EMPTY_GAME),
        ('[Variant "Atomic"]\n\n1. e4', pb.GameFailure.REASON_UNSUPPORTED_VARIANT),
        ("1. e4 {" + "x" * 10_000_000 + "}", pb.GameFailure.REASON_TOO_LARGE),
    ],
)
async def test_permanent_failures_are_typed_and_the_stream_goes_on(
    pgn: str, reason: pb.GameFailure.Reason.ValueType
) -> None:
    async with stream() as opened:
        await opened.feed([game("bad", pgn), game("good")], QUICK)
        failure = opened.failure("bad")
        assert (failure.reason, failure.retryable) == (reason, False)
        assert failure.message
        assert opened.analysis("good")


async def test_deep_variations_do_no_harm() -> None:
    async with stream() as opened:
        await opened.feed([game("deep", "1. e4 " + "(1. d4 " * 1000 + ")" * 1000 + " e5")], QUICK)
        assert len(opened.analysis("deep").moves) == 2


async def test_a_600_move_game() -> None:
    async with stream() as opened:
        known = [
            pb.KnownEvaluation(ply=ply, score=pb.Score(centipawns=5), best_uci=best)
            for ply in range(1200)
            for best in [["g1f3", "g8f6", "f3g1", "f6g8"][ply % 4]]
        ]  # so that the test takes no minute
        await opened.feed([game("long", "1. Nf3 Nf6 2. Ng1 Ng8 " * 300, known=known)], QUICK)
        assert len(opened.analysis("long").moves) == 1200


async def test_engines_that_fail_give_a_transient_failure(tmp_path: Path) -> None:
    engine = scripted_engine(tmp_path, [["die"]])
    async with stream(stockfish=engine, engine_workers=1) as opened:
        await opened.feed([game("g1")], QUICK)
        failure = opened.failure("g1")
        assert (failure.reason, failure.retryable) == (pb.GameFailure.REASON_ENGINE, True)
        assert "3 engines failed" in failure.message
        assert starts(tmp_path) == 3


async def test_a_defect_of_ours_ends_the_game_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with stream() as opened:
        with monkeypatch.context() as patched:
            patched.setattr("analyzer.session.report.build", broken)
            await opened.feed([game("g1")], QUICK)
        failure = opened.failure("g1")
        assert (failure.reason, failure.retryable) == (pb.GameFailure.REASON_ENGINE, True)
        assert failure.message == "internal error of the analyzer"
        await opened.feed([game("g2")], QUICK)
        assert opened.analysis("g2")


async def test_an_engine_that_dies_once_costs_nothing_but_time(tmp_path: Path) -> None:
    engine = scripted_engine(tmp_path, [["good", "die"], ["good"]])
    async with stream(stockfish=engine, engine_workers=1) as opened:
        await opened.feed([game("g1")], QUICK)
        assert [abs(move.score_before.centipawns) for move in opened.analysis("g1").moves] == [25] * 4


# Flow control and the stream's rules


async def test_credit_comes_first_and_back_one_by_one() -> None:
    async with stream() as opened:
        await opened.until(lambda: opened.heard)
        assert opened.heard[0].credit.games == 4  # two for each worker
        await opened.send([game(f"g{number}") for number in range(4)], QUICK)
        await opened.until(lambda: len(opened.ended) == 4 and opened.credit == 4)
        assert [heard.credit.games for heard in opened.heard if heard.HasField("credit")] == [4, 1, 1, 1, 1]


async def test_streams_share_the_slots() -> None:
    async with Analyzer(settings()) as analyzer, analysis_stream(analyzer.address) as first:
        await first.until(lambda: first.credit == 4)
        async with analysis_stream(analyzer.address) as second:
            await second.until(lambda: second.credit == 2)
            await first.send([game("same id")], QUICK)
            await second.send([game("same id")], QUICK)  # ids are each stream's own
            await first.until(lambda: first.ended)
            await second.until(lambda: second.ended)
            await second.until(lambda: second.credit == 2)
            assert first.credit == 3  # it had more than its share while there were two
        await first.until(lambda: first.credit == 4)


async def test_priority_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.session.SIGN_OF_LIFE", 0.05)
    monkeypatch.setattr("analyzer.service.SIGN_OF_LIFE", 0.05)
    async with stream(engine_workers=2) as opened:
        await opened.send([game("busy 1", job_id="a"), game("busy 2", job_id="a")], ENDLESS)
        await opened.until(lambda: len(opened.progress) == 2)
        await opened.send([game("low", SCHOLARS_MATE), game("high", priority=1)], QUICK)
        await opened.until(lambda: len(opened.progress) == 4)  # both wait in the queue
        await opened.cancel("a", "busy 1")
        await opened.until(lambda: len(opened.ended) == 3)
        assert list(opened.ended) == ["busy 1", "high", "low"]


async def refused(opened: AnalysisStream) -> Any:
    await opened.until_end()
    assert opened.error is not None
    return from_rpc_error(opened.error)


async def test_more_games_than_credit_end_the_stream() -> None:
    async with stream(engine_workers=1) as opened:
        await opened.send([game(f"g{number}") for number in range(3)], QUICK)
        failure = await refused(opened)
        assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert failure.message == "batch.games: 3 games sent, 2 granted"


@pytest.mark.parametrize(
    ("request_", "field", "says"),
    [
        (pb.AnalyzeGamesRequest(), "message", "must be batch or cancel"),
        (pb.AnalyzeGamesRequest(batch=pb.GameBatch()), "batch.games", "at least one"),
        (
            pb.AnalyzeGamesRequest(batch=pb.GameBatch(games=[game("")])),
            "batch.games[0].game_id",
            "must not be empty",
        ),
        (
            pb.AnalyzeGamesRequest(batch=pb.GameBatch(games=[game("a"), game("a")])),
            "batch.games[1].game_id",
            "'a' is outstanding",
        ),
        (
            pb.AnalyzeGamesRequest(
                batch=pb.GameBatch(games=[game("a")], budget=pb.SearchBudget(nodes_per_position=-1))
            ),
            "batch.budget.nodes_per_position",
            "got -1",
        ),
        (pb.AnalyzeGamesRequest(cancel=pb.CancelGames()), "cancel.job_id", "must not be empty"),
    ],
)
async def test_broken_rules_end_the_stream_and_name_the_field(
    request_: pb.AnalyzeGamesRequest, field: str, says: str
) -> None:
    async with stream() as opened:
        await opened.call.write(request_)
        failure = await refused(opened)
        assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in failure.field_violations] == [field]
        assert says in failure.field_violations[0].description


async def test_a_game_id_may_come_again_when_its_game_has_ended() -> None:
    async with stream() as opened:
        await opened.feed([game("g1")], QUICK)
        opened.ended.clear()
        await opened.feed([game("g1")], QUICK)
        assert opened.analysis("g1")


async def test_half_closing_lets_the_games_end() -> None:
    async with stream() as opened:
        await opened.send([game("g1"), game("g2"), game("g3")], QUICK)
        await opened.call.done_writing()
        await opened.until_end()
        assert opened.code is grpc.StatusCode.OK
        assert set(opened.ended) == {"g1", "g2", "g3"}


async def test_progress_rises_to_the_number_of_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.session.PROGRESS_INTERVAL", 0)
    async with stream() as opened:
        await opened.feed([game("g1", SCHOLARS_MATE)], QUICK)
        told = opened.progress["g1"]
        assert {total for _, total in told} == {8}
        assert [done for done, _ in told] == list(range(2, 8))  # the mate on the board takes no search


async def test_progress_rises_through_all_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.session.PROGRESS_INTERVAL", 0)
    async with stream() as opened:
        await opened.feed([game("g1", SCHOLARS_MATE)], pb.SearchBudget(preset=pb.SearchBudget.PRESET_FAST))
        done = [done for done, _ in opened.progress["g1"]]
        assert done == sorted(done)
        assert done[0] == 0


async def test_progress_is_no_flood() -> None:
    async with stream() as opened:
        await opened.feed([game(f"g{number}", SCHOLARS_MATE) for number in range(8)], QUICK)
        assert sum(map(len, opened.progress.values())) <= 8


async def test_held_games_show_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.session.SIGN_OF_LIFE", 0.1)
    monkeypatch.setattr("analyzer.service.SIGN_OF_LIFE", 0.1)
    async with stream(engine_workers=1) as opened:
        await opened.send([game("running"), game("waiting")], ENDLESS)
        await opened.until(lambda: {"running", "waiting"} <= set(opened.progress))
        assert opened.progress["waiting"][0] == (0, 5)
        assert opened.progress["running"][0][1] == 5


# Cancelling


async def test_cancelling_stops_the_search_and_answers_for_each_game() -> None:
    async with stream(engine_workers=1) as opened:
        await opened.send([game("running", job_id="a"), game("waiting", job_id="a")], ENDLESS)
        await opened.cancel("other job")
        await opened.cancel("a", "unknown game")
        await opened.cancel("a")
        await opened.until(lambda: len(opened.ended) == 2)  # the searches themselves would take hours
        for game_id in ("running", "waiting"):
            failure = opened.failure(game_id)
            assert (failure.reason, failure.retryable) == (pb.GameFailure.REASON_CANCELLED, False)
        await opened.feed([game("next")], QUICK)
        assert opened.analysis("next")


async def test_cancelling_stops_every_engine_that_searches_the_game(tmp_path: Path) -> None:
    """Two of them share it, as nothing else is there for the second to do."""

    async def told(command: str, times: int) -> None:
        async with asyncio.timeout(60):
            while sum(said.startswith(command) for said in commands(tmp_path)) < times:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # an engine cannot ring

    async with stream(stockfish=scripted_engine(tmp_path, [["endless"]])) as opened:
        await opened.send([game("g1", "1. Nf3 Nf6 2. Ng1 Ng8 " * 5)], QUICK)
        await told("go", 2)
        await opened.cancel("job")
        await told("stop", 2)
        await opened.until(lambda: "g1" in opened.ended)


async def test_cancelling_one_game_leaves_the_others() -> None:
    async with stream() as opened:
        await opened.send([game("a"), game("b")], ENDLESS)
        await opened.cancel("job", "a")
        await opened.until(lambda: opened.ended)
        assert set(opened.ended) == {"a"}
        await opened.cancel("job")
        await opened.until(lambda: len(opened.ended) == 2)


async def test_a_client_that_vanishes_leaves_the_engines_free() -> None:
    async with Analyzer(settings(engine_workers=1)) as analyzer:
        async with analysis_stream(analyzer.address) as opened:
            await opened.until(lambda: opened.credit)
            await opened.send([game("g1"), game("g2")], ENDLESS)
            await opened.cancel("nobody")  # has been read once the next stream works
        async with analysis_stream(analyzer.address) as opened:
            await opened.feed([game("g3")], QUICK)
            assert opened.analysis("g3")


# The node


async def test_the_node_says_what_it_is() -> None:
    async with Analyzer(settings()) as analyzer:
        async with analysis_stream(analyzer.address) as opened:
            await opened.feed([game("g1"), game("bad", "1. e5")], QUICK)
            await opened.feed([game("g2", "1. f3 e5 2. g4 d6")], QUICK)
            engine = opened.analysis("g2").engine
            assert (engine.positions_searched, engine.positions_from_cache) == (1, 4)
        async with analyzer_channel(analyzer.address) as stub:
            info = await stub.GetAnalyzerInfo(pb.GetAnalyzerInfoRequest())
        said = MessageToDict(info, preserving_proto_field_name=True)
        assert said["engine"].startswith("Stockfish")
        assert said["workers"] == 2
        assert int(said["nodes_per_second"]) > 10_000
        assert said["games_analyzed"] == "2"
        assert (said["cache_hits"], said["cache_misses"]) == (
            "4",
            "5",
        )  # mate stands on the first one's board
        assert said["version"] == "0.1.0"


async def test_the_engines_go_with_the_analyzer() -> None:
    async with Analyzer(settings()) as analyzer:
        pids = [lane.pid for lane in analyzer.lanes]
        assert all(psutil.pid_exists(pid) for pid in pids)
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_program_that_is_no_engine_is_a_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=r"/bin/true does not run as a UCI engine"):
        async with Analyzer(settings(stockfish="/bin/true")):
            pass


# The process


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`python -m analyzer` and its address, once it is SERVING."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "analyzer"),
        env={
            **os.environ,
            "ROOKIFY_ANALYZER_LISTEN": address,
            "ROOKIFY_ENGINE_WORKERS": "1",
            "ROOKIFY_LOG_FORMAT": "json",
            **environment,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert started.stderr is not None
    try:
        while b'"ready"' not in (line := await started.stderr.readline()):
            assert line, "it ended before it was ready"
        yield started, address
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def children(parent: asyncio.subprocess.Process) -> list[psutil.Process]:
    return await asyncio.to_thread(psutil.Process(parent.pid).children)


async def test_sigterm_drains_and_ends_with_code_0() -> None:
    async with process(ROOKIFY_ANALYZER_GRACE="60") as (running, address):
        engines = await children(running)
        assert len(engines) == 1
        async with analysis_stream(address) as opened, grpc.aio.insecure_channel(address) as channel:
            make: Any = health_pb2_grpc.HealthStub
            watch = aiter(make(channel).Watch(health_pb2.HealthCheckRequest()))
            assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING
            # Long enough to be in work when the signal comes; the bad game's end says that both have arrived.
            budget = pb.SearchBudget(nodes_per_position=100_000)
            await opened.send([game("running", SCHOLARS_MATE), game("bad", "")], budget)
            await opened.until(lambda: "bad" in opened.ended)
            running.send_signal(signal.SIGTERM)
            assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            await opened.until(lambda: opened.draining)
            assert opened.draining is not None
            assert opened.draining.grace.seconds == 60
            await opened.send([game("late")], QUICK)
            await opened.until_end()
            assert opened.code is grpc.StatusCode.OK
            assert opened.analysis("running")
            late = opened.failure("late")
            assert (late.reason, late.retryable) == (pb.GameFailure.REASON_CANCELLED, True)
        assert await running.wait() == 0
        assert not any(engine.is_running() for engine in engines)


async def test_what_outlives_the_grace_time_is_broken_off() -> None:
    async with (
        process(ROOKIFY_ANALYZER_GRACE="0.2") as (running, address),
        analysis_stream(address) as opened,
    ):
        await opened.send([game("running"), game("bad", "")], ENDLESS)
        await opened.until(lambda: "bad" in opened.ended)  # so both have arrived
        running.send_signal(signal.SIGTERM)
        await opened.until_end()
        assert opened.code is grpc.StatusCode.UNAVAILABLE
        assert opened.error is not None
        assert from_rpc_error(opened.error).reason == "STOPPING"
        assert set(opened.ended) == {"bad"}
        assert await running.wait() == 0


async def test_kill_leaves_no_engine_behind() -> None:
    async with process() as (running, address), analysis_stream(address) as opened:
        engines = await children(running)
        await opened.until(lambda: opened.credit)
        await opened.send([game("g1")], ENDLESS)
        running.kill()
        await opened.until_end()
        assert opened.code is grpc.StatusCode.UNAVAILABLE
        (engine,) = engines
        assert await until_gone(engine.pid, 30)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ROOKIFY_STOCKFISH": "/no/such"}, "apt-get install stockfish"),
        ({"ROOKIFY_STOCKFISH": "/bin/true"}, "does not run as a UCI engine"),
        ({"ROOKIFY_ANALYZER_LISTEN": "nowhere"}, "write host:port"),
        ({"ROOKIFY_ENGINE_WORKERS": "-1"}, "ROOKIFY_ENGINE_WORKERS"),
        ({"ROOKIFY_ANALYZER_GRACE": "soon"}, "ROOKIFY_ANALYZER_GRACE"),
    ],
)
async def test_what_cannot_run_says_so_in_one_line_with_code_2(
    environment: dict[str, str], says: str
) -> None:
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "analyzer"),
        env={**os.environ, "ROOKIFY_ANALYZER_LISTEN": "127.0.0.1:0", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await started.communicate()
    assert started.returncode == 2
    (line,) = error.decode().splitlines()
    assert line.startswith("rookify-analyzer: ")
    assert says in line


async def test_a_port_in_use_is_said_plainly() -> None:
    async with Analyzer(settings()) as analyzer:
        with pytest.raises(ConfigurationError, match=r"cannot listen on .*in use"):
            async with Analyzer(settings(analyzer_listen=analyzer.address)):
                pass


def _setup(fen: str, moves: str, variant: str = "") -> str:
    header = f'[Variant "{variant}"]\n' if variant else ""
    return f'{header}[SetUp "1"]\n[FEN "{fen}"]\n\n{moves}'
