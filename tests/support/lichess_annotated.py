"""Games as lichess annotates them: each move with its verdict's sign and the score behind it, White's pawns.

From the tests of lila (modules/fishnet/src/test/TestFixtures.scala), where they are what its analysis makes
of the answers of fishnet. A move without a score mates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.verdicts import Judgement

ROSSOLIMO = """
e4 .48 c5 .35 Nf3 .4 Nc6 .42 Bb5 .35 Qb6 .73 Nc3 .63 Nd4 .87 Bc4 .66 e6 .69 O-O .72 a6 .59 d3 .49 d6 .75
Re1 .53 Nf6 .6 Rb1 .11 Be7 .37 Be3 .04 Nxf3+ .08 Qxf3 0 Qc7 .1 a4 .06 O-O .05 Qg3 -.12 Kh8 .03 f4 -.41
Qd8?! .14 e5 -.09 Nd7?! .77 exd6 .73 Bxd6 .7 Ne4 .82 Be7 .8 Qf2?! 0 Qc7?! .62 Ra1 .67 a5 .95 Bb5 .46 b6
.56 Qg3 .36 Bb7 .9 Bd2 .71 Nf6 .7 Ng5?! .04 h6 0 Qh3?! -.62 Nd5 -.3 Rf1 -.57 Kg8 -.54 Ne4 -.39 f5 -.46
Ng3 -.85 Bf6 -.65 c3 -.87 Rad8 -.78 Rae1 -.48 Qf7 -.78 Nh5 -.8 Kh7 -.62 Nxf6+ -.03 Qxf6 -.66 Re5 -.57
Bc8 -.17 Rfe1 -.32 Nc7? .94 Bc4?! .32 Rde8?! 1.24 Qf3 .86 Re7?? 3.37 Be3?? 1.39 Rfe8 1.97 Bf2 1.65 Rd8?
3.21 d4?! 2.39 Nd5 2.35 dxc5 2.36 bxc5 2.37 Bb5? .95 Bb7?? 3.03 Qg3? 1.51 Nc7?! 2.21 Bc4?! 1.13 Rd2 1.02
b3 .47 Red7 .35 Bxc5?? -3.99 Rd1?? 2.63 Bd4 2.76 Rxe1+ 2.88 Qxe1 2.74 Qf7 3.31 Qe2?! 2.4 Nd5 2.45 Qf2
2.38 Bc6 2.66 Re1 2.32
"""
TARRASCH = """
d4 .29 Nf6 .35 Nf3 .26 d5 .3 c4 .4 e6 .4 Nc3 .24 c5 .31 e3 .24 Nc6 .09 cxd5 .2 exd5 .13 Bb5 .16 cxd4 .12
Nxd4 .15 Bd7 .12 O-O .13 Bd6 .12 Nf3 .16 Be6 .06 b3 .03 a6 .12 Bd3 .14 Ne5 .14 Nxe5 .06 Bxe5 .11 Bb2 .18
Rc8 .25 Rc1 0 O-O .04 f4 -.06 Bc7 .23 Ne2 .1 Bb6 .09 Bd4 .09 Bxd4 .21 Nxd4 .13 Qa5 -.07 Qe2 .23 Rfe8 .08
h3 .09 Bd7 .08 Rxc8 .07 Rxc8 .05 Qb2 .11 Qc5 .2 a4 0 a5 0 Qd2 -.05 b6 0 Rb1 0 Qa3 0 Kh2 .02 h6 0 Rb2 0
Qe7 0 Rc2 .01 Rc5 .04 Nf3 -.03 Rxc2 0 Bxc2 0 Qc5 0 Bd3 0 Kf8 0 Nd4 0 Kg8 .05 Kg1 .06 Kf8 .04 Kf2 0 Ke7
.1 Qb2 .04 Kf8 .04 Nc2 .02 Ne4+ .05 Bxe4 .02 dxe4 .04 Nd4 0 Bc6 0 Qe2 .06 Qc3 .04 Qa6 .22 Qd2+ .2 Ne2
.18 Qb4 .34 Qc8+ .34 Be8 .37 Qc2 .45 Bd7 .61 Nd4 .67 f5?! 1.36 Qc7 1.46 Qd2+ 1.34 Ne2 1.42 Be6 1.44 Qxb6
1.24 Kf7 1.29 Qd4 1.5 Qa2 1.68 Qa7+ 1.21 Kg8 2.04 Qa8+ 2.22 Kh7 2.25 Qxa5 1.61 Kh8 1.91 Qd8+?! 1.23 Kh7
2.19 Qa5 2.07 Kh8 1.9 b4 2.11 Bc4 2.2 Qd8+ 2.16 Kh7 2.24 Qd1 2.24 Bb3 2.58 Qd7 2.9 Be6 3.2 Qb5 3.26 Kh8
3.34 Qc5 3.57 g6 3.82 Ke1 4.06 Kg8 4.21 Qd6 3.69 Kf7 4.59 Qd2?! 3 Qxa4 3.12 Nd4 2.64 Bc4?! 3.39 Kf2 3.54
h5 4.31 Kg3 3.87 Qa3 4.38 b5 3.9 Qd3?! 4.96 Qc1 5.16 Bxb5 5.48 Qc7+ 5.44 Kf8 6.48 Qc5+ 5.25
"""
# From a set-up position with Black to move.
BLACK_FIRST = """
Na5 .13 Nbd2 -.31 c5 .09 Bc2 .12 Rc8 .11 d4 -.05 Qc7? 1.3 d5 1.28 Ba8 1.68 Nh4 1.27 Nxd5? 2.75 exd5 2.65
Bxh4 2.76 Qg4?? .39 Bf6?? 3.06 Qf5 2.94 Rfe8 3.18 Ne4 3.19 Bxd5?? 8.51 Nxf6+ 8.39 gxf6? #3 Qxf6?? 1.68
Qe7 1.59 Qf5? .41 f6 .57 Be4? -.85 Be6 -.96 Qf3 -.63 Nc4?! -.03 b3 -.03 Nxe3 -.02 fxe3 0 Rf8 -.05 Bf5
-.04 d5?! .51 Qg4+ .34 Kh8?? 4.4 Bxe6 4.53 Rcd8 4.31 Rad1 4.62 d4 4.42 cxd4 4.51 cxd4 4.7 e4 4.51 Qg7
4.79 Qxg7+ 4.6 Kxg7 4.59 Kf2 3.78 Rd6 3.99 Bg4 3.54 h5 3.38 Bxh5 3.35 Rc8 3.9 Rd2 3.66 Rc3 3.72 Bg4 3.57
a5 3.8 Be2 3.9 Rb6 3.9 Bd3 4.09 a4 3.82 b4 4.07 Kf7 4.24 h4 4.18 Ke7 4.49 Rh1 4.15 Rb8 4.78 h5 4.63 Rh8
5.19 Bxb5 5.14 Kd6 5.32 Bxa4 5.24 Rc4 5.37
"""
# Crazyhouse: the moves are not ours to play, the verdicts are the same.
CRAZYHOUSE = """
Nf3 .92 c5?? 3.08 d4? 1.31 cxd4 2.84 Nxd4 2.16 Nc6 3.43 Nxc6?? 1.38 bxc6 1.61 e4 1.23 Nf6? 2.69 Nc3 1.86
P@b4 3.17 Bc4?! 2.07 e6?? 4.75 e5 5.11 bxc3 4.36 P@d6?? -.38 cxb2 1.58 Bxb2 1.1 P@c7?? 16.21 dxc7?! 7.23
Qxc7 7.25 P@d6?? 2.55 Qa5+ 2.71 Kf1?? -6.74 Rb8?? 28.09 exf6 13.47 gxf6 40.51 Bxf6 13.79 P@e7 40.01
N@c7+ 44.39 Kd8 42.23 P@g7 37.31 Bxg7?! #1 Bxe7#
"""

_SIGNS = {"": Judgement.NONE, "?!": Judgement.INACCURACY, "?": Judgement.MISTAKE, "??": Judgement.BLUNDER}
_MOVE = re.compile(r"([^\s?!]+)(\?!|\?\??|)(?:\s+(#?-?[\d.]+))?(?:\s|$)")


def annotated(text: str) -> list[tuple[str, Judgement, Score]]:
    """Each move, its verdict, and the score behind it."""
    return [(san, _SIGNS[sign], _score(score)) for san, sign, score in _MOVE.findall(text.strip())]


def _score(text: str) -> Score:
    if not text:
        return Checkmate(white_wins=True)
    return MateIn(int(text[1:])) if text.startswith("#") else Centipawns(round(float(text) * 100))


@dataclass(frozen=True)
class Published:
    """A game with all that lichess's API says of it. `evals`: in centipawns, White's, with verdicts' signs.

    `counts`, `loss`, `accuracy`: White's and Black's. `division`: the plies of middlegame and endgame.
    """

    moves: str
    evals: str
    counts: tuple[tuple[int, int, int], tuple[int, int, int]]  # inaccuracies, mistakes, blunders
    loss: tuple[int, int]
    accuracy: tuple[int, int] | None  # where it was asked for
    division: tuple[int | None, int | None] | None
    opening: tuple[str, str, int]

    @property
    def analysis(self) -> list[tuple[str, Judgement, Score]]:
        """As `annotated`."""
        found = re.findall(r"(-?\d+)([?!]*)", self.evals)
        return [
            (san, _SIGNS[sign], Centipawns(int(cp)))
            for san, (cp, sign) in zip(self.moves.split(), found, strict=True)
        ]


# The example of GET /game/export/{gameId} in lichess's API documentation (game q7ZvsdUF).
MARSHALL_GAMBIT = Published(
    moves=(
        "d4 d5 c4 c6 Nc3 e6 e4 Nd7 exd5 cxd5 cxd5 exd5 Nxd5 Nb6 Bb5+ Bd7 Qe2+ Ne7 Nxb6 Qxb6 Bxd7+ Kxd7 Nf3"
        " Qa6 Ne5+ Ke8 Qf3 f6 Nd3 Qc6 Qe2 Kf7 O-O Kg8 Bd2 Re8 Rac1 Nf5 Be3 Qe6 Rfe1 g6 b3 Bd6 Qd2 Kf7 Bf4"
        " Qd7 Bxd6 Nxd6 Nc5 Rxe1+ Rxe1 Qc6 f3 Re8 Rxe8 Nxe8 Kf2 Nc7 Qb4 b6 Qc4+ Nd5 Nd3 Qe6 Nb4 Ne7 Qxe6+"
        " Kxe6 Ke3 Kd6 g3 h6 Kd3 h5 Nc2 Kd5 a3 Nc6 Ne3+ Kd6 h4 Nd8 g4 Ne6 Ke4 Ng7 Nc4+ Ke6 d5+ Kd7 a4 g5"
        " gxh5 Nxh5 hxg5 fxg5 Kf5 Nf4 Ne3 Nh3 Kg4 Ng1 Nc4 Kc7 Nd2 Kd6 Kxg5 Kxd5 f4 Nh3+ Kg4 Nf2+ Kf3 Nd3 Ke3"
        " Nc5 Kf3 Ke6 Ke3 Kf5 Kd4 Ne6+ Kc4"
    ),
    evals=(
        "8 7 10 14 2 9 5 85?! 96 98 88 87 81 88 82 90 79 160?! 146 151 149 160 151 150 164 190 44? 61 59 54"
        " -34?! 158?? 142 183 177 340? 169? 200 120?! 167 147 200 92?! 102 95 95 61 79 72 201? 190 183 106?!"
        " 108 93 101 101 107 100 105 103 118 117 116 83 95 90 94 94 93 88 102 79 120 114 124 108 133 100 156"
        " 198 179 167 227 225 209 207 192 173 243?! 219 234 201 342? 318 342 307 323 270 313 279 303 286 277"
        " 215 213 8?? 8 8 8 21 54 42 57 25 63 8?! 8 8 8 8 8 8 8 8"
    ),
    counts=((5, 2, 1), (3, 3, 1)),
    loss=(26, 26),
    accuracy=(90, 90),
    division=(22, 53),
    opening=("D31", "Semi-Slav Defense: Marshall Gambit", 7),
)
# From the tests of lichess's mobile app (test/model/game/game_repository_test.dart, game 3zfAoBZs).
NIMZO_LARSEN = Published(
    moves=(
        "b3 d5 Bb2 Nc6 Nf3 Nf6 e3 g6 c4 Bg7 cxd5 Qxd5 Nc3 Qd8 h4 O-O h5 Nxh5 Rxh5 gxh5 Ng5 Bg4 Qc2 Re8"
        " Qxh7+ Kf8 Nd5 e5 Ba3+ Ne7 Nf6"
    ),
    evals=(
        "0 0 0 51 56 53 51 87 79 79 79 85 69 74 20 27 -57?! -71 -216? -199 -259 223?? 208 745?? 737 773 757"
        " 806 802 1002 945"
    ),
    counts=((1, 1, 0), (0, 0, 2)),
    loss=(30, 95),
    accuracy=None,
    division=None,
    opening=("A01", "Nimzo-Larsen Attack: Classical Variation", 2),
)
PUBLISHED = {"q7ZvsdUF": MARSHALL_GAMBIT, "3zfAoBZs": NIMZO_LARSEN}
