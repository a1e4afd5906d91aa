"""Rating bands, and whose rating counts."""

from __future__ import annotations

import pytest

from orchestrator.explain import rating


@pytest.mark.parametrize(
    ("points", "name", "moments"),
    [(400, "below 1200", 3), (1199, "below 1200", 3), (1200, "1200 to 1799", 5), (1800, "1800 and above", 7)],
)
def test_bands_are_the_original_applications(points: int, name: str, moments: int) -> None:
    band = rating.band(points)
    assert (band.name, band.moments_per_game) == (name, moments)
    assert rating.band(12_000) is rating.BANDS[-1]


@pytest.mark.parametrize(
    ("profile", "games", "expected"),
    [
        (1650, [800, 900], 1650),
        (None, [800, None, 900, 700], 800),
        (1200, [800, 900], 800),  # what every profile begins with says nothing
        (1200, [None], 1200),
        (None, [], 1200),
    ],
)
def test_the_profile_counts_then_the_games(
    profile: int | None, games: list[int | None], expected: int
) -> None:
    assert rating.of_player(profile, games) == expected


def test_lessons_differ_by_rating() -> None:
    beginner, club, strong = rating.BANDS
    assert beginner.weight(["hanging_piece"]) > strong.weight(["hanging_piece"])
    assert strong.weight(["missed_overloaded_defender"]) > beginner.weight(["missed_overloaded_defender"])
    for band in rating.BANDS:
        assert band.weight([]) < band.weight(["some_theme"]) == 1
    assert club.weight(["hanging_pawn", "fork"]) == club.weight(["fork"])
