"""A sync as it happens: a bar with a line above it for each game on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from orchestrator.cli.output import say
from orchestrator.cli.render import (
    games_done,
    is_over,
    phase_text,
    progress_counts,
    time_left,
)
from orchestrator.cli.render_games import finished_game
from orchestrator.cli.words import clean, span_text
from rookify.sync.v1 import sync_pb2


class View(Protocol):
    """What a watcher tells; the job as often as it changes, each finished game once."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def job(self, job: sync_pb2.SyncJob) -> None: ...
    def game(self, game: sync_pb2.GameFinished) -> None: ...
    def broken(self, again: bool) -> None:
        """The connection is lost and being made anew; `again` in the same outage."""
        ...


def view_for(console: Console) -> View:
    return BarView(console) if console.is_interactive else LineView(console)


class LineView:
    """A line when the phase or what the job waits for changes, one for each game: what a pipe can hold."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._trouble = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def job(self, job: sync_pb2.SyncJob) -> None:
        if is_over(job):  # how it ended is told after the watch
            return
        phase, trouble = phase_text(job), clean(job.error)
        if phase != self._phase:
            counts = progress_counts(job)
            say(f"{phase}: {counts}" if counts else phase, console=self._console)
        if trouble and trouble != self._trouble:
            say(trouble, console=self._console)
        self._phase, self._trouble = phase, trouble

    def game(self, game: sync_pb2.GameFinished) -> None:
        say(finished_game(game), console=self._console)

    def broken(self, again: bool) -> None:
        if not again:
            say("connection lost, trying again", console=self._console)


class _Display(Progress):
    """The bar, and below it what the job waits for: a sentence that has no room beside the counts."""

    trouble = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from super().get_renderables()
        if self.trouble:
            yield Text(self.trouble, style="yellow")


class BarView:
    """rich's live display; gone when the watch ends, the lines of the games stay."""

    def __init__(self, console: Console) -> None:
        self._progress = _Display(
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[counts]}"),
            _TimeLeft(),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("connecting", total=None, counts="", ends=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def job(self, job: sync_pb2.SyncJob) -> None:
        left = time_left(job)
        self._progress.trouble = "" if is_over(job) else clean(job.error)
        self._progress.update(
            self._task,
            description=phase_text(job),
            # No total while games are still being found: a bar that moves without saying how far.
            total=max(1, job.games_found) if job.status == sync_pb2.SYNC_STATUS_ANALYZING else None,
            completed=games_done(job),
            counts=progress_counts(job),
            ends=time.monotonic() + left.total_seconds() if left is not None else None,
        )

    def game(self, game: sync_pb2.GameFinished) -> None:
        self._progress.console.print(finished_game(game))

    def renderable(self) -> RenderableType:
        """What the terminal shows now."""
        return self._progress.get_renderable()

    def broken(self, again: bool) -> None:
        # Again, too: a state that came in between has taken the words away.
        self._progress.update(self._task, description="connecting again", ends=None)


class _TimeLeft(ProgressColumn):
    """Counts the server's last estimate down between its messages."""

    def render(self, task: Task) -> Text:
        ends = task.fields["ends"]
        if ends is None:
            return Text()
        return Text(f"{left_text(ends - time.monotonic())} left", style="cyan")


def left_text(seconds: float) -> str:
    """An estimate that ran out says so rather than count below zero."""
    return span_text(timedelta(seconds=seconds)) if seconds >= 1 else "a moment"
