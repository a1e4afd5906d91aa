"""What players of a rating can learn from. Pure.

The bands are the original application's (below 1200, to 1799, above), and so is how many moments of one game
they are asked to take in: 3, 5, 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low

UNKNOWN = 1200  # `users.rating` begins with it, and means as little there


@dataclass(frozen=True, slots=True)
class Band:
    """`name` keys the cache. `lessons` weigh the themes for these players; 1 where there is nothing to
    say."""

    name: str
    below: int
    moments_per_game: int
    lessons: dict[str, float] = field(repr=False)

    def weight(self, themes: Sequence[str]) -> float:
        """Of the theme that teaches most; without a theme there is less to point at."""
        return max((self.lessons.get(_plain(theme), 1.0) for theme in themes), default=0.8)


def _plain(theme: str) -> str:
    """A chance missed teaches what the same thing allowed does."""
    return theme.removeprefix("missed_")


# What decides games between beginners comes first for them; a slip that everyone at 1800 knows to be one
# teaches nothing there, a motif that is seen late does.
_FIRST = {"hanging_piece": 1.25, "capture": 1.25, "mate": 1.2, "fork": 1.2, "back_rank_mate": 1.2}
_FIRST |= {"bad_trade": 1.15, "opening_principle": 1.15, "pin": 1.1, "trapped_piece": 1.1, "opposition": 0.8}
_CLUB = {"fork": 1.15, "pin": 1.15, "skewer": 1.15, "discovered_attack": 1.15, "back_rank_mate": 1.15}
_CLUB |= {"trapped_piece": 1.15, "king_safety": 1.1, "passed_pawn": 1.1, "mate": 1.1, "hanging_pawn": 0.9}
_STRONG = {
    "overloaded_defender": 1.25,
    "removed_defender": 1.25,
    "discovered_attack": 1.15,
    "king_safety": 1.2,
}
_STRONG |= {
    "opposition": 1.25,
    "passed_pawn": 1.2,
    "promotion": 1.1,
    "hanging_piece": 0.8,
    "hanging_pawn": 0.8,
}

BANDS = (
    Band("below 1200", 1200, 3, _FIRST),
    Band("1200 to 1799", 1800, 5, _CLUB),
    Band("1800 and above", 10_000, 7, _STRONG),
)


def band(rating: int) -> Band:
    return next((each for each in BANDS if rating < each.below), BANDS[-1])


def of_player(profile: int | None, games: Sequence[int | None]) -> int:
    """The rating to write for: the profile's where it says one, else the middle of the games' own."""
    if profile and profile != UNKNOWN:
        return profile
    known = [rating for rating in games if rating]
    return median_low(known) if known else UNKNOWN
