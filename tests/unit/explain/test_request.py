"""What the LLM is asked: all that it takes to be right, nothing that a stranger wrote, within bounds."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.explain import request
from tests.support.candidates import candidate
from tests.support.openai_server import _is_strict

MOMENT = candidate(
    "r3k3/p7/8/3N4/8/8/8/4K3 b - - 0 15",
    "a6",
    best="Rc8 Nb4",
    reply="Nc7+ Kd7 Nxa8",
    themes=["fork"],
    previous_judgement="JUDGEMENT_BLUNDER",
)


def test_a_moment_goes_with_what_it_takes_to_be_right() -> None:
    prompt = request.build([MOMENT], 834)
    assert json.loads(prompt.user) == [
        {
            "id": 1,
            "fen": "r3k3/p7/8/3N4/8/8/8/4K3 b - - 0 15",
            "player": "black, rated about 800",
            "move": "a6",
            "verdict": "blunder",
            "win": [50, 25],
            "then": "Nc7+ Kd7 Nxa8",
            "better": "Rc8 Nb4",
            "before": "the opponent had just erred",
            "themes": ["fork"],
            "phase": "middlegame",
            "opening": "C50",
        }
    ]
    assert "60 words" not in prompt.system  # the model is told less than is allowed: it cannot count
    assert "50 words" in prompt.system


def test_mates_and_great_moves_are_told_as_such() -> None:
    mates = replace(MOMENT, mate_before=2, mate_after=-3)
    great = candidate(
        MOMENT.fen,
        "Rc8",
        best="Rc8 Nb4",
        reply="Nb4",
        after=0,
        judgement="JUDGEMENT_GREAT",
        second_score={"centipawns": 500},
    )
    first, second = json.loads(request.build([mates, great], 1500).user)
    assert (first["had_mate_in"], first["allows_mate_in"]) == (2, 3)
    assert (second["verdict"], second["others_win"]) == ("great", 14)
    assert "better" not in second


def test_several_share_a_request_within_its_tokens() -> None:
    moments = [replace(MOMENT, ply=ply) for ply in range(20)]
    grouped = request.groups(moments, 1500, tokens=2500)
    assert [each for group in grouped for each in group] == moments
    assert len({len(group) for group in grouped[:-1]}) == 1
    assert len(grouped[0]) > 3
    for group in grouped:
        assert request.build(group, 1500).tokens <= 2500
    assert request.groups(moments[:2], 1500, tokens=1) == [[moments[0]], [moments[1]]]
    assert request.groups([], 1500, tokens=2500) == []


def test_the_schema_is_strict() -> None:
    assert _is_strict(request.SCHEMA)


@pytest.mark.parametrize("text", ["\x00\x1b[31m", "\u202eevil", '"}]', "ünïcode"])
def test_the_prompt_is_plain_ascii_whatever_comes(text: str) -> None:
    prompt = request.build([replace(MOMENT, phase=text)], 1500)
    assert prompt.user.isascii()
    assert prompt.user.isprintable()
    assert json.loads(prompt.user)[0]["phase"] == text
