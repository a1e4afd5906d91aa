"""Which moves become moments, and which of them the LLM is asked about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.explain import choice
from orchestrator.explain.candidates import Candidate, Kind
from orchestrator.explain.choice import Choice
from orchestrator.explain.rating import BANDS
from tests.support.candidates import candidate

BEGINNER, CLUB, STRONG = BANDS
BASE = candidate("r3k3/p7/8/3N4/8/8/8/4K3 b - - 0 15", "a6", best="Rc8 Nb4", reply="Nc7+ Kd7 Nxa8")
GREAT: dict[str, Any] = {"kind": Kind.FOUND, "judgement": "JUDGEMENT_GREAT"}


def error(game: int, lost: float = 30, before: float = 60, ply: int = 30, **changes: Any) -> Candidate:
    """A blunder, in a position that only this game and ply have."""
    fields: dict[str, Any] = {
        "game": game,
        "ply": ply,
        "fen": position(game, ply),
        "percent_before": before,
        "percent_after": before - lost,
        "themes": ("fork",),
    }
    return replace(BASE, **(fields | changes))


def position(game: int, ply: int) -> str:
    """One for each pair of numbers: the bits are pawns."""
    bits = f"{game * 256 + ply:014b}"
    ranks = ["".join("P" if bit == "1" else "1" for bit in part) for part in (bits[:7], bits[7:])]
    return f"k7/8/8/{ranks[0]}1/{ranks[1]}1/8/8/K7 b - - 0 15"


def asked(
    candidates: list[Candidate], band: Any = BEGINNER, room: int = 100, per_game: int = 100, **options: Any
) -> list[Choice]:
    return choice.for_the_llm(candidates, band, room=room, per_game=per_game, **options)


def picked(choices: list[Choice]) -> list[Candidate]:
    return [each.candidate for each in choices]


class TestEveryGame:
    def test_the_three_costliest_moves_are_moments_whatever_they_cost(self) -> None:
        moves = [error(1, lost, ply=ply) for ply, lost in ((2, 3), (12, 9), (22, 2), (32, 40), (42, 1))]
        assert [each.candidate.ply for each in choice.of_game(moves)] == [2, 12, 32]
        assert [each.why[0] for each in choice.of_game(moves)] == [
            "the third costliest move of the game: 3 points of win percent",
            "the second costliest move of the game: 9 points of win percent",
            "the costliest move of the game: 40 points of win percent",
        ]

    def test_the_best_moves_come_beside_them_but_not_what_anyone_would_play(self) -> None:
        saved = {"percent_before": 60, "percent_after": 60}
        moves = [
            error(1, ply=2),
            error(1, ply=12, **GREAT, **saved, percent_second=30.0),
            error(1, ply=22, **GREAT, **saved, percent_second=10.0, retakes=True),
            error(1, ply=32, **GREAT, **saved, percent_second=None),
            error(1, ply=42, **GREAT, **saved, percent_second=20.0),
            error(1, ply=52, **GREAT, **saved, percent_second=25.0),
        ]
        assert [each.candidate.ply for each in choice.of_game(moves)] == [2, 42, 52]

    def test_a_game_without_errors_has_no_moments(self) -> None:
        assert choice.of_game([]) == []


class TestTheJob:
    def test_what_cost_most_comes_first(self) -> None:
        moves = [error(1, 25), error(2, 45), error(3, 35)]
        assert [each.game for each in picked(asked(moves))] == [2, 3, 1]
        assert [each.game for each in picked(asked(moves, room=2))] == [2, 3]
        assert asked(moves, room=0) == []

    def test_open_positions_come_before_decided_ones(self) -> None:
        lost, open_ = error(1, 15, before=18), error(2, 14, before=57)
        assert picked(asked([lost, open_])) == [open_, lost]

    def test_a_players_rating_decides_what_there_is_to_learn(self) -> None:
        hanging = error(1, 30, themes=("hanging_piece",))
        overloaded = error(2, 30, themes=("overloaded_defender",))
        assert picked(asked([hanging, overloaded], BEGINNER))[0] is hanging
        assert picked(asked([hanging, overloaded], STRONG))[0] is overloaded

    def test_small_slips_are_not_asked_about(self) -> None:
        slip = error(1, judgement="JUDGEMENT_INACCURACY")
        assert asked([slip, error(2, judgement="JUDGEMENT_UNSPECIFIED")]) == []
        assert len(asked([slip, error(2, judgement="JUDGEMENT_MISTAKE")])) == 1

    def test_a_chance_missed_counts_more_than_any_other_error(self) -> None:
        chance = error(1, 30, kind=Kind.MISSED_CHANCE)
        assert picked(asked([error(2, 30), chance]))[0] is chance
        assert "a chance: the opponent had just erred" in asked([chance])[0].why

    def test_great_moves_are_ranked_by_what_any_other_loses(self) -> None:
        great = error(1, 0, percent_after=60, percent_second=10, **GREAT)
        less = error(2, 0, percent_after=60, percent_second=40, **GREAT)
        retaken = error(3, 0, percent_after=60, percent_second=10, retakes=True, **GREAT)
        assert picked(asked([less, great, retaken])) == [great, less]
        assert "the only good move: any other loses 50 points of win percent" in asked([great])[0].why

    def test_taking_what_hangs_is_not_great_enough(self) -> None:
        saved: dict[str, Any] = {"percent_after": 60, "percent_second": 10, **GREAT}
        obvious = [
            error(number, 0, themes=(theme, "fork"), **saved)
            for number, theme in enumerate(("recapture", "hanging_piece", "hanging_pawn"), start=1)
        ]
        assert asked(obvious) == []
        assert choice.of_game(obvious) == []
        assert len(asked([error(1, 0, themes=("fork", "hanging_piece"), **saved)])) == 1

    def test_variety_brings_in_other_themes_phases_and_openings(self) -> None:
        forks = [error(number, 30.5) for number in range(1, 6)]
        others: list[dict[str, Any]] = [{"themes": ("pin",)}, {"phase": "endgame"}, {"opening": "B01"}]
        for other in (error(9, 30, **changes) for changes in others):
            assert other in picked(asked([*forks, other], CLUB, room=2))

    def test_variety_does_not_keep_the_great_losses_out(self) -> None:
        forks = [error(number, 40) for number in range(1, 40)]
        small = [
            error(number, 12, themes=("pin",), phase="endgame", opening="B01") for number in range(40, 50)
        ]
        assert picked(asked([*forks, *small], CLUB, room=39)).count(forks[0]) == 1
        assert sum(each in forks for each in picked(asked([*forks, *small], CLUB, room=39))) >= 37

    def test_the_same_position_is_asked_about_once(self) -> None:
        first = error(1, 40)
        again = error(2, 35, fen=first.fen.replace("0 15", "3 19"))
        assert picked(asked([first, again])) == [first]
        assert asked([again], taken=[first]) == []

    def test_an_error_repeated_two_moves_later_is_one_lesson(self) -> None:
        moves = [error(1, 40, ply=20), error(1, 35, ply=24), error(1, 30, ply=24, themes=("pin",))]
        assert [each.themes for each in picked(asked(moves))] == [("fork",), ("pin",)]
        assert len(asked([moves[0], error(1, 35, ply=26)])) == 2

    def test_no_game_takes_more_than_its_share(self) -> None:
        moves = [error(1, 50 - ply / 10, ply=ply) for ply in range(10, 110, 10)] + [error(2, 12)]
        chosen = picked(asked(moves, per_game=3))
        assert [each.game for each in chosen] == [1, 1, 1, 2]
        assert len(picked(asked(moves, per_game=3, taken=chosen[:2]))) == 2

    def test_every_choice_says_why(self) -> None:
        (only,) = asked([error(1, 30, themes=("hanging_piece",))])
        assert only.why == (
            "number 1 of 1 that the LLM might have explained",
            "the game was still open (60 → 30 %)",
            "hanging piece: much to learn from at a rating below 1200",
            "new among those chosen: theme hanging piece, middlegame, C50",
        )

    @given(
        st.lists(
            st.builds(
                error,
                st.integers(1, 12),
                st.floats(1, 60),
                st.floats(60, 100),
                ply=st.integers(1, 200),
                themes=st.sampled_from([(), ("fork",), ("pin", "mate"), ("missed_fork",)]),
                judgement=st.sampled_from(["JUDGEMENT_BLUNDER", "JUDGEMENT_MISTAKE", "JUDGEMENT_INACCURACY"]),
            ),
            max_size=40,
        ),
        st.integers(0, 20),
        st.integers(1, 4),
    )
    def test_it_keeps_to_its_bounds_and_depends_on_no_order(
        self, moves: list[Candidate], room: int, per_game: int
    ) -> None:
        chosen = asked(moves, room=room, per_game=per_game)
        assert len(chosen) <= room
        assert all(each.why for each in chosen)
        games = [each.game for each in picked(chosen)]
        assert all(games.count(game) <= per_game for game in games)
        positions = [each.position for each in picked(chosen)]
        assert len(positions) == len(set(positions))
        # What was taken in full leaves nothing like it over.
        if len(chosen) < room:
            assert asked(moves, room=room, per_game=per_game, taken=picked(chosen)) == []
