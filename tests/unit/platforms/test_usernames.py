"""Names that can be, and names that cannot."""

from __future__ import annotations

import pytest

from orchestrator.domain import Platform
from orchestrator.platforms.usernames import validate_username
from servicekit.errors import InvalidInput


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        (Platform.CHESS_COM, "abc"),
        (Platform.CHESS_COM, "SCHMITZ874"),
        (Platform.CHESS_COM, "-_-"),
        (Platform.CHESS_COM, "x" * 25),
        (Platform.LICHESS, "ab"),
        (Platform.LICHESS, "JERC-12Jesus"),
        (Platform.LICHESS, "1Player"),
        (Platform.LICHESS, "x" * 30),
    ],
)
def test_names_that_can_be(platform: Platform, name: str) -> None:
    assert validate_username(platform, name) == name
    assert validate_username(platform, f" {name}\n") == name


@pytest.mark.parametrize(
    ("platform", "name", "words"),
    [
        (Platform.CHESS_COM, "", "is empty"),
        (Platform.LICHESS, " \t\n", "is empty"),
        (Platform.CHESS_COM, "ab", "3 to 25"),
        (Platform.CHESS_COM, "x" * 26, "3 to 25"),
        (Platform.CHESS_COM, "two words", "3 to 25"),
        (Platform.CHESS_COM, "dots.are.out", "3 to 25"),
        (Platform.CHESS_COM, "abc\ndef", "3 to 25"),
        (Platform.CHESS_COM, "abc\x00", "3 to 25"),
        (Platform.CHESS_COM, "абв", "3 to 25"),
        (Platform.CHESS_COM, "١٢٣", "3 to 25"),
        (Platform.LICHESS, "a", "2 to 30"),
        (Platform.LICHESS, "x" * 31, "2 to 30"),
        (Platform.LICHESS, "_abc", "beginning and ending"),
        (Platform.LICHESS, "abc-", "beginning and ending"),
        (Platform.LICHESS, "../../etc", "2 to 30"),
        (Platform.LICHESS, "abc?max=1", "2 to 30"),
    ],
)
def test_names_that_cannot_be_say_why_on_the_field(platform: Platform, name: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_username(platform, name)
    (violation,) = caught.value.violations
    assert violation.field == "username"
    assert words in violation.description


def test_an_absurdly_long_name_is_not_repeated_in_full() -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_username(Platform.CHESS_COM, "x" * 1_000_000)
    assert len(caught.value.message) < 200
