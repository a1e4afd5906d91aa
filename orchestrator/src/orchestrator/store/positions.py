"""What the database knows of the positions that games begin with. It learns by itself, from the analyses."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.caller import Caller
from orchestrator.store.rows import KnownPosition
from orchestrator.store.transport import TooManyRows


class PositionCalls(Caller):
    # Of one engine an opening has 17 positions: 58 have 986, below the 1,000 rows that a Supabase project
    # returns at most. Halved for good where that was too much, since several engines are known then.
    _openings_per_call = 58

    async def known_positions(self, openings: Sequence[str], preset: str) -> list[KnownPosition]:
        """All that is known of positions of the openings, found with that preset or a deeper one.

        Raises TooManyRows where one opening alone is known by more engines than an answer has room for.
        """
        found: dict[tuple[str, str], KnownPosition] = {}  # openings of two calls begin alike
        at = 0
        while some := list(openings[at : at + self._openings_per_call]):
            try:
                rows = await self._all(KnownPosition, "known_positions", p_openings=some, p_preset=preset)
            except TooManyRows:
                if len(some) == 1:
                    raise
                self._openings_per_call = min(self._openings_per_call, len(some) // 2)
            else:
                found |= {(row.moves, row.engine): row for row in rows}
                at += len(some)
        return list(found.values())
