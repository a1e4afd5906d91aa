"""Two weak players made of one strong engine, the same on every run.

Stockfish's own Skill Level draws its luck from the clock. So the engine is asked for its few best moves with
a fixed number of nodes in a fresh hash, and a seeded generator picks among them: mostly a good one, now and
then a poor one, which makes the blunders that an analysis is to find.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import chess
import chess.engine

NODES = 3000  # a position in a few milliseconds, good enough for a club player's ideas
CHOICES = 5
POOR_MOVE = 0.12  # share of moves picked from all legal ones
LOST = 400  # centipawns: who is so far behind at the end resigns
MATE = 10_000


@dataclass(frozen=True, slots=True)
class Played:
    start: chess.Board
    moves: tuple[chess.Move, ...]
    result: str
    ending: str  # "checkmate", "stalemate", "repetition", "insufficient", "50move", "resigned", "agreed"


def play(
    engine: chess.engine.SimpleEngine,
    seed: int,
    *,
    plies: int,
    start: chess.Board | None = None,
    opening: str = "",
) -> Played:
    """A game of at most `plies` half-moves, `opening` (SAN, spaces) included; who is lost then resigns."""
    rng = random.Random(seed)
    board = (start or chess.Board()).copy()
    first = board.copy()
    for san in opening.split():
        board.push_san(san)
    score = 0
    while len(board.move_stack) < plies and board.outcome(claim_draw=True) is None:
        lines = engine.analyse(
            board, chess.engine.Limit(nodes=NODES), multipv=CHOICES, game=object(), info=chess.engine.INFO_ALL
        )
        score = lines[0]["score"].white().score(mate_score=MATE)
        board.push(_pick(rng, board, lines))
    result, ending = _outcome(board, score)
    return Played(first, tuple(board.move_stack), result, ending)


def _pick(rng: random.Random, board: chess.Board, lines: list[chess.engine.InfoDict]) -> chess.Move:
    if rng.random() < POOR_MOVE:
        return rng.choice(list(board.legal_moves))
    best = lines[0]["score"].relative.score(mate_score=MATE)
    if best > MATE - 10:  # sees a short mate
        return lines[0]["pv"][0]
    losses = [best - line["score"].relative.score(mate_score=MATE) for line in lines]
    weights = [2.0 ** -(loss / 40) for loss in losses]
    return rng.choices([line["pv"][0] for line in lines], weights)[0]


def _outcome(board: chess.Board, score: int) -> tuple[str, str]:
    outcome = board.outcome(claim_draw=True)
    if outcome is None:
        if score >= LOST:
            return "1-0", "resigned"
        return ("0-1", "resigned") if score <= -LOST else ("1/2-1/2", "agreed")
    endings = {
        chess.Termination.CHECKMATE: "checkmate",
        chess.Termination.STALEMATE: "stalemate",
        chess.Termination.INSUFFICIENT_MATERIAL: "insufficient",
        chess.Termination.THREEFOLD_REPETITION: "repetition",
        chess.Termination.FIFTY_MOVES: "50move",
    }
    return outcome.result(), endings[outcome.termination]
