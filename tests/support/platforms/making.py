"""Games for tests, written as either platform answers with them, with their ends to the second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.domain import Color, TimeClass
from tests.support.games.records import START, Record, chesscom, lichess

PLAYER = "Alice_A"
NOON = datetime(2024, 2, 10, 12, tzinfo=UTC)

_CONTROLS = {
    TimeClass.BULLET: ("60", "bullet"),
    TimeClass.BLITZ: ("180+2", "blitz"),
    TimeClass.RAPID: ("600", "rapid"),
    TimeClass.CLASSICAL: ("1800", "classical"),  # lichess only
    TimeClass.CORRESPONDENCE: ("1/86400", "daily"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A game to be made; `number` gives it its ids. `lasted` is the time from its beginning to its end."""

    number: int
    ended: datetime = NOON
    lasted: timedelta = timedelta(minutes=5)
    color: Color = Color.WHITE
    result: str = "1-0"
    time_class: TimeClass = TimeClass.BLITZ
    rated: bool = True
    variant: str = "standard"  # as lichess spells it
    ending: str = "resigned"
    sans: tuple[str, ...] = ("e4", "e5", "Nf3")
    player: str = PLAYER

    def _record(self) -> Record:
        control, word = _CONTROLS[self.time_class]
        opponent = f"Bob-{self.number % 9}x"
        white = self.color is Color.WHITE
        return Record(
            number=self.number,
            white=self.player if white else opponent,
            black=opponent if white else self.player,
            white_rating=1500,
            black_rating=1501,
            result=self.result,
            ending="agreed" if self.result == "1/2-1/2" else self.ending,
            sans=self.sans,
            start_fen=START,
            end_fen=START,
            time_control=control,
            time_class=word,
            started=self.ended - self.lasted,
            rated=self.rated,
            variant=self.variant,
        )

    def chesscom(self) -> dict[str, Any]:
        entry = chesscom(replace(self._record(), variant=self.variant.lower()))
        return entry | {"end_time": int(self.ended.timestamp())}

    def lichess(self) -> dict[str, Any]:
        milliseconds = {
            "createdAt": round((self.ended - self.lasted).timestamp() * 1000),
            "lastMoveAt": round(self.ended.timestamp() * 1000),
        }
        return lichess(self._record()) | milliseconds
