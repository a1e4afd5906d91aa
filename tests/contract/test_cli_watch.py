"""`rookify sync` and `rookify watch`: starting, following over breaks, ending, on pipes and on a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import grpc
import grpc.aio
import pytest
from google.type.date_pb2 import Date

from orchestrator.cli.client import connect
from orchestrator.cli.watch import follow
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2
from servicekit.errors import AlreadyExists, NotFound, PermissionDenied, Unavailable
from tests.support.cli_bench import DONE, JOB, TOKEN, USER, Bench, a_job, cli_bench, end, game, state, told
from tests.support.rookify_cli import started
from tests.support.scripted_sync import Step, serve


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with cli_bench(tmp_path) as made:
        yield made


async def test_a_sync_from_start_to_table(bench: Bench) -> None:
    bench.give_games(3)
    bench.server.watches = [
        [
            state("1", status=sync_pb2.SYNC_STATUS_PENDING),
            state("2", status=sync_pb2.SYNC_STATUS_FETCHING, games_found=2),
            state("3", games_found=3),
            game(1),
            game(2),
            game(3),
            end(),
        ]
    ]
    command = "sync lichess thibault --from 2024-01-31 --to 2024-02-29 --time-class blitz --time-class rapid"
    more = "--result win --color white --rated --max-games 50 --preset fast"
    ended = await bench.rookify(*command.split(), *more.split())
    lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "`rookify show 00000000` shows a game, move by move.\n")
    assert lines[:5] == [
        "Syncing thibault on lichess, 1 month",
        f"Job {JOB}",
        "waiting",
        "fetching: 2 games found",
        "analyzing: 0 of 3 games",
    ]
    assert told(ended.out) == ["rival1", "rival2", "rival3"]
    table = lines[9:13]
    assert table[0].split() == [
        "game",
        "white",
        "elo",
        "black",
        "elo",
        "result",
        "accuracy",
        "blunders",
        "opening",
    ]
    assert [row.split()[0] for row in table[1:]] == [each.id for each in bench.server.games]
    assert lines[-1] == "Synced thibault on lichess in 1:01: 3 games found, 3 analyzed."
    assert "\x1b" not in ended.out

    [request] = bench.server.requests("StartSync")
    assert UUID(request.request_id)
    assert request == sync_pb2.StartSyncRequest(
        user_id=USER,
        platform=sync_pb2.PLATFORM_LICHESS,
        username="thibault",
        from_date=Date(year=2024, month=1, day=31),
        to_date=Date(year=2024, month=2, day=29),
        filter=sync_pb2.GameFilter(
            time_classes=[sync_pb2.TIME_CLASS_BLITZ, sync_pb2.TIME_CLASS_RAPID],
            results=[sync_pb2.GAME_RESULT_WIN],
            colors=[sync_pb2.COLOR_WHITE],
            rated_only=True,
        ),
        max_games=50,
        preset=analysis_pb2.SearchBudget.PRESET_FAST,
        request_id=request.request_id,
    )
    assert bench.server.requests("WatchSync")[0].include_games


async def test_a_start_whose_answer_got_lost_is_repeated_as_the_same_request(bench: Bench) -> None:
    bench.server.failures["StartSync"] = [grpc.StatusCode.UNAVAILABLE, Unavailable("busy")]
    ended = await bench.rookify("sync", "chess.com", "hikaru", "--no-watch", "--user", JOB)
    assert (ended.code, ended.out) == (0, JOB + "\n")
    assert "Queued." in ended.err
    requests = bench.server.requests("StartSync")
    assert len(requests) == 3
    assert {each.request_id for each in requests} == {requests[0].request_id}
    assert (requests[0].user_id, requests[0].months) == (JOB, 0)
    assert bench.server.requests("WatchSync") == []


async def test_a_lichess_token_comes_from_the_environment_and_goes_to_lichess_alone(bench: Bench) -> None:
    (bench.folder / "token").write_text("lip_made_up\n")
    bench.settings["ROOKIFY_LICHESS_TOKEN_FILE"] = str(bench.folder / "token")
    for platform in ("lichess", "chess.com"):
        await bench.rookify("sync", platform, "thibault", "--no-watch")
    tokens = [request.lichess_token for request in bench.server.requests("StartSync")]
    assert tokens == ["lip_made_up", ""]


async def test_two_syncs_are_two_requests(bench: Bench) -> None:
    for _ in range(2):
        await bench.rookify("sync", "chess.com", "--no-watch", "--months", "2")
    first, second = bench.server.requests("StartSync")
    assert first.request_id != second.request_id
    assert (first.username, first.months, first.HasField("from_date")) == ("", 2, False)


async def test_a_refused_start_is_not_repeated(bench: Bench) -> None:
    bench.server.failures["StartSync"] = [AlreadyExists("a sync is running", metadata={"sync_job_id": JOB})]
    ended = await bench.rookify("sync", "chess.com", "hikaru")
    assert (ended.code, ended.err) == (1, f"rookify: a sync is running (`rookify watch {JOB}` shows it)\n")
    assert len(bench.server.requests("StartSync")) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["chess24", "x"], "chess24"),
        (["lichess", "x", "--months", "13"], "--months"),
        (["lichess", "x", "--months", "3", "--from", "2024-01-01"], "--months"),
        (["lichess", "x", "--from", "2024-02-01", "--to", "2024-01-01"], "--from"),
        (["lichess", "x", "--from", "9999-01-01"], "--from"),
        (["lichess", "x", "--to", "2024-01-01"], "--to"),
        (["lichess", "x", "--from", "1.2.2024"], "YYYY-MM-DD"),
        (["lichess", "x", "--user", "alice"], "UUID"),
        (["lichess", "x", "--max-games", "-1"], "--max-games"),
        (["lichess", "x", "--color", "green"], "green"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_any_call(
    bench: Bench, arguments: list[str], part: str
) -> None:
    ended = await bench.rookify("sync", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert part in ended.err
    assert bench.server.calls == []


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (sync_pb2.SYNC_STATUS_FAILED, "failed after 1:01 (no games found)."),
        (sync_pb2.SYNC_STATUS_CANCELLED, "was cancelled after 1:01 (no games found)."),
    ],
)
async def test_a_sync_that_ends_otherwise_exits_1_with_its_sentence(
    bench: Bench, status: sync_pb2.SyncStatus.ValueType, sentence: str
) -> None:
    bench.server.watches = [[state("x", **{**DONE, "status": status}, error="lichess has no such player.")]]
    ended = await bench.rookify("watch", JOB)
    assert (ended.code, ended.err) == (
        1,
        f"The sync of thibault on lichess {sentence} lichess has no such player.\n",
    )


@pytest.mark.parametrize(
    "break_",
    [[grpc.StatusCode.UNAVAILABLE], [Unavailable("draining")], [grpc.StatusCode.CANCELLED], []],
    ids=["proxy", "server", "cancelled", "ended early"],
)
async def test_a_broken_watch_goes_on_where_it_was(bench: Bench, break_: list[grpc.StatusCode]) -> None:
    bench.server.watches = [
        [state("start", games_found=3), game(1), game(2), *break_],
        [*break_],
        [game(3), end()],
    ]
    ended = await bench.rookify("watch", JOB)
    assert ended.code == 0
    assert told(ended.out) == ["rival1", "rival2", "rival3"]
    assert "connection lost, trying again" in ended.out
    assert [each.resume_token for each in bench.server.requests("WatchSync")] == ["", "after-2", "after-2"]


async def test_an_outage_is_told_once_and_the_next_one_too(bench: Bench) -> None:
    """A server that stops gives each new watch the state and ends it, then there is none, then a new one."""
    stopping: list[Step] = [state("start", games_found=3), Unavailable("this server is stopping")]
    gone: list[Step] = [grpc.StatusCode.UNAVAILABLE]
    bench.server.watches = [
        *([stopping] * 3),
        *([gone] * 2),
        [state("start", games_found=3), game(1), *gone],
        *([gone] * 2),
        [game(2), game(3), end()],
    ]
    ended = await bench.rookify("watch", JOB)
    assert ended.code == 0
    assert ended.out.count("connection lost, trying again") == 2


async def test_a_watch_says_what_the_job_waits_for(bench: Bench) -> None:
    away = "chess.com does not answer (it cannot be reached); trying again at 01:52 UTC"
    fetching = {"status": sync_pb2.SYNC_STATUS_FETCHING}
    bench.server.watches = [[state("1", **fetching), state("2", **fetching, error=away), game(1), end(1)]]
    ended = await bench.rookify("watch", JOB)
    assert away in " ".join(ended.out.split())


async def test_a_watch_survives_a_new_server_at_the_same_address(bench: Bench) -> None:
    bench.server.watches = [[game(1), asyncio.Event()], [game(2), end(2)]]
    async with started("watch", JOB, settings=bench.settings, folder=bench.folder) as process:
        assert process.stdout is not None
        while "rival1" not in (await process.stdout.readline()).decode():
            pass
        await bench.stop()
        server, _ = await serve(bench.server, f"127.0.0.1:{bench.port}")
        out, _ = await process.communicate()
        await server.stop(0)
    assert process.returncode == 0
    assert told(out.decode()) == ["rival2"]


async def test_a_lost_goodbye_after_the_end_is_no_loss(bench: Bench) -> None:
    bench.server.watches = [[end(0), grpc.StatusCode.UNAVAILABLE]]
    assert (await bench.rookify("watch", JOB)).code == 0
    assert len(bench.server.requests("WatchSync")) == 1


async def test_a_refused_watch_is_not_tried_again(bench: Bench) -> None:
    bench.server.watches = [[game(1), PermissionDenied("no longer yours")]]
    ended = await bench.rookify("watch", JOB)
    assert (ended.code, ended.err) == (1, "rookify: no longer yours\n")
    assert len(bench.server.requests("WatchSync")) == 1
    bench.server.failures["GetSyncJob"] = [NotFound("no such sync job")]
    assert (await bench.rookify("watch", JOB)).err == "rookify: no such sync job\n"


@pytest.mark.parametrize("break_", [[grpc.StatusCode.UNAVAILABLE], []], ids=["broken", "ended early"])
async def test_a_watch_that_never_comes_back_is_given_up(bench: Bench, break_: list[grpc.StatusCode]) -> None:
    bench.server.watches = [break_ for _ in range(100)]
    breaks: list[bool] = []
    async with connect(f"127.0.0.1:{bench.port}", TOKEN) as client:
        messages = follow(client, JOB, breaks.append, patience=0.3)
        async with aclosing(messages):
            with pytest.raises((Unavailable, grpc.aio.AioRpcError)):
                await anext(messages)
    assert breaks[0] is False
    assert breaks.count(True) == len(bench.server.requests("WatchSync")) - 2 > 0


async def test_a_sync_that_is_over_shows_its_result_at_once(bench: Bench) -> None:
    bench.give_games(2)
    over = a_job(games_found=2, games_analyzed=2, **DONE)
    bench.server.answers["GetSyncJob"] = sync_pb2.GetSyncJobResponse(sync_job=over)
    ended = await bench.rookify("watch", JOB)
    assert ended.code == 0
    assert len([line for line in ended.out.splitlines() if " rival" in line]) == 2
    assert ended.out.endswith("2 games found, 2 analyzed.\n")
    assert bench.server.requests("WatchSync") == []


async def test_a_large_sync_shows_its_first_hundred_games(bench: Bench) -> None:
    bench.give_games(130)
    bench.server.watches = [[end(130)]]
    ended = await bench.rookify("watch", JOB)
    assert len([line for line in ended.out.splitlines() if " rival" in line]) == 100
    assert f"… and 30 games more: `rookify games --job {JOB}`" in ended.out
