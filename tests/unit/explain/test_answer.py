"""Answers of the LLM: what of them is believed. Whatever is wrong on the board is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.explain import answer, wording
from orchestrator.explain.answer import WrongShape
from orchestrator.explain.wording import Scene
from tests.support.candidates import candidate

# Black, to move, played a6; Nc7+ forks king and rook. Rc8 was better.
MOMENT = candidate(
    "r3k3/p7/8/3N4/8/8/8/4K3 b - - 0 15",
    "a6",
    best="Rc8 Nb4",
    reply="Nc7+ Kd7 Nxa8",
    score_after={"mate_in": 4},
)
SCENE = Scene.of(MOMENT)
GOOD = "You missed that Nc7+ attacks your king and your rook on a8 at once; Rc8 steps aside in time."


def fault(text: str, *moves: str) -> str | None:
    return wording.fault(wording.tidied(text), moves, SCENE)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "After a6 the knight jumps to c7 with check and wins the rook.",
        "The knight on d5 eyes c7, and Kd7 cannot help the rook.",
        "White threatens Nc7+ already before your move, so Rc8 was needed.",  # a threat: White is not to move
        "Your king on e8 and the a8 rook stand a knight's jump apart.",
        "After 15...a6 16.Nc7+ Kd7 17.Nxa8 the rook is gone.",  # numbers are taken out
        "White now has mate in four, since Nc7+ comes first.",
        "The e-file, the back rank and the e1 king do not matter here.",
        "A knight fork like Nc7+ is worth looking for before every move.",
    ],
)
def test_what_is_true_on_the_board_is_believed(text: str) -> None:
    assert fault(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Your queen could have gone to Qd7 here at once.", "'Qd7' cannot be played"),
        ("Playing Nc7# would have ended the game right here.", "'Nc7#' cannot be played"),
        ("Better was Rb8+ with a nice attack on the king.", "'Rb8+' cannot be played"),
        ("You should castle with O-O to save your king.", "'O-O' cannot be played"),
        ("You should castle with 0-0 to save your king.", "'O-O' cannot be played"),
        ("The pawn takes with axb5 and all would be well.", "'axb5' cannot be played"),
        ("The bishop on c4 makes all the difference in this position.", "no bishop stands on c4"),
        ("Watch out for the c7 queen in such positions.", "no queen stands on c7"),
        ("White mates in 2 after a6, so beware of it.", "there is no 'mates in 2'"),
        ("Instead a7a6 you might have thought of a8c8.", "it writes 'a7a6'"),
        ("You are a wonderful player, keep it up.", "it is about nothing on the board"),
        ("Too short.", "it has 2 words"),
        ("word " * 61, "it has 61 words"),
        ("See https://example.org for more about such forks.", "it holds 'https:'"),
        ("Visit evil.com to learn more about forks now.", "it holds 'evil.com'"),
        ("<b>You</b> missed a fork of king and rook.", "it holds '<'"),
        ("You missed a fork: {king, rook} were both attacked.", "it holds '{'"),
        ("Write to coach@example for more of these lessons.", "it holds '@'"),
    ],
)
def test_what_is_not_is_told(text: str, why: str | None) -> None:
    assert fault(text) == why


def test_the_moves_it_says_it_names_are_checked_too() -> None:
    assert fault(GOOD, "Nc7+", "Rc8", "16.Nxa8") is None
    assert fault(GOOD, "Qd7") == "'Qd7' cannot be played"
    assert fault(GOOD, "") == "'' cannot be played"


def test_a_square_far_from_everything_is_not_named() -> None:
    scene = Scene.of(candidate("7k/p7/8/8/8/8/8/K7 b - - 0 15", "a6", best="Kg7 Kb2", reply="Kb2"))
    assert wording.fault("The square d4 is what matters in this position.", [], scene) == (
        "nothing is on d4, nor can anything go there"
    )


def test_texts_are_tidied() -> None:
    assert (
        wording.tidied(" You\nlost\u200b the 15… Nc7+\x07 after 3. 0-0-0 ") == "You lost the Nc7+ after O-O-O"
    )
    assert wording.tidied("In 1924. Every move counts") == "In 1924. Every move counts"


def item(number: int, text: str = GOOD, **changes: Any) -> dict[str, Any]:
    return {"id": number, "text": text, "moves": ["Nc7+", "Rc8"], **changes}


def check(*items: Any, asked: int = 2) -> answer.Checked:
    return answer.check(json.dumps({"explanations": items}), [MOMENT] * asked)


def test_each_moment_gets_its_own_text() -> None:
    other = "You overlooked Nc7+ entirely."
    checked = check(item(2, other), item(1))
    assert checked.good == {0: GOOD, 1: other}
    assert checked.faults == {}


def test_what_is_wrong_or_missing_is_told_by_moment() -> None:
    checked = check(
        item(3, moves=["Qd7"]), item(1), item(7), item(1, "Again and again, a second answer."), asked=3
    )
    assert checked.good == {0: GOOD}
    assert checked.faults == {1: "it was left out", 2: "'Qd7' cannot be played"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"explanations": null}',
        '{"explanations": {}}',
        "Here are the explanations: []",
        '{"explanations": [{"id": "1", "text": "x", "moves": []}]}',
        '{"explanations": [{"id": 1, "text": null, "moves": []}]}',
        '{"explanations": [{"id": 1, "text": "x"}]}',
        '{"explanations": [{"id": 1, "text": "x", "moves": [1]}]}',
        '{"explanations": [{"id": true, "text": "x", "moves": []}]}',
        '{"explanations": [{"id": 1, "text": "x", "moves": []}',
        "[" * 100_000,
    ],
)
def test_what_is_not_of_the_schema_is_refused_whole(content: str) -> None:
    with pytest.raises(WrongShape):
        answer.check(content, [MOMENT])


@given(st.text(max_size=200), st.lists(st.text(max_size=8), max_size=3))
def test_no_text_breaks_the_check(text: str, moves: list[str]) -> None:
    wording.fault(wording.tidied(text), moves, SCENE)
