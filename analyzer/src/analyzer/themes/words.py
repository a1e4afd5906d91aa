"""All themes there are, each with its meaning.

A theme speaks of one move. Of an error, a plain word is what it **allows** the opponent, or does wrong
itself; a word with `missed_` is what the better move **would have done**. Of a great or brilliant move, a
plain word is what it **does**. So a blunder with `fork` runs into a fork, one with `missed_fork` passes a
fork by, and a brilliant move with `fork` forks.
"""

from __future__ import annotations

from enum import Enum
from typing import Self


class Theme(Enum):
    """`value` is the word on the wire. `meaning`: of a plain word, what the side that profits does."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        theme = object.__new__(cls)
        theme._value_ = word
        theme.meaning = meaning
        return theme

    # The score says in how many moves: that after the move, or that before it where the mate was missed.
    MATE = "mate", "forces mate"
    MISSED_MATE = "missed_mate", "gives a forced mate away"
    BACK_RANK_MATE = "back_rank_mate", "mates along the back rank, where his own men shut the king in"
    MISSED_BACK_RANK_MATE = "missed_back_rank_mate", "gives a mate along the back rank away"

    PROMOTION = "promotion", "promotes a pawn"
    MISSED_PROMOTION = "missed_promotion", "a pawn could have been promoted"
    FORK = "fork", "attacks two pieces with one, and wins one of them"
    MISSED_FORK = "missed_fork", "a fork would have won material"
    SKEWER = "skewer", "attacks a piece along a line: it has to go, and the one behind it falls"
    MISSED_SKEWER = "missed_skewer", "a skewer would have won material"
    DISCOVERED_ATTACK = "discovered_attack", "steps aside with one piece so that the one behind it attacks"
    MISSED_DISCOVERED_ATTACK = "missed_discovered_attack", "a discovered attack would have won material"
    PIN = (
        "pin",
        "wins material since a piece may not leave its line: it would bare the king or a better piece",
    )
    MISSED_PIN = "missed_pin", "a pin would have won material"
    TRAPPED_PIECE = "trapped_piece", "attacks a piece, or shuts it in, so that it is lost wherever it goes"
    MISSED_TRAPPED_PIECE = "missed_trapped_piece", "a piece could have been trapped"
    OVERLOADED_DEFENDER = "overloaded_defender", "gives a defender with two tasks one too many"
    MISSED_OVERLOADED_DEFENDER = "missed_overloaded_defender", "an overloaded defender could have been used"
    REMOVED_DEFENDER = (
        "removed_defender",
        "takes, lures or drives a defender away, then wins what it defended",
    )
    MISSED_REMOVED_DEFENDER = "missed_removed_defender", "a defender could have been removed"

    HANGING_PIECE = "hanging_piece", "takes a piece that is not defended well enough"
    HANGING_PAWN = "hanging_pawn", "takes a pawn that is not defended well enough"
    BAD_TRADE = "bad_trade", "takes back, and gets more than it gave"
    MISSED_CAPTURE = "missed_capture", "a capture would have won material"

    PASSED_PAWN = "passed_pawn", "makes a passed pawn, or runs with one, in the endgame"
    MISSED_PASSED_PAWN = "missed_passed_pawn", "a passed pawn should have been made, or run"
    OPPOSITION = "opposition", "takes the opposition in a pawn ending"
    MISSED_OPPOSITION = "missed_opposition", "the opposition could have been taken in a pawn ending"

    # What an error does wrong itself.
    KING_SAFETY = "king_safety", "opens its own king to an attack"
    OPENING_PRINCIPLE = "opening_principle", "neglects development, castling or the center in the opening"

    # What a great or brilliant move does.
    RECAPTURE = "recapture", "takes back"
    PARRIED_THREAT = "parried_threat", "meets a threat to mate at once, or to win a piece"
