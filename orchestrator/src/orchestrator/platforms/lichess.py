"""Games from lichess's export of a user's games, a page for each request.

What the export goes by is the time a game began; a sync goes by the day it ended. So the window's games are
those that began in it or shortly before (`LIVE_LOOKBACK`), and the correspondence games among those that
began up to `CORRESPONDENCE_LOOKBACK` before; each is then held to the window by its last move.

The filters are applied here, to each game's own fields, and not by the export's parameters `perfType`,
`rated` and `color`. With any of these lichess answers from its search index, which lags behind, repeats
games, ends early and orders by another date (lichess-org/api issues 366 and 637, lichess-org/lila issues
19685 and 20060). It is used only to find the old correspondence games, which nothing else finds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from orchestrator.domain import Platform, TimeClass
from orchestrator.platforms.base import FetchPage, FetchRequest
from orchestrator.platforms.entries import PageBuilder
from orchestrator.platforms.http import HttpPolicy, PlatformHttp
from orchestrator.platforms.lichess_export import Export, Place, milliseconds
from orchestrator.platforms.window import bounds

# "If you receive a 429, wait a full minute before resuming API usage": nobody asks before that.
RATE_LIMIT_PAUSE = 60.0


class LichessClient:
    """One for the process: its jobs share the gate. A request's token goes to lichess and nowhere else."""

    platform = Platform.LICHESS

    def __init__(
        self,
        base_url: str = "https://lichess.org",
        contact: str = "",
        *,
        policy: HttpPolicy | None = None,
    ) -> None:
        policy = policy or HttpPolicy(rate_limit_pause=RATE_LIMIT_PAUSE)
        self._http = PlatformHttp(self.platform, base_url, contact, policy, follow_redirects=False)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def fetch(self, request: FetchRequest) -> AsyncIterator[FetchPage]:
        """The window's games, last begun first; then the correspondence games that began long before it.

        Nothing is open at lichess while a page is out, so a consumer may take its time, or stop.
        """
        export = Export(self._http, request)
        builder = PageBuilder(request)
        if builder.satisfied():
            return
        start, end = bounds(request.window)
        place = Place.of(request.cursor) if request.cursor else Place(milliseconds(end))
        while place.old is None:
            lines = await export.page(place, start)
            if not lines:
                place = Place(place.before, place.seen, old=(0, ""))
            for line in lines:
                place = place.after(line)
                builder.take(line.value)
                if builder.satisfied():
                    break
            yield builder.page(place.cursor())
            if builder.satisfied():
                return
        if request.filter.time_classes and TimeClass.CORRESPONDENCE not in request.filter.time_classes:
            return
        for line in place.old_left(await export.old_correspondence(start)):
            builder.take(line.value)
            place = Place(place.before, place.seen, old=line.key)
            if builder.full() or builder.satisfied():
                yield builder.page(place.cursor())
            if builder.satisfied():
                return
        if builder.pending():
            yield builder.page(place.cursor())
