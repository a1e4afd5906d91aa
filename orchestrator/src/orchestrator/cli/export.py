"""`rookify export`: the annotated PGNs of a sync in one file."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from orchestrator.cli import lookup
from orchestrator.cli.client import Client, run
from orchestrator.cli.options import JobArgument, UserOption
from orchestrator.cli.output import note
from orchestrator.cli.words import count
from rookify.sync.v1 import sync_pb2
from servicekit.errors import InvalidInput

AT_ONCE: Final = 8  # requests under way: hides the way there and back, loads the server little


def export(
    job: JobArgument,
    pgn: Annotated[
        str, typer.Option("--pgn", metavar="FILE", help="Where to write them; - for standard output.")
    ],
    user: UserOption = None,
) -> None:
    """Write a sync's games as annotated PGN."""
    with _output(pgn) as out:
        written = run(lambda client: _export(client, job, user, out.write))
        if not written:
            note("The sync has no analyzed games; nothing written.")
            raise typer.Exit(1)
    note(f"{count(written, 'game')} written to {'standard output' if pgn == '-' else pgn}.")


async def _export(client: Client, job: str, user: str | None, write: Callable[[str], object]) -> int:
    """Write every game in the order of the list; how many there were."""
    written = 0
    job_id = await lookup.whole_job_id(client, job, user)
    async for game in _details(client, client.user(user), job_id):
        text = game.analysis.annotated_pgn.strip() or game.pgn.strip()
        separator = "\n" if written else ""
        await asyncio.to_thread(write, f"{separator}{text}\n")
        written += 1
    return written


async def _details(client: Client, user_id: str, job_id: str) -> AsyncIterator[sync_pb2.GameDetail]:
    """The games in order, a few asked for at a time."""

    async def one(game_id: str) -> sync_pb2.GameDetail:
        request = sync_pb2.GetGameAnalysisRequest(user_id=user_id, game_analysis_id=game_id)
        return (await client.call_safely(client.sync.GetGameAnalysis, request)).game

    ids = [summary.id async for summary in lookup.games(client, user_id, job_id=job_id)]
    for start in range(0, len(ids), AT_ONCE):
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(each)) for each in ids[start : start + AT_ONCE]]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the first tells why; the others were cancelled for it
        for task in tasks:
            yield task.result()


@contextmanager
def _output(name: str) -> Iterator[TextIO]:
    """Standard output, or a file that appears whole or not at all; what is there stays until then."""
    if name == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    path = Path(name).resolve()
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced
            direct: TextIO | None = path.open("w", encoding="utf-8")
        else:
            direct = None
            descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise InvalidInput.of("--pgn", f"cannot write {name}: {error.strerror}.") from error
    if direct is not None:
        with direct:
            yield direct
        return
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(part).chmod(0o666 & ~mask)  # as a file made the usual way; mkstemp's is for the owner only
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
