"""What the database knows of the positions that games begin with. It learns by itself, from the analyses."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.caller import Caller
from orchestrator.store.rows import KnownPosition


class PositionCalls(Caller):
    async def known_positions(self, openings: Sequence[str], preset: str) -> list[KnownPosition]:
        """All that is known of positions of the openings, found with that preset or a deeper one."""
        return await self._all(KnownPosition, "known_positions", p_openings=list(openings), p_preset=preset)
