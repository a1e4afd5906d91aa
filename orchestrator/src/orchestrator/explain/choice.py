"""Which moves become moments, and which of these are worth asking the LLM about. Pure.

Every choice says why it was made.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.explain.candidates import Candidate, Kind
from orchestrator.explain.rating import Band

WORST = 3  # moves of each game that are explained, whatever they are
BEST = 2  # great or brilliant moves of a game that are shown beside them
_NEAR = 4  # plies: an error and its repetition two moves later are one lesson

_OBVIOUS = [("recapture",), ("hanging_piece",), ("hanging_pawn",)]  # of a great move
_VERDICTS = ("JUDGEMENT_MISTAKE", "JUDGEMENT_BLUNDER")
# Finding the only move is a lesson half as often as missing it: what was right needs no change.
_FOUND = 0.5
_MISSED_CHANCE = 1.1  # the opponent had shown where to look
_DECIDED = 0.6  # taken off where the game was over before and after the move; in proportion between
# What repeats a theme, a phase or an opening of those chosen before is worth so much of it, down to the
# least: enough to bring in variety while little is chosen, too little to keep the great losses out of a large
# choice.
_REPEATED = {"theme": (0.92, 0.6), "phase": (0.98, 0.85), "opening": (0.96, 0.8)}


@dataclass(frozen=True, slots=True)
class Choice:
    """A move that becomes a moment. `why` are short sentences; `worth` is in points of win percent,
    weighted."""

    candidate: Candidate
    why: tuple[str, ...]
    worth: float = field(default=0.0, compare=False)


def of_game(candidates: Sequence[Candidate]) -> list[Choice]:
    """The moments that every game gets: the moves that cost most, and the best ones, in the order of the
    game."""
    errors = sorted((c for c in candidates if c.kind is not Kind.FOUND), key=lambda c: (-c.lost, c.ply))
    found = sorted(filter(_teaches, (c for c in candidates if c.kind is Kind.FOUND)), key=lambda c: -c.saved)
    chosen = [
        Choice(each, (f"{_PLACES[place]} of the game: {each.lost:.0f} points of win percent", *_facts(each)))
        for place, each in enumerate(errors[:WORST])
    ]
    chosen += [Choice(each, _facts(each)) for each in found[:BEST]]
    return sorted(chosen, key=lambda choice: choice.candidate.ply)


_PLACES = ("the costliest move", "the second costliest move", "the third costliest move")


def for_the_llm(
    candidates: Iterable[Candidate], band: Band, *, room: int, per_game: int, taken: Sequence[Candidate] = ()
) -> list[Choice]:
    """At most `room` moves of a job, the most worthwhile first; none like another, or like one of `taken`.

    Candidates are mistakes and blunders, and great and brilliant moves that were not just taking back. No
    game gets more than `per_game`, those taken included.
    """
    chosen = _Chosen(per_game, taken)
    heap = [(-worth(each, band), index, each) for index, each in enumerate(candidates) if _worth_asking(each)]
    heapq.heapify(heap)
    ranked = len(heap)
    choices: list[Choice] = []
    while heap and len(choices) < room:
        before, index, candidate = heapq.heappop(heap)
        if not chosen.takes(candidate):
            continue
        # What was chosen since it was last looked at may have lowered its worth: never raised it.
        now = -worth(candidate, band) * chosen.variety(candidate)
        if heap and now > heap[0][0] and now > before:
            heapq.heappush(heap, (now, index, candidate))
            continue
        place = f"number {len(choices) + 1} of {ranked} that the LLM might have explained"
        why = (place, *_facts(candidate), *_lesson(candidate, band), *chosen.news(candidate))
        choices.append(Choice(candidate, why, -now))
        chosen.add(candidate)
    return choices


def worth(candidate: Candidate, band: Band) -> float:
    """What there is to learn: win percent lost (or saved), more of it in open games and by fitting
    lessons."""
    stake = candidate.saved * _FOUND if candidate.kind is Kind.FOUND else candidate.lost
    if candidate.kind is Kind.MISSED_CHANCE:
        stake *= _MISSED_CHANCE
    return stake * openness(candidate) * band.weight(candidate.themes)


def openness(candidate: Candidate) -> float:
    """1 where the game hung in the balance around the move, less the more it was decided either way."""
    end = candidate.percent_second if candidate.kind is Kind.FOUND else candidate.percent_after
    middle = (candidate.percent_before + (candidate.percent_after if end is None else end)) / 2
    return 1 - _DECIDED * abs(middle - 50) / 50


def _worth_asking(candidate: Candidate) -> bool:
    if candidate.kind is Kind.FOUND:
        return _teaches(candidate)
    return candidate.judgement in _VERDICTS


def _teaches(found: Candidate) -> bool:
    """Everyone takes back, and takes what hangs; and a move whose price is not known cannot be ranked."""
    return found.saved > 0 and not found.retakes and found.themes[:1] not in _OBVIOUS


def _facts(candidate: Candidate) -> tuple[str, ...]:
    sentences = []
    if candidate.kind is Kind.FOUND:
        sentences.append(f"the only good move: any other loses {candidate.saved:.0f} points of win percent")
    if candidate.kind is Kind.MISSED_CHANCE:
        sentences.append("a chance: the opponent had just erred")
    kind = "still open" if openness(candidate) > 1 - _DECIDED / 2 else "nearly decided"
    sentences.append(
        f"the game was {kind} ({candidate.percent_before:.0f} → {candidate.percent_after:.0f} %)"
    )
    return tuple(sentences)


def _lesson(candidate: Candidate, band: Band) -> tuple[str, ...]:
    weight = band.weight(candidate.themes)
    if not candidate.themes or weight == 1:
        return ()
    themes = ", ".join(theme.replace("_", " ") for theme in candidate.themes)
    return (f"{themes}: {'much' if weight > 1 else 'little'} to learn from at a rating {band.name}",)


class _Chosen:
    """What is chosen so far, and what that says of others."""

    def __init__(self, per_game: int, taken: Sequence[Candidate]) -> None:
        self._per_game = per_game
        self._positions: set[str] = set()
        self._games: dict[int, list[Candidate]] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _REPEATED}
        for candidate in taken:
            self.add(candidate)

    def add(self, candidate: Candidate) -> None:
        self._positions.add(candidate.position)
        self._games.setdefault(candidate.game, []).append(candidate)
        for name, value in _traits(candidate):
            self._counts[name][value] += 1

    def takes(self, candidate: Candidate) -> bool:
        """Whether there is room in its game, and nothing like it yet."""
        same_game = self._games.get(candidate.game, [])
        return (
            candidate.position not in self._positions
            and len(same_game) < self._per_game
            and not any(
                abs(other.ply - candidate.ply) <= _NEAR and other.themes[:1] == candidate.themes[:1]
                for other in same_game
            )
        )

    def variety(self, candidate: Candidate) -> float:
        factor = 1.0
        for name, value in _traits(candidate):
            again, least = _REPEATED[name]
            factor *= max(least, again ** self._counts[name][value])
        return factor

    def news(self, candidate: Candidate) -> tuple[str, ...]:
        new = [
            f"{name} {value.replace('_', ' ')}" if name == "theme" else value
            for name, value in _traits(candidate)
            if self._counts[name][value] == 0 and value
        ]
        return (f"new among those chosen: {', '.join(new)}",) if new else ()


def _traits(candidate: Candidate) -> list[tuple[str, str]]:
    return [
        ("theme", candidate.themes[0] if candidate.themes else ""),
        ("phase", candidate.phase),
        ("opening", candidate.opening),
    ]
