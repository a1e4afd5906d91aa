"""Which detector finds which theme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analyzer.phases import Phase
from analyzer.themes import captures, defenders, endgame, mates, tactics
from analyzer.themes.line import Line
from analyzer.themes.words import Theme


@dataclass(frozen=True, slots=True)
class Motif:
    """What a line may show, and what it is called where it is, or might be, played, and where it was missed.

    `won`: pawns that the line must win at least for the motif to be its point; technique wins none yet.
    """

    shows: Callable[[Line], bool]
    played: Theme | None
    missed: Theme | None
    won: int = 1


# The most telling first.
TACTICS: tuple[Motif, ...] = (
    Motif(endgame.is_promotion, Theme.PROMOTION, Theme.MISSED_PROMOTION, won=2),
    Motif(tactics.is_fork, Theme.FORK, Theme.MISSED_FORK, won=2),
    Motif(tactics.is_skewer, Theme.SKEWER, Theme.MISSED_SKEWER, won=2),
    Motif(tactics.is_discovered_attack, Theme.DISCOVERED_ATTACK, Theme.MISSED_DISCOVERED_ATTACK),
    Motif(tactics.is_pin, Theme.PIN, Theme.MISSED_PIN),
    Motif(captures.is_trapped_piece, Theme.TRAPPED_PIECE, Theme.MISSED_TRAPPED_PIECE, won=2),
    Motif(defenders.is_overloaded_defender, Theme.OVERLOADED_DEFENDER, Theme.MISSED_OVERLOADED_DEFENDER),
    Motif(defenders.is_removed_defender, Theme.REMOVED_DEFENDER, Theme.MISSED_REMOVED_DEFENDER),
    Motif(captures.wins_piece, Theme.HANGING_PIECE, None, won=2),
    Motif(captures.wins_pawn, Theme.HANGING_PAWN, None),
    Motif(captures.wins_by_capture, None, Theme.MISSED_CAPTURE),
)
# Looked for in endgames, where no tactics decide.
TECHNIQUE: tuple[Motif, ...] = (
    Motif(endgame.is_passed_pawn, Theme.PASSED_PAWN, Theme.MISSED_PASSED_PAWN),
    Motif(endgame.is_opposition, Theme.OPPOSITION, Theme.MISSED_OPPOSITION),
)

BACK_RANK = Motif(mates.is_back_rank_mate, Theme.BACK_RANK_MATE, Theme.MISSED_BACK_RANK_MATE)


def shown(line: Line, won: int, phase: Phase) -> list[Motif]:
    """The motifs of a line, in their order. `won`: pawns that it wins, as far as they count here."""
    if not line.moves:
        return []
    found = [motif for motif in TACTICS if won >= motif.won and motif.shows(line)]
    if not found and phase is Phase.ENDGAME:
        found = [motif for motif in TECHNIQUE if motif.shows(line)]
    return found
