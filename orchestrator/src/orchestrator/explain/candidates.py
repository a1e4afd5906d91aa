"""The moves of a job that may be worth a moment, as the store's rows have them. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import chess

from orchestrator.store.moment_rows import CandidateGame

# Of win percent: about 11 centipawns in an equal position, which the next deeper search may well take back.
# What cost less is no slip that could be explained. list_left_over_candidates goes by it too.
LEAST_LOST = 1.0
LINE_PLIES = 6  # of the engine's lines: three moves of each side say what a moment is about
_PHASES = {"PHASE_OPENING": "opening", "PHASE_MIDDLEGAME": "middlegame", "PHASE_ENDGAME": "endgame"}
_NO_VERDICT = "JUDGEMENT_UNSPECIFIED"
_ERRORS = ("JUDGEMENT_INACCURACY", "JUDGEMENT_MISTAKE", "JUDGEMENT_BLUNDER")
_FOUND = ("JUDGEMENT_GREAT", "JUDGEMENT_BRILLIANT")
_ECO = re.compile(r"[A-E][0-9]{2}")
_THEME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Kind(StrEnum):
    """What a candidate is to its player."""

    ERROR = "error"
    MISSED_CHANCE = "missed chance"  # an error right behind one of the opponent's
    FOUND = "found"  # great or brilliant


@dataclass(frozen=True, slots=True)
class Candidate:
    """One move of the user's. Percents are the mover's win percent, lines are UCI, mates are in moves."""

    game: int  # the row's finished_ordinal: of no other game of the job
    game_analysis_id: UUID
    ply: int
    kind: Kind
    judgement: str  # JUDGEMENT_…, as in the contract
    fen: str
    chess960: bool
    san: str
    uci: str
    best_san: str
    best_line: tuple[str, ...]
    reply_line: tuple[str, ...]  # best play after the move; empty where the game is over
    percent_before: float
    percent_after: float
    percent_second: float | None  # had the second-best move been played; None: not known
    mate_before: int | None  # above 0: the mover mates
    mate_after: int | None
    phase: str  # opening, middlegame, endgame, or empty
    themes: tuple[str, ...]  # the most telling first
    opening: str  # ECO code, or empty
    retakes: bool  # takes back where the opponent has just taken
    explained_by: str = field(default="", compare=False)  # by an earlier worker of the job

    @property
    def lost(self) -> float:
        """Points of win percent; at least 0."""
        return max(0.0, self.percent_before - self.percent_after)

    @property
    def saved(self) -> float:
        """Points of win percent that any other move would have lost; 0 where that is not known."""
        return 0.0 if self.percent_second is None else max(0.0, self.percent_before - self.percent_second)

    @property
    def position(self) -> str:
        """The FEN without its counters: the same in every game."""
        return " ".join(self.fen.split()[:4])

    def board(self) -> chess.Board:
        """The position before the move."""
        return chess.Board(self.fen, chess960=self.chess960)


def of_game(row: CandidateGame) -> list[Candidate]:
    """In the order of the game. A move that cannot be read or played is left out."""
    return [candidate for move in row.moves if (candidate := _candidate(row, move)) is not None]


def _candidate(row: CandidateGame, move: Mapping[str, Any]) -> Candidate | None:
    try:
        board = chess.Board(move["fen_before"], chess960=row.chess960)
        played = board.parse_uci(move["uci"])
        best = board.parse_uci(move["best_uci"])
        ply = int(move["ply"])
    except (KeyError, TypeError, ValueError):
        return None
    judgement = str(move.get("judgement", _NO_VERDICT))
    found = judgement in _FOUND
    before = float(move.get("win_percent_before", 0.0))
    after = float(move.get("win_percent_after", 0.0))
    # The engine's first choice is never an error, whatever the next search made of it.
    if not found and (played == best or before - after < LEAST_LOST):
        return None
    white = board.turn == chess.WHITE
    erred_before = move.get("previous_judgement") in ("JUDGEMENT_MISTAKE", "JUDGEMENT_BLUNDER")
    previous = str(move.get("previous_uci") or "")
    after_move = board.copy(stack=False)
    after_move.push(played)
    return Candidate(
        game=row.finished_ordinal,
        game_analysis_id=row.game_analysis_id,
        ply=ply,
        kind=Kind.FOUND if found else Kind.MISSED_CHANCE if erred_before else Kind.ERROR,
        judgement=judgement if found or judgement in _ERRORS else _NO_VERDICT,
        fen=board.fen(),
        chess960=row.chess960,
        san=board.san(played),
        uci=played.uci(),
        best_san=board.san(best),
        best_line=_playable(board, move.get("best_line_uci") or [best.uci()]),
        reply_line=_playable(after_move, move.get("reply_line_uci") or ()),
        percent_before=before,
        percent_after=after,
        percent_second=_percent(move.get("second_score"), white=white),
        mate_before=_mate(move.get("score_before"), white=white),
        mate_after=_mate(move.get("score_after"), white=white),
        phase=_PHASES.get(str(move.get("phase")), ""),
        themes=tuple(each for each in move.get("themes", ()) if _THEME.fullmatch(str(each))),
        opening=row.opening_eco if row.opening_eco and _ECO.fullmatch(row.opening_eco) else "",
        retakes=board.is_capture(played) and previous[2:4] == played.uci()[2:4],
        explained_by=row.explained.get(ply, ""),
    )


def _playable(board: chess.Board, line: Sequence[str]) -> tuple[str, ...]:
    """As far as the line can be played: of an engine's line only the first move was checked before."""
    return tuple(move.uci() for _, move in walk(board, line))


def walk(board: chess.Board, line: Sequence[str]) -> Iterator[tuple[chess.Board, chess.Move]]:
    """The line's positions with the move made in each, until it ends or cannot be played."""
    board = board.copy(stack=False)
    for uci in line[:LINE_PLIES]:
        try:
            move = board.parse_uci(uci)
        except ValueError:
            return
        yield board.copy(stack=False), move
        board.push(move)


def _mate(score: Mapping[str, Any] | None, *, white: bool) -> int | None:
    """Moves to mate from the mover's point of view; None where there is none, or it stands on the board."""
    moves = (score or {}).get("mate_in")
    return None if moves is None else int(moves) if white else -int(moves)


def _percent(score: Mapping[str, Any] | None, *, white: bool) -> float | None:
    """The mover's win percent of a Score (proto JSON), by lichess's formula (the analyzer's `scores.py`)."""
    match score or {}:
        case {"centipawns": centipawns}:
            held = max(-1000, min(1000, int(centipawns)))
        case {"mate_in": moves}:
            held = 1000 if int(moves) > 0 else -1000
        case {"checkmate_white_wins": wins}:
            held = 1000 if wins else -1000
        case _:
            return None
    return 100 / (1 + math.exp(-0.00368208 * (held if white else -held)))
