"""What happens along a line of the engine's, in words that a coach would use. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import chess

from orchestrator.explain.candidates import walk

VALUES = {
    chess.PAWN: 1,
    chess.KNIGHT: 3,
    chess.BISHOP: 3,
    chess.ROOK: 5,
    chess.QUEEN: 9,
    chess.KING: 0,  # is never taken
}
# Knights and bishops are spoken of as pieces; dearest first.
_KINDS = (
    ((chess.QUEEN,), "the queen", "queens"),
    ((chess.ROOK,), "a rook", "rooks"),
    ((chess.KNIGHT, chess.BISHOP), "a piece", "pieces"),
    ((chess.PAWN,), "a pawn", "pawns"),
)
_NUMBERS = ("no", "one", "two", "three", "four")


@dataclass(frozen=True, slots=True)
class Line:
    """`boards[k]` is the position before `moves[k]`; one more is behind the last move."""

    boards: tuple[chess.Board, ...]
    moves: tuple[chess.Move, ...]

    @classmethod
    def read(cls, board: chess.Board, line: Sequence[str]) -> Line:
        """As far as the line can be played."""
        boards, moves = [board], []
        for position, move in walk(board, line):
            position.push(move)
            boards.append(position)
            moves.append(move)
        return cls(tuple(boards), tuple(moves))

    @property
    def side(self) -> chess.Color:
        """Who moves first."""
        return self.boards[0].turn

    def label(self, ply: int = 0) -> str:
        """The move with its number: "16.Rb1", "15…Qxb2"."""
        board = self.boards[ply]
        return f"{board.fullmove_number}{'.' if board.turn else '…'}{self.san(ply)}"

    def san(self, ply: int) -> str:
        return self.boards[ply].san(self.moves[ply])

    def text(self, last: int) -> str:
        """The moves up to the ply `last`: "15…Bxf2+ 16.Kxf2 Ng4+"."""
        plies = range(min(last + 1, len(self.moves)))
        return " ".join(
            self.label(ply) if not ply or self.boards[ply].turn else self.san(ply) for ply in plies
        )

    def moved(self, ply: int) -> str:
        """The name of the piece that moves."""
        return name_at(self.boards[ply], self.moves[ply].from_square)

    def taken(self, ply: int) -> chess.PieceType | None:
        board, move = self.boards[ply], self.moves[ply]
        if board.is_en_passant(move):
            return chess.PAWN
        return board.piece_type_at(move.to_square) if board.is_capture(move) else None

    def won(self) -> int:
        """Material, in pawns, that the first side is up when the exchanges of the line are over."""
        balance = settled = 0
        for ply in range(len(self.moves)):
            gain = self.gain(ply)
            balance += gain if ply % 2 == 0 else -gain
            if not self._goes_on(ply):
                settled = balance
        return settled

    def gain(self, ply: int) -> int:
        """What the move takes, and wins by promoting, in pawns."""
        taken, promoted = self.taken(ply), self.moves[ply].promotion
        return (VALUES[taken] if taken else 0) + (VALUES[promoted] - VALUES[chess.PAWN] if promoted else 0)

    def _goes_on(self, ply: int) -> bool:
        """Whether the exchange is not over after the ply: at the line's end, whether it can be taken back."""
        if ply + 1 < len(self.moves):
            return self.taken(ply + 1) is not None
        board, square = self.boards[-1], self.moves[-1].to_square
        return self.taken(ply) is not None and any(
            board.generate_legal_captures(to_mask=chess.BB_SQUARES[square])
        )

    def prize(self) -> str:
        """What the first side wins by it, "a piece for a pawn" or "the exchange"; empty: nothing."""
        if self.won() <= 0:
            return ""
        taken, given = self._spoils()
        if (taken, given) == (Counter({1: 1}), Counter({2: 1})):
            return "the exchange"
        promoted = any(self.moves[ply].promotion for ply in range(0, len(self.moves), 2))
        won = [_named(taken)] if taken else []
        if not taken or (promoted and self.won() >= VALUES[chess.QUEEN]):
            won.append("a new queen")
        return " and ".join(won) + (f" for {_named(given)}" if given else "")

    def given(self) -> str:
        """What it costs the first side to win that; empty where it costs nothing."""
        return _named(self._spoils()[1])

    def _spoils(self) -> tuple[Counter[int], Counter[int]]:
        """Men that each side takes until the exchanges are over, without those traded: numbers by kind."""
        last = max((ply for ply in range(len(self.moves)) if not self._goes_on(ply)), default=-1)
        sides: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        for ply in range(last + 1):
            taken = self.taken(ply)
            for kind, (pieces, *_) in enumerate(_KINDS):
                if taken in pieces:
                    sides[ply % 2][kind] += 1
        return sides[0] - sides[1], sides[1] - sides[0]


def _named(men: Counter[int]) -> str:
    """ "a rook and two pawns"; empty where there are none."""
    names = []
    for kind, (_, one, many) in enumerate(_KINDS):
        if number := men[kind]:
            names.append(one if number == 1 else f"{_NUMBERS[min(number, 4)]} {many}")
    return " and ".join(names) if len(names) <= 2 else f"{names[0]} and more"


def name_at(board: chess.Board, square: chess.Square) -> str:
    return chess.piece_name(board.piece_type_at(square) or chess.PAWN)


def targets(board: chess.Board, square: chess.Square) -> list[chess.Square]:
    """What the piece on the square attacks that is worth it: kings, and pieces that it can win, dearest
    first."""
    attacker = board.piece_at(square)
    if attacker is None:
        return []
    worth = VALUES[attacker.piece_type]
    found = [
        target
        for target in chess.scan_forward(board.attacks_mask(square) & board.occupied_co[not attacker.color])
        if (victim := board.piece_type_at(target)) == chess.KING
        or (victim and VALUES[victim] >= 3 and (VALUES[victim] > worth or not _defended(board, target)))
    ]
    return sorted(found, key=lambda target: -(VALUES[board.piece_type_at(target) or 1] or 100))


def _defended(board: chess.Board, square: chess.Square) -> bool:
    color = board.color_at(square)
    return color is not None and bool(board.attackers_mask(color, square))


def lost_later(line: Line, ply: int) -> chess.Square | None:
    """Where the piece stands after `ply` that the first side takes with one of its next two moves."""
    for taking in range(ply + 2, min(len(line.moves), ply + 5), 2):
        if line.taken(taking) is None:
            continue
        square = line.moves[taking].to_square
        for back in range(taking - 1, ply, -2):
            if line.moves[back].to_square == square:
                square = line.moves[back].from_square
        return square
    return None
