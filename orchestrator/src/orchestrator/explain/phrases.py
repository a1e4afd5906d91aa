"""One phrase for each theme: what a line does, said of its first side. Pure.

`None` where the line does not show what the theme says: then others must find the words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import chess

from orchestrator.explain.lines import VALUES, Line, lost_later, name_at, targets

_PARTICIPLES = {"be": "been", "get": "got", "go": "gone", "make": "made", "meet": "met", "pin": "pinned"}
_PARTICIPLES |= {"take": "taken", "trap": "trapped", "win": "won"}
_PRESENT = {"be": "is", "go": "goes"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """`moves` do it: "16.Rb1", "trap", "the queen"."""

    moves: str
    verb: str
    rest: str

    @property
    def present(self) -> str:
        return f"{self.moves} {_PRESENT.get(self.verb, self.verb + 's')} {self.rest}"

    @property
    def unreal(self) -> str:
        participle = _PARTICIPLES.get(self.verb) or f"{self.verb.removesuffix('e')}ed"
        return f"{self.moves} would have {participle} {self.rest}"


def phrase(theme: str, line: Line, mate_in: int | None) -> Phrase | None:
    """Of a plain theme; `mate_in` is in how many moves the line's first side mates, if it does."""
    tell = _PHRASES.get(theme)
    return tell(line, mate_in) if tell and line.moves else None


def _mate(line: Line, mate_in: int | None) -> Phrase | None:
    return _mates(line, mate_in, "")


def _back_rank_mate(line: Line, mate_in: int | None) -> Phrase | None:
    return _mates(line, mate_in, " on the back rank")


def _mates(line: Line, mate_in: int | None, where: str) -> Phrase | None:
    if mate_in == 1 or (len(line.moves) == 1 and line.boards[-1].is_checkmate()):
        return Phrase(line.label(), "be", f"mate{where}")
    return Phrase(line.label(), "force", f"mate in {mate_in}{where}") if mate_in else None


def _capture(line: Line, _mate: int | None) -> Phrase | None:
    taken = line.taken(0)
    if taken is None:
        return None
    square = chess.square_name(line.moves[0].to_square)
    what = f"the {chess.piece_name(taken)} on {square}"
    # En passant takes what stands elsewhere.
    if line.boards[0].is_en_passant(line.moves[0]):
        what = "the pawn in passing"
    if line.won() <= 0:
        return None
    price = line.given()
    return Phrase(line.label(), "win", f"{what} for {price}" if price else what)


def _bad_trade(line: Line, _mate: int | None) -> Phrase | None:
    return Phrase(line.label(), "take", "back more than was given") if line.taken(0) else None


def _trapped_piece(line: Line, _mate: int | None) -> Phrase | None:
    for ply in range(0, len(line.moves), 2):
        square = lost_later(line, ply)
        if square is not None and VALUES[line.boards[ply + 1].piece_type_at(square) or chess.PAWN] >= 3:
            return Phrase(line.text(ply), "trap", f"the {name_at(line.boards[ply + 1], square)}")
    return None


def _fork(line: Line, _mate: int | None) -> Phrase | None:
    for ply in range(0, min(len(line.moves), 5), 2):
        board, square = line.boards[ply + 1], line.moves[ply].to_square
        names = [name_at(board, target) for target in targets(board, square)]
        if len(names) >= 2:
            both = f"two {names[0]}s" if names[0] == names[1] else f"the {names[0]} and the {names[1]}"
            return Phrase(line.text(ply), "fork", both)
    return None


def _skewer(line: Line, _mate: int | None) -> Phrase | None:
    for ply in range(0, len(line.moves) - 2, 2):
        taken = line.taken(ply + 2)
        if taken is not None and line.moves[ply + 2].from_square == line.moves[ply].to_square:
            front, behind = line.moved(ply + 1), chess.piece_name(taken)
            return Phrase(line.text(ply), "skewer", f"the {front} and the {behind} behind it")
    return None


def _winning(verb: str, how: str, unsaid: str) -> Callable[[Line, int | None], Phrase | None]:
    """A motif whose prize says enough: "uses a pin to win a piece"."""

    def tell(line: Line, _mate: int | None) -> Phrase:
        prize = line.prize()
        return Phrase(line.label(), verb, f"{how} to win {prize}" if prize else f"{how} {unsaid}".rstrip())

    return tell


def _promotion(line: Line, _mate: int | None) -> Phrase | None:
    for ply in range(0, len(line.moves), 2):
        if line.moves[ply].promotion:
            if ply == 0:
                return Phrase(line.label(), "make", "a new queen")
            return Phrase(line.label(), "get", "a pawn through to promotion")
    return None


def _passed_pawn(line: Line, _mate: int | None) -> Phrase | None:
    if line.boards[0].piece_type_at(line.moves[0].from_square) != chess.PAWN:
        return None
    file = chess.FILE_NAMES[chess.square_file(line.moves[0].to_square)]
    return Phrase(line.label(), "get", f"a passed {file}-pawn running")


def _opposition(line: Line, _mate: int | None) -> Phrase | None:
    king = line.boards[0].piece_type_at(line.moves[0].from_square) == chess.KING
    return Phrase(line.label(), "take", "the opposition") if king else None


def _king_safety(line: Line, _mate: int | None) -> Phrase | None:
    return Phrase(line.label(), "go", "straight for the open king")


_PHRASES: dict[str, Callable[[Line, int | None], Phrase | None]] = {
    "mate": _mate,
    "back_rank_mate": _back_rank_mate,
    "hanging_piece": _capture,
    "hanging_pawn": _capture,
    "capture": _capture,
    "bad_trade": _bad_trade,
    "trapped_piece": _trapped_piece,
    "fork": _fork,
    "pin": _winning("use", "a pin", ""),
    "skewer": _skewer,
    "discovered_attack": _winning("uncover", "an attack", "from behind"),
    "overloaded_defender": _winning("overload", "a defender", "that has two things to guard"),
    "removed_defender": _winning("remove", "a defender", "of what falls next"),
    "king_safety": _king_safety,
    "promotion": _promotion,
    "passed_pawn": _passed_pawn,
    "opposition": _opposition,
    "parried_threat": lambda line, _mate: Phrase(line.label(), "meet", "the threat"),
    "recapture": lambda line, _mate: Phrase(line.label(), "take", "back"),
}
