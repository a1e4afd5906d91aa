"""What an engine said during one search: parsed once, when `bestmove` has come."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.engine.errors import EngineNonsense
from analyzer.scores import CEILING, Centipawns, MateIn, Score, winning_chance

# How many of the last iterations the swing is taken over. 5 foretells the error of a score best: the two
# correlate by .36 to .43 at depths 9 to 15; with 3 by .37 to .39, with 2 by .23 to .35.
_SWING_DEPTHS = 5


@dataclass(frozen=True, slots=True)
class SearchOutput:
    """One search, as the engine told it: `score` is from the side's to move, `line` is UCI, not yet checked.

    `swing`: how far the winning chance (-1..1) moved over the last iterations. `nodes` of this search alone.
    """

    score: Score
    line: tuple[str, ...]
    depth: int
    nodes: int
    swing: float


def parse(output: bytes) -> SearchOutput:
    """All lines from `go` to `bestmove`, that one included. Raises EngineNonsense where they hold no answer.

    Read from the end, and no further than is used. Of each depth the last exact score counts: lowerbound and
    upperbound say only on which side of it the score is.
    """
    lines = output.splitlines()
    best = _word(lines[-1].split(), 1)
    infos: dict[int, list[bytes]] = {}  # the last depth first
    nodes = 0
    for line in reversed(lines):
        if not line.startswith(b"info") or b" score " not in line or b" string " in line:
            continue
        words = line.split()
        nodes = nodes or _number(words, b"nodes")
        if b"lowerbound" not in words and b"upperbound" not in words and _number(words, b"multipv") <= 1:
            infos.setdefault(_number(words, b"depth"), words)
            if len(infos) == _SWING_DEPTHS:
                break
    if not best or best in ("(none)", "0000"):
        raise EngineNonsense("no best move for a position that has legal moves")
    if not infos:
        raise EngineNonsense("no exact score")
    last = next(iter(infos.values()))
    line_told = _line(last)
    return SearchOutput(
        score=_score(last),
        line=line_told if line_told[:1] == (best,) else (best,),
        depth=_number(last, b"depth"),
        nodes=nodes,
        swing=_swing(list(infos.values())),
    )


def _swing(infos: list[list[bytes]]) -> float:
    chances = [winning_chance(_score(words)) for words in infos]
    return max(chances) - min(chances)


def _score(words: list[bytes]) -> Score:
    at = words.index(b"score")
    kind, text = _word(words, at + 1), _word(words, at + 2)
    try:
        value = int(text)
    except ValueError:
        raise EngineNonsense(f"a score that is no number: {kind} {text[:20]}") from None
    if kind == "cp" and abs(value) <= _LARGEST_SCORE:
        return Centipawns(value)
    if kind == "mate" and 0 < abs(value) <= _LONGEST_MATE:
        return MateIn(value)
    raise EngineNonsense(f"a score that cannot be: {kind} {value}")


_LARGEST_SCORE = 100 * CEILING  # Stockfish tells tablebase wins as 200 pawns; beyond 1,000 nothing is meant
_LONGEST_MATE = 250  # Stockfish searches 246 plies at most


def _line(words: list[bytes]) -> tuple[str, ...]:
    if b"pv" not in words:
        return ()
    return tuple(word.decode("ascii", "replace") for word in words[words.index(b"pv") + 1 :])


def _number(words: list[bytes], name: bytes) -> int:
    """The number behind a keyword; 0 where it is missing."""
    try:
        return int(words[words.index(name) + 1])
    except (ValueError, IndexError):
        return 0


def _word(words: list[bytes], at: int) -> str:
    return words[at].decode("ascii", "replace") if at < len(words) else ""
