"""Reading what the LLM answered, and checking each explanation on the board. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from orchestrator.explain import wording
from orchestrator.explain.candidates import Candidate
from orchestrator.explain.wording import Scene


class WrongShape(ValueError):
    """The answer is not what the schema asks for; nothing of it can be used."""


@dataclass(frozen=True, slots=True)
class _Item:
    id: int
    text: str
    moves: list[str]


@dataclass(frozen=True, slots=True)
class _Answer:
    explanations: list[_Item]


_READER = TypeAdapter(_Answer)


@dataclass(frozen=True, slots=True)
class Checked:
    """By place in the request: the texts that hold, and why the others do not."""

    good: dict[int, str] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)


def check(content: str, asked: Sequence[Candidate]) -> Checked:
    """Places count from 0. Raises WrongShape."""
    try:
        answer = _READER.validate_json(content, strict=True)
    except ValidationError as error:
        raise WrongShape(f"the answer is not as it was asked for ({error.error_count()} faults)") from None
    checked = Checked()
    for item in answer.explanations:
        place = item.id - 1
        if not 0 <= place < len(asked) or place in checked.good or place in checked.faults:
            continue  # nobody asked
        text = wording.tidied(item.text)
        fault = wording.fault(text, item.moves, Scene.of(asked[place]))
        if fault is None:
            checked.good[place] = text
        else:
            checked.faults[place] = fault
    for place in range(len(asked)):
        if place not in checked.good:
            checked.faults.setdefault(place, "it was left out")
    return checked
