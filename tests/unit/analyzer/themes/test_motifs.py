"""What an engine's line shows: for each motif positions that have it and near ones without, both colors."""

from __future__ import annotations

import pytest

from analyzer.phases import Phase
from analyzer.themes.registry import BACK_RANK, TACTICS, TECHNIQUE, shown
from analyzer.themes.words import Theme
from tests.support.theme_positions import both_colors, line_of

HAVE: list[tuple[Theme, str, str]] = [
    (Theme.FORK, "r3k3/8/8/3N4/8/8/8/4K3 w - - 0 1", "Nc7+ Kd7 Nxa8"),
    (Theme.FORK, "r3k2r/pp4pp/4pq2/2b5/3p4/3P4/PPP2PPP/R1BQR1K1 w kq - 0 14", "Qh5+ Kd7 Qxc5"),
    (Theme.FORK, "4k3/8/8/8/2n1b3/8/3P4/4K3 w - - 0 1", "d3 Nd6 dxe4"),
    # Behind two checks that win little themselves.
    (
        Theme.FORK,
        "r1b2rk1/ppp5/4p2p/2P1PpnQ/3q3N/3B4/P1P2PPP/R4RK1 w - - 0 17",
        "Qg6+ Kh8 Qxh6+ Nh7 Ng6+ Kg8 Nxf8",
    ),
    (Theme.SKEWER, "4k2q/8/8/8/8/8/8/R3K3 w - - 0 1", "Ra8+ Kd7 Rxh8"),
    (Theme.SKEWER, "r7/1q4k1/8/8/8/8/6K1/3B4 w - - 0 1", "Bf3 Qd7 Bxa8"),
    (Theme.SKEWER, "1R3b2/4k2r/3p4/4p1p1/4P3/3P2P1/rP4PP/5R1K w - - 3 25", "Rb7+ Ke6 Rxh7"),
    # The rook behind takes, or the piece in front does, since its check comes first.
    (Theme.DISCOVERED_ATTACK, "3qk3/8/8/8/8/3B4/8/3RK3 w - - 0 1", "Bg6+ Kf8 Rxd8+"),
    (Theme.DISCOVERED_ATTACK, "4r1k1/5ppp/8/4b3/P3Q3/3r4/4N1R1/4K3 b - - 0 31", "Bc3+ Nxc3 Rxe4+"),
    (
        Theme.DISCOVERED_ATTACK,
        "rnb1k2r/ppppnp1p/6q1/2b1p1N1/2B1P1Q1/P2P4/1PP2PPP/RNB2RK1 b kq - 0 8",
        "d5 Qg3 dxc4",
    ),
    # The knight could not take else: the rook would take back.
    (Theme.DISCOVERED_ATTACK, "5r2/pp2k2N/2p2n2/3pp3/4P3/3PP3/PPP2K2/7R b - - 1 31", "Nxh7+ Ke1 Nf6"),
    # The knight may not take back; the knight may not go.
    (Theme.PIN, "4k3/4n3/8/3p4/8/8/8/3RR1K1 w - - 0 1", "Rxd5 Kf7 Rd7"),
    (Theme.PIN, "3qk3/8/5n2/6B1/4P3/8/8/4K3 w - - 0 1", "e5 Qd4 exf6"),
    (Theme.PIN, "3Q4/5pk1/5rp1/1p5p/1P5P/2KP4/8/8 w - - 11 44", "Qd4 Kg8 Qxf6"),
    # By an attack, by shutting in; it goes, and is taken elsewhere.
    (
        Theme.TRAPPED_PIECE,
        "2kr1bnr/ppp1pp1p/1qn3p1/5b2/1P1P1B2/P1N2N2/2P1BPPP/R2Q1RK1 w - - 1 12",
        "Na4 Nf6 Nxb6+",
    ),
    (Theme.TRAPPED_PIECE, "5k2/5ppB/8/8/8/8/8/6K1 b - - 0 1", "g6 Kf2 Kg7 Ke3 Kxh7"),
    (Theme.TRAPPED_PIECE, "5k2/5ppB/8/8/8/8/8/6K1 b - - 0 1", "g6 Bxg6 fxg6"),
    (
        Theme.OVERLOADED_DEFENDER,
        "rn1qkbnr/pp1b1ppp/4p3/1Bpp4/4P3/2N2N2/PPPP1PPP/R1BQ1RK1 b kq - 3 5",
        "Bxb5 Nxb5 dxe4",
    ),
    (
        Theme.OVERLOADED_DEFENDER,
        "rn1qk2r/ppp2ppp/4pn2/2b5/2B1P1b1/2P5/PP2NP1P/RNBQK1NR b KQkq - 0 8",
        "Bxf2+ Kxf2 Qxd1",
    ),
    (
        Theme.OVERLOADED_DEFENDER,
        "rn2kb1r/ppp1pppp/5n2/8/2p1P3/2Nq1N2/PP2QPPP/R1B2RK1 b kq - 3 8",
        "Qxe2 Nxe2 Nxe4",
    ),
    # Taken; driven away; lured.
    (
        Theme.REMOVED_DEFENDER,
        "r1bqkbnr/1ppp1ppp/p1n5/1B2p3/4P3/5N2/PPPP1PPP/RNBQ1RK1 w kq - 0 4",
        "Bxc6 dxc6 Nxe5",
    ),
    (Theme.REMOVED_DEFENDER, "8/6pk/2pK4/pp6/1n1P4/8/PP5P/4N3 w - - 2 41", "a3 Na6 Kxc6"),
    (
        Theme.REMOVED_DEFENDER,
        "4kn2/1bp5/1p2pQ1P/p1q1Pp2/P2r4/3B4/2P2PP1/2RR2K1 w - - 1 29",
        "h7 Nxh7 Qxe6+ Qe7 Bb5+ Kf8 Qxf5+",
    ),
    (Theme.HANGING_PIECE, "4k3/8/8/3n4/8/8/8/3RK3 w - - 0 1", "Rxd5"),
    (Theme.HANGING_PIECE, "4k3/2p5/3r4/8/5B2/8/8/4K3 w - - 0 1", "Bxd6 cxd6"),
    (Theme.HANGING_PAWN, "4k3/8/8/3p4/8/8/8/3RK3 w - - 0 1", "Rxd5"),
    (Theme.HANGING_PAWN, "4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1", "exd6"),
    (Theme.PROMOTION, "8/P3k3/8/8/8/8/8/4K3 w - - 0 1", "a8=Q"),
    (Theme.PROMOTION, "8/1P1n1p2/8/4N2k/8/2P5/5P2/5K2 w - - 2 47", "Nxd7 f6 b8=Q"),
    (Theme.BACK_RANK_MATE, "6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1", "Ra8#"),
    (Theme.BACK_RANK_MATE, "3r2k1/5ppp/8/8/8/8/8/Q2R2K1 w - - 0 1", "Rxd8#"),
    (Theme.PASSED_PAWN, "8/8/8/3k4/7P/8/8/K7 w - - 0 1", "h5 Ke6 h6"),
    (Theme.PASSED_PAWN, "8/p7/8/3k4/7P/8/8/K7 w - - 0 1", "h5 Ke6 h6"),
    (Theme.PASSED_PAWN, "8/8/8/p2k4/1P6/8/8/K7 w - - 0 1", "b5 Kc5 b6"),
    (Theme.OPPOSITION, "8/8/4k3/8/8/4K3/4P3/8 w - - 0 1", "Ke4"),
    (Theme.OPPOSITION, "8/8/8/8/7p/4kp1P/8/5K2 w - - 6 58", "Ke1"),
]

HAVE_NOT: list[tuple[Theme, str, str]] = [
    # The second target is out of reach; the fork is answered; it takes nothing; it attacked both before.
    (Theme.FORK, "1r2k3/8/8/3N4/8/8/8/4K3 w - - 0 1", "Nc7+ Kd7 Nb5"),
    (Theme.FORK, "r3k3/8/3b4/3N4/8/8/8/4K3 w - - 0 1", "Nc7+ Bxc7"),
    (Theme.FORK, "4k3/8/8/8/2n1b3/8/3P4/4K3 w - - 0 1", "d3 Bxd3"),
    (Theme.FORK, "4k3/8/8/2p2p2/2n1b3/3P4/8/4K3 w - - 0 1", "dxc4 Kd7"),
    # One target; a pawn beside it; a bishop beside it that is defended; behind a quiet move.
    (Theme.FORK, "6k1/8/8/8/1n2R2n/8/8/6K1 w - - 0 1", "Rd4 Na2 Rxh4"),
    (Theme.FORK, "r5k1/8/8/3N4/8/8/8/4K3 w - - 0 1", "Nc7 Kf7 Nxa8"),
    (Theme.FORK, "r5k1/8/4N3/1p6/8/8/8/4K3 w - - 0 1", "Nc7 Kf7 Nxa8"),
    (Theme.FORK, "r3b1k1/8/4N3/8/8/8/8/4K3 w - - 0 1", "Nc7 Kf7 Nxa8"),
    (Theme.FORK, "r3k3/7p/8/8/1N6/8/8/4K3 w - - 0 1", "Nd5 h5 Nc7+ Kd7 Nxa8"),
    # The queen was won before.
    (
        Theme.FORK,
        "r2B4/pppk1rQp/2nn4/2b1pb2/8/2P2P1P/PP6/RN2K1NR b KQ - 0 16",
        "Rxg7 Bf6 Rg6 Nd2 Rag8 Ne2 Rxf6",
    ),
    # Only pawns.
    (Theme.FORK, "4k3/p1p5/8/3N4/8/8/8/4K3 w - - 0 1", "Nb6 axb6"),
    # The queen takes; less is in front than behind; what is behind has gone; what is in front need not go.
    (Theme.SKEWER, "4q2k/8/8/8/8/8/8/R5K1 w - - 0 1", "Ra8 Qxa8"),
    (Theme.SKEWER, "r7/1n4k1/8/8/8/8/6K1/3B4 w - - 0 1", "Bf3 Nc5 Bxa8"),
    (Theme.SKEWER, "4k2q/8/8/8/8/8/8/R3K3 w - - 0 1", "Ra8+ Kd7 Ra7+"),
    (Theme.SKEWER, "3r2k1/3r4/8/8/8/8/8/R5K1 w - - 0 1", "Rd1 Rc7 Rxd8+"),
    # A pawn shuts the file; nothing comes of it; the same attack without anybody stepping aside; both attack
    # the same piece.
    (Theme.DISCOVERED_ATTACK, "3qk3/3p4/8/8/8/3B4/8/3RK3 w - - 0 1", "Bg6+ Ke7 Bh5+"),
    (Theme.DISCOVERED_ATTACK, "3qk3/8/8/8/8/3B4/8/3RK3 w - - 0 1", "Be4 Qxd1+ Kxd1"),
    (Theme.DISCOVERED_ATTACK, "4k3/8/8/3q4/8/8/2B5/R3K3 w - - 0 1", "Rd1 Qxd1+ Bxd1"),
    (Theme.DISCOVERED_ATTACK, "5rk1/1p4pp/1pp2p2/5n2/1P6/4rN1P/P2B4/3R1RK1 w - - 0 21", "Nh4 Rd3 Nxf5"),
    # No rook behind; no queen behind; the pinner itself takes and lets go.
    (Theme.PIN, "4k3/4n3/8/3p4/8/8/8/3R1RK1 w - - 0 1", "Rxd5 Nxd5"),
    (Theme.PIN, "4k3/8/5n2/6B1/4P3/8/8/4K3 w - - 0 1", "e5 Ne4 Bf4"),
    (Theme.PIN, "r1b2br1/pppp4/5kp1/5p2/3pq1n1/5Q2/PPPB4/RN1K2R1 w - - 4 21", "Qxe4 fxe4 Rxg4"),
    # It has a way out, or one that costs as much; it hung already; it is pinned; it was shut in all along.
    (Theme.TRAPPED_PIECE, "6k1/8/8/8/8/8/P1R5/n1K5 w - - 0 1", "Kb1 Nb3 axb3"),
    (Theme.TRAPPED_PIECE, "3Q4/5pk1/5rp1/1p5p/1P5P/2KP4/8/8 w - - 11 44", "Qd4 Kg8 Qxf6"),
    (Theme.TRAPPED_PIECE, "2b3k1/1p1p4/8/8/8/8/8/R5K1 w - - 0 1", "Kf2 Kf7 Ra8 Ke7 Rxc8"),
    (Theme.TRAPPED_PIECE, "5k2/6pB/8/8/8/8/8/6K1 b - - 0 1", "g6 Bxg6"),
    (Theme.TRAPPED_PIECE, "r1b2rk1/ppp1n1pp/1b3p2/2P5/1P6/3qPN2/P2B2PP/R2QK1NR w KQ - 0 13", "Kf2 Ng6 cxb6"),
    # The queens are only traded.
    (
        Theme.TRAPPED_PIECE,
        "r1bqk2r/p1pp1ppp/2p5/2Q5/2B1P3/2N5/PPP3PP/R1B1K2n w Qkq - 0 10",
        "Bg5 f6 Be3 Qe7 Qxe7+ Kxe7 O-O-O Ng3",
    ),
    # Another defender; it hung already; more captures on one square.
    (Theme.OVERLOADED_DEFENDER, "6k1/8/p7/1B1p4/4P3/2NP4/8/6K1 b - - 0 1", "axb5 Nxb5 dxe4 dxe4"),
    (Theme.OVERLOADED_DEFENDER, "4r1k1/8/p7/1B1p4/4P3/2N5/8/6K1 b - - 0 1", "axb5 Nxb5 dxe4"),
    (Theme.OVERLOADED_DEFENDER, "6k1/6p1/5n2/8/8/2B5/8/5RK1 w - - 0 1", "Bxf6 gxf6 Rxf6"),
    (
        Theme.OVERLOADED_DEFENDER,
        "rn1qkbnr/pp1b1ppp/4p3/1Bpp4/4P3/2NP1N2/PPP2PPP/R1BQ1RK1 b kq - 3 5",
        "Bxb5 Nxb5 dxe4 dxe4",
    ),
    (
        Theme.REMOVED_DEFENDER,
        "r1bqkbnr/1pp2ppp/p1np4/1B2p3/4P3/5N2/PPPP1PPP/RNBQ1RK1 w kq - 0 4",
        "Bxc6+ bxc6 Nxe5 dxe5",
    ),
    (Theme.REMOVED_DEFENDER, "2r5/6pk/2pK4/pp6/1n1P4/8/PP5P/4N3 w - - 2 41", "a3 Na6 Kd7"),
    # It goes by itself; it is overloaded.
    (Theme.REMOVED_DEFENDER, "8/6pk/2pK4/pp6/1n1P4/8/PP5P/4N3 w - - 2 41", "Nf3 Na6 Kxc6"),
    (
        Theme.REMOVED_DEFENDER,
        "rn2kb1r/ppp1pppp/5n2/8/2p1P3/2Nq1N2/PP2QPPP/R1B2RK1 b kq - 3 8",
        "Qxe2 Nxe2 Nxe4",
    ),
    # Defended; a trade; two defenders.
    (Theme.HANGING_PIECE, "4k3/8/2p5/3n4/8/8/8/3RK3 w - - 0 1", "Rxd5 cxd5"),
    (Theme.HANGING_PIECE, "4k3/8/2p5/3n4/4P3/8/8/4K3 w - - 0 1", "Ke2"),
    (Theme.HANGING_PIECE, "4k3/8/2p5/3b4/5N2/8/8/4K3 w - - 0 1", "Nxd5 cxd5"),
    (Theme.HANGING_PAWN, "4k3/8/2p5/3p4/8/8/8/3RK3 w - - 0 1", "Rxd5 cxd5"),
    (Theme.HANGING_PAWN, "4k3/8/8/3n4/8/8/8/3RK3 w - - 0 1", "Rxd5"),
    # Taken at once; far from it.
    (Theme.PROMOTION, "1r6/P3k3/8/8/8/8/8/4K3 w - - 0 1", "a8=Q Rxa8"),
    (Theme.PROMOTION, "8/8/P3k3/8/8/8/8/4K3 w - - 0 1", "a7 Kd7"),
    # The other rook shuts the king in; it is no mate; mate by a knight.
    (Theme.BACK_RANK_MATE, "6rk/6pp/8/6N1/8/8/8/6K1 w - - 0 1", "Nf7#"),
    (Theme.BACK_RANK_MATE, "6k1/1R6/8/8/8/8/8/R5K1 w - - 0 1", "Ra8#"),
    (Theme.BACK_RANK_MATE, "6k1/5pp1/7p/8/8/8/8/R3K3 w - - 0 1", "Ra8+"),
    (Theme.BACK_RANK_MATE, "5rk1/5ppp/5N2/8/8/8/8/4K1R1 w - - 0 1", "Nd7"),
    # A pawn stands before it; it is stopped.
    (Theme.PASSED_PAWN, "8/6p1/8/3k4/7P/8/8/K7 w - - 0 1", "h5 Ke6 h6 gxh6"),
    (Theme.PASSED_PAWN, "8/8/8/6k1/8/7P/8/K7 w - - 0 1", "h4+ Kxh4"),
    # A knight's move off; not in a rook ending; the other king stepped there.
    (Theme.OPPOSITION, "8/8/4k3/8/8/4K3/4P3/8 w - - 0 1", "Kd4"),
    (Theme.OPPOSITION, "8/8/4k3/8/8/4K3/4P2r/8 w - - 0 1", "Ke4"),
    (Theme.OPPOSITION, "8/8/4k3/8/4K3/8/P3P3/8 w - - 0 1", "a3 Kd6"),
]


def names(fen: str, moves: str, *, mirrored: bool) -> list[Theme]:
    line = line_of(fen, moves, mirrored=mirrored)
    found = [motif.played for motif in shown(line, line.won, Phase.ENDGAME)]
    if BACK_RANK.shows(line):
        found.append(BACK_RANK.played)
    return [name for name in found if name]


@both_colors
@pytest.mark.parametrize(("theme", "fen", "moves"), HAVE)
def test_the_motif_is_seen(theme: Theme, fen: str, moves: str, mirrored: bool) -> None:
    assert theme in names(fen, moves, mirrored=mirrored)


@both_colors
@pytest.mark.parametrize(("theme", "fen", "moves"), HAVE_NOT)
def test_the_motif_is_not_seen_where_it_is_not(theme: Theme, fen: str, moves: str, mirrored: bool) -> None:
    assert theme not in names(fen, moves, mirrored=mirrored)


def test_every_motif_is_tried_both_ways() -> None:
    motifs = {motif.played for motif in (*TACTICS, *TECHNIQUE, BACK_RANK) if motif.played}
    assert {theme for theme, _, _ in HAVE} == {theme for theme, _, _ in HAVE_NOT} == motifs
