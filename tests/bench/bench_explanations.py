"""What do explanations cost, and what do they cover? One sync with a local LLM server that counts.

The system: `rookify up` over GAMES games of one player, explained as by default; the server speaks OpenAI's
chat completions and counts what it is asked (a token is four characters; its answers have 45 words a moment).
Against: (a) one call for each analyzed move, (b) the compliance guide's criteria (every brilliant, great,
mistake and blunder of both sides), one call each; a call of theirs is this system's own prompt with one
moment in it, and its answer.

    make bench-explanations [ARGS="--games 100 --preset fast --data FOLDER"]    FOLDER/chesscom/games-*.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from google.type import date_pb2

from orchestrator.explain.candidates import LEAST_LOST
from orchestrator.explain.request import SCHEMA
from orchestrator.service.words import PRESETS
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from tests.bench.results import report
from tests.support import real_games
from tests.support.openai_server import MODEL, OpenAiServer, Seen, coach, tokens
from tests.support.orchestrator import PLAYER, Client
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import read_months
from tests.support.postgres import reachable_folder
from tests.support.system import platforms, rookify_up

GUIDE = (
    analysis_pb2.JUDGEMENT_BRILLIANT,
    analysis_pb2.JUDGEMENT_GREAT,
    analysis_pb2.JUDGEMENT_MISTAKE,
    analysis_pb2.JUDGEMENT_BLUNDER,
)


@dataclass
class Coverage:
    """Added up over games. Points are of win percent, of the user's blunders."""

    moves: int = 0
    by_guide: int = 0
    moments: int = 0
    by_llm: int = 0
    worst: int = 0  # the user's three costliest moves of each game
    worst_explained: int = 0
    worst_too_small: int = 0  # lost less than a point: nothing there to explain
    blunders: int = 0
    points: float = 0.0
    points_by_llm: float = 0.0
    missing: list[str] = field(default_factory=list)

    def add(self, game: pb.GameDetail) -> None:
        moves, moments = game.analysis.moves, {moment.ply: moment for moment in game.moments}
        self.moves += len(moves)
        self.by_guide += sum(move.judgement in GUIDE for move in moves)
        self.moments += sum(bool(moment.explanation) for moment in game.moments)
        self.by_llm += sum(moment.explained_by == MODEL for moment in game.moments)
        turn = "w" if game.summary.user_color == pb.COLOR_WHITE else "b"
        mine = [move for move in moves if move.fen_before.split()[1] == turn and move.uci != move.best_uci]
        for move in sorted(mine, key=_lost, reverse=True)[:3]:
            self.worst += 1
            moment = moments.get(move.ply)
            if moment is not None and moment.explanation:
                self.worst_explained += 1
            elif _lost(move) < LEAST_LOST:
                self.worst_too_small += 1
            else:
                self.missing.append(f"{game.summary.game_url} {move.ply}")
        for move in mine:
            if move.judgement == analysis_pb2.JUDGEMENT_BLUNDER:
                self.blunders += 1
                self.points += _lost(move)
                if move.ply in moments and moments[move.ply].explained_by == MODEL:
                    self.points_by_llm += _lost(move)


def _lost(move: analysis_pb2.MoveAnalysis) -> float:
    return max(0.0, move.win_percent_before - move.win_percent_after)


@dataclass
class Cost:
    calls: int
    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def row(self, way: str, ours: Cost) -> dict[str, Any]:
        return {
            "way": way,
            "calls": self.calls,
            "tokens in": self.input_tokens,
            "tokens out": self.output_tokens,
            "fewer calls %": 100 * (1 - ours.calls / self.calls),
            "fewer tokens %": 100 * (1 - ours.tokens / self.tokens),
        }


def one_each(calls: int, seen: Sequence[Seen]) -> Cost:
    """So many calls of one moment: the mean over the moments that were really asked about."""
    moments = [moment for each in seen for moment in each.moments]
    fixed = tokens(seen[0].body["messages"][0]["content"]) + tokens(json.dumps(SCHEMA))
    asked = fixed + mean(tokens(json.dumps([moment], separators=(",", ":"))) for moment in moments)
    told = mean(tokens(json.dumps({"explanations": [coach(moment)]})) for moment in moments)
    return Cost(calls, round(calls * asked), round(calls * told))


async def details(user: Client) -> list[pb.GameDetail]:
    found: list[pb.GameDetail] = []
    token = ""
    while True:
        page = await user.call(
            "ListGameAnalyses",
            pb.ListGameAnalysesRequest(user_id=str(user.user_id), page_size=100, page_token=token),
        )
        for game in page.games:
            request = pb.GetGameAnalysisRequest(user_id=str(user.user_id), game_analysis_id=game.id)
            found.append((await user.call("GetGameAnalysis", request)).game)
        token = page.next_page_token
        if not token:
            return found


def window(folder: Path) -> Mapping[str, Any]:
    """The player with most of the games, and the days that they span."""
    games = read_months(folder)
    names = [game[color]["username"] for game in games for color in ("white", "black")]
    days = [datetime.fromtimestamp(game["end_time"], UTC) for game in games]
    first, last = min(days), max(days)
    return {
        "username": max(names, key=names.count) if games else PLAYER,
        "from_date": date_pb2.Date(year=first.year, month=first.month, day=first.day),
        "to_date": date_pb2.Date(year=last.year, month=last.month, day=last.day),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="fast", choices=["fast", "standard", "deep"])
    parser.add_argument("--data", type=Path, default=real_games.real_games() or SHIPPED)
    options = parser.parse_args()
    chesscom = options.data / "chesscom"
    folder = reachable_folder("rookify-bench-")
    try:
        async with (
            OpenAiServer() as server,
            platforms("--games", str(chesscom)) as servers,
            rookify_up(
                folder / "data",
                servers.settings | server.settings,
                "--engine-workers",
                str(options.workers),
            ) as system,
            system.client() as user,
        ):
            preset = next(value for value, name in PRESETS.items() if name == options.preset and value)
            request = user.request(**window(chesscom), max_games=options.games, preset=preset)
            job = (await user.call("StartSync", request)).sync_job
            last_game = time.monotonic()
            async for message in user.watch(job.id, include_games=True):
                job = message.sync_job
                if message.HasField("game"):
                    last_game = time.monotonic()
            waited = time.monotonic() - last_game
            assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
            coverage = Coverage()
            for game in await details(user):
                coverage.add(game)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours = Cost(len(server.requests), server.input_tokens, server.output_tokens)
    by_move, by_guide = (one_each(calls, server.requests) for calls in (coverage.moves, coverage.by_guide))
    report(
        "explanations",
        [
            ours.row("this system", ours),
            by_move.row("(a) one call per move", ours),
            by_guide.row("(b) the guide's criteria", ours),
        ],
        note=f"{job.games_analyzed} games, preset {options.preset}; a token is four characters",
        games=job.games_analyzed,
        moves=coverage.moves,
        moments=coverage.moments,
        moments_by_llm=coverage.by_llm,
        worst_moves=coverage.worst,
        worst_moves_explained=coverage.worst_explained,
        worst_moves_that_lost_next_to_nothing=coverage.worst_too_small,
        worst_moves_missing=coverage.missing,
        users_blunders=coverage.blunders,
        blunders_lost_chance_in_llm_moments=coverage.points_by_llm / coverage.points,
        tokens_of_one_call_per_move=by_move.tokens / max(1, by_move.calls),
        seconds_after_the_last_game=waited,
    )


if __name__ == "__main__":
    asyncio.run(main())
