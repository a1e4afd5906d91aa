"""Explanations without an LLM: each theme's own words, all true on the board."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from analyzer.themes.words import Theme
from orchestrator.explain import templates, wording
from orchestrator.explain.candidates import Candidate
from orchestrator.explain.wording import Scene
from tests.support.candidates import candidate


@dataclass(frozen=True)
class Case:
    theme: str
    says: str
    fen: str
    move: str
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def candidate(self) -> Candidate:
        return candidate(self.fen, self.move, **{"themes": [self.theme], **self.more})


FORK = "r3k3/p7/8/3N4/8/8/8/4K3 b - - 0 15"
BACK_RANK = "6k1/5ppp/8/8/8/8/5PPP/3R2K1 w - - 0 20"
GREAT: dict[str, Any] = {"judgement": "JUDGEMENT_GREAT", "second_score": {"centipawns": -500}, "after": 0}
CASES = [
    Case(
        "fork",
        "After 15…a6, 16.Nc7+ forks the king and the rook; 15…Rc8 kept the balance.",
        FORK,
        "a6",
        {"best": "Rc8 Nb4", "reply": "Nc7+ Kd7 Nxa8"},
    ),
    Case(
        "missed_fork",
        "15.Nb4 lets a chance go: 15.Nc7+ would have forked the king and the rook.",
        "r3k3/8/8/3N4/8/8/8/4K3 w - - 0 15",
        "Nb4",
        {"best": "Nc7+ Kd7 Nxa8", "reply": "Rb8", "before": 500, "after": 0},
    ),
    Case(
        "hanging_piece",
        "After 15…Kf8, 16.Rxd5 wins the knight on d5; 15…Nf6 kept the balance.",
        "4k3/8/8/3n4/8/8/8/3RK3 b - - 0 15",
        "Kf8",
        {"best": "Nf6 Ke2", "reply": "Rxd5 Ke7"},
    ),
    Case(
        "hanging_pawn",
        "After 15…Kf8, 16.Rxd5 wins the pawn on d5; 15…Ke7 kept the damage small.",
        "4k3/8/8/3p4/8/8/8/3RK3 b - - 0 15",
        "Kf8",
        {"best": "Ke7 Ke2", "reply": "Rxd5 Ke7", "before": -300, "after": -500},
    ),
    Case(
        "bad_trade",
        "15.Rxd6 takes the knight, but 15…cxd6 takes back more than was given; 15.Ke2 kept the balance.",
        "4k3/2p5/3n4/8/8/8/8/3RK3 w - - 0 15",
        "Rxd6",
        {"best": "Ke2 Kd7", "reply": "cxd6 Ke2"},
    ),
    Case(
        "missed_capture",
        "15.Ke2 lets a chance go: 15.Rxd5 would have won the knight on d5.",
        "4k3/8/8/3n4/8/8/8/3RK3 w - - 0 15",
        "Ke2",
        {"best": "Rxd5 Ke7", "reply": "Nf6", "before": 500, "after": 0},
    ),
    Case(
        "mate",
        "After 20…h6, 21.Rd8+ forces mate in 2; 20…g6 kept the balance.",
        "6k1/5ppp/8/8/8/8/5PPP/3R2K1 b - - 0 20",
        "h6",
        {"best": "g6", "reply": "Rd8+ Kh7", "score_after": {"mate_in": 2}},
    ),
    Case(
        "missed_mate",
        "20.Kf1 lets a chance go: 20.Rd8# would have been mate.",
        BACK_RANK,
        "Kf1",
        {"best": "Rd8#", "reply": "h6", "before": 1000, "after": 0, "score_before": {"mate_in": 1}},
    ),
    Case(
        "back_rank_mate",
        "After 20…Kh8, 21.Rd8# is mate on the back rank; 20…h6 kept the balance.",
        BACK_RANK.replace(" w ", " b "),
        "Kh8",
        {"best": "h6 Kf1", "reply": "Rd8#", "score_after": {"mate_in": 1}},
    ),
    Case(
        "missed_back_rank_mate",
        "20.Kf1 lets a chance go: 20.Rd8# would have been mate on the back rank.",
        BACK_RANK,
        "Kf1",
        {"best": "Rd8#", "reply": "h6", "before": 1000, "after": 0, "score_before": {"mate_in": 1}},
    ),
    Case(
        "trapped_piece",
        "15…Qxb2 grabs a pawn, but 16.Rb1 traps the queen; 15…O-O kept the balance.",
        "r1b1k2r/pp3ppp/1qn1pn2/8/8/P1N1P3/1PQ2PPP/R3KBNR b KQkq - 0 15",
        "Qxb2",
        {"best": "O-O Nf3", "reply": "Rb1 Qxb1 Qxb1"},
    ),
    Case(
        "missed_trapped_piece",
        "15.Nf3 lets a chance go: 15.Rb1 would have trapped the queen.",
        "r1b1k2r/pp3ppp/2n1pn2/8/8/P1N1P3/1qQ2PPP/R3KBNR w KQkq - 0 15",
        "Nf3",
        {"best": "Rb1 Qxb1 Qxb1", "reply": "Qb6", "before": 500, "after": 0},
    ),
    Case(
        "pin",
        "After 15…a5, 16.Qxg6 uses a pin to win a piece; 15…Kh7 kept the balance.",
        "6k1/5pp1/p5n1/8/2B5/6Q1/8/6K1 b - - 0 15",
        "a5",
        {"best": "Kh7 Kf2", "reply": "Qxg6 a4"},
    ),
    Case(
        "skewer",
        "After 15…Ke5, 16.Re1+ skewers the king and the rook behind it; 15…Kf5 kept the balance.",
        "4r3/8/4k3/8/8/8/8/R5K1 b - - 0 15",
        "Ke5",
        {"best": "Kf5 Kf2", "reply": "Re1+ Kd6 Rxe8"},
    ),
    Case(
        "discovered_attack",
        "After 15…Kf8, 16.Nc6 uncovers an attack to win the queen; 15…Qd7 kept the balance.",
        "3q2k1/8/8/8/3N4/8/8/3R2K1 b - - 0 15",
        "Kf8",
        {"best": "Qd7 Nf3", "reply": "Nc6 Ke8 Rxd8+"},
    ),
    Case(
        "overloaded_defender",
        "After 15…h6, 16.Rxc8+ overloads a defender to win two rooks; 15…Kf8 kept the balance.",
        "2r3k1/3r1ppp/8/8/8/8/3R1PPP/2R3K1 b - - 0 15",
        "h6",
        {"best": "Kf8 g3", "reply": "Rxc8+ Kh7 Rxd7"},
    ),
    Case(
        "removed_defender",
        "After 15…h6, 16.Bxf6 removes a defender to win a piece; 15…Kf8 kept the balance.",
        "6k1/5ppp/5n2/3b4/7B/8/5PPP/3R2K1 b - - 0 15",
        "h6",
        {"best": "Kf8 g3", "reply": "Bxf6 gxf6 Rxd5"},
    ),
    Case(
        "king_safety",
        "After 15…g6, 16.Qh6 goes straight for the open king; 15…h6 kept the balance.",
        "5rk1/5ppp/8/7Q/8/8/8/5RK1 b - - 0 15",
        "g6",
        {"best": "h6 Qf5", "reply": "Qh6 Re8"},
    ),
    Case(
        "opening_principle",
        "7.h4 does nothing for the pieces at home; 7.Nc3 brings the knight into the game.",
        "r1bqk2r/ppp2ppp/2n5/3np3/2B5/5N2/PPPP1PPP/RNBQ1RK1 w kq - 0 7",
        "h4",
        {"best": "Nc3 Nxc3", "reply": "e4", "phase": "PHASE_OPENING"},
    ),
    Case(
        "promotion",
        "After 15…Ke6, 16.b8=Q makes a new queen; 15…Kc7 kept the balance.",
        "8/1P1k4/8/8/8/8/8/6K1 b - - 0 15",
        "Ke6",
        {"best": "Kc7 Kf2", "reply": "b8=Q Kd5", "phase": "PHASE_ENDGAME"},
    ),
    Case(
        "missed_promotion",
        "15.Kf2 lets a chance go: 15.b7 would have got a pawn through to promotion.",
        "8/8/1P2k3/8/8/8/8/6K1 w - - 0 15",
        "Kf2",
        {"best": "b7 Kd7 b8=Q", "reply": "Kd6", "before": 900, "after": 0, "phase": "PHASE_ENDGAME"},
    ),
    Case(
        "passed_pawn",
        "After 15…Kf6, 16.b5 gets a passed b-pawn running; 15…Kd5 kept the balance.",
        "8/8/4k3/8/1P6/8/8/6K1 b - - 0 15",
        "Kf6",
        {"best": "Kd5 Kf2", "reply": "b5 Ke6 b6", "phase": "PHASE_ENDGAME"},
    ),
    Case(
        "opposition",
        "After 15…Ke6, 16.Ke4 takes the opposition; 15…Ke7 kept the balance.",
        "8/5k2/8/8/8/4K3/4P3/8 b - - 0 15",
        "Ke6",
        {"best": "Ke7 Ke4", "reply": "Ke4 Kd6", "phase": "PHASE_ENDGAME"},
    ),
    Case(
        "recapture",
        "15…cxd5 takes back. Nothing else holds the balance.",
        "4k3/8/2p5/3N4/8/8/8/4K3 b - - 0 15",
        "cxd5",
        {"best": "cxd5 Ke2", "reply": "Ke2", **GREAT, "second_score": {"centipawns": 500}},
    ),
    Case(
        "parried_threat",
        "20…h6 meets the threat. Nothing else holds the balance.",
        BACK_RANK.replace(" w ", " b "),
        "h6",
        {"best": "h6 Kf1", "reply": "Kf1", **GREAT, "second_score": {"centipawns": 500}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.theme)
def test_every_theme_has_its_own_words(case: Case) -> None:
    assert templates.explain(case.candidate) == case.says


def test_no_theme_is_without_a_case() -> None:
    """What is missed is told by the phrase of what was allowed, of the better line."""
    plain = {theme.value.removeprefix("missed_") for theme in Theme}
    assert plain - {case.theme.removeprefix("missed_") for case in CASES} - {"capture"} == set()


class TestWithoutATheme:
    def says(self, **changes: Any) -> str:
        return templates.explain(candidate(FORK, "a6", **{"best": "Rc8 Nb4", "themes": []} | changes))

    def test_the_lines_say_what_was_won(self) -> None:
        assert (
            self.says(reply="Nc7+ Kd7 Nxa8") == "15…a6 loses a rook after 16.Nc7+; 15…Rc8 kept the balance."
        )

    @pytest.mark.parametrize(
        ("before", "after", "turned", "kept"),
        [
            (900, 200, "lets part of the advantage slip", "kept a won game"),
            (300, 0, "lets the advantage slip", "kept the advantage"),
            (50, -50, "gives up some of the play", "kept the balance"),
            (50, -300, "gives White the better game", "kept the balance"),
            (-300, -700, "makes a hard position harder", "kept the damage small"),
            (-700, -900, "makes a hard position harder", "held out longer"),
        ],
    )
    def test_else_how_the_game_turned(self, before: int, after: int, turned: str, kept: str) -> None:
        said = self.says(reply="Nb4 Kd7 Kd2", before=before, after=after)
        assert said == f"15…a6 {turned} (16.Nb4 Kd7 17.Kd2); 15…Rc8 {kept}."

    def test_a_game_that_ends_there_has_no_reply(self) -> None:
        assert self.says() == "15…a6 gives White the better game; 15…Rc8 kept the balance."

    def test_a_mate_needs_no_theme(self) -> None:
        said = self.says(reply="Nc7+ Kd7", score_after={"mate_in": 4})
        assert said == "After 15…a6, 16.Nc7+ forces mate in 4; 15…Rc8 kept the balance."

    def test_both_what_was_allowed_and_what_was_missed(self) -> None:
        said = templates.explain(
            candidate(
                "r3k3/p7/8/3N4/8/8/6b1/4K2R b - - 0 15",
                "a6",
                best="Bxh1 Nc7+",
                reply="Nc7+ Kd7 Nxa8",
                themes=["fork", "missed_capture"],
                before=300,
            )
        )
        assert said == (
            "After 15…a6, 16.Nc7+ forks the king and the rook; 15…Bxh1 would have won the rook on h1."
        )


class TestGreatMoves:
    def says(self, fen: str, move: str, reply: str, **changes: Any) -> str:
        fields = {"best": move, "reply": reply, "themes": [], "before": 500, **GREAT} | changes
        return templates.explain(candidate(fen, move, **fields))

    def test_a_theme_says_what_it_does(self) -> None:
        fen = "r3k3/8/8/3N4/8/8/8/4K3 w - - 0 15"
        assert self.says(fen, "Nc7+", "Kd7 Nxa8", themes=["fork"]) == (
            "15.Nc7+ forks the king and the rook. Nothing else keeps the advantage."
        )

    def test_a_mate_is_counted_from_the_move(self) -> None:
        said = self.says(
            "6k1/5ppp/8/8/8/8/5PPP/3RR1K1 w - - 0 20",
            "Re8#",
            "",
            before=1000,
            themes=["back_rank_mate"],
        )
        assert said == "20.Re8# is mate on the back rank. Nothing else keeps the win."

    def test_a_brilliant_one_offers_what_can_be_taken(self) -> None:
        said = self.says(
            "r3kb2/8/8/3N4/8/8/8/4K3 w - - 0 15", "Nc7+", "Kd7 Nxa8", judgement="JUDGEMENT_BRILLIANT"
        )
        assert said.startswith("15.Nc7+ offers material and is right: 15.Nc7+ Kd7 16.Nxa8. Nothing else")

    def test_without_a_theme(self) -> None:
        assert (
            self.says(FORK, "Rc8", "Nb4", before=0) == "15…Rc8 finds the way. Nothing else holds the balance."
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.theme)
def test_templates_hold_to_the_rules_for_answers(case: Case) -> None:
    scene = Scene.of(case.candidate)
    assert wording.fault(wording.tidied(templates.explain(case.candidate)), [], scene) is None
