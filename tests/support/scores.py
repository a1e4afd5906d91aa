"""Hypothesis strategies for scores, White's point of view."""

from __future__ import annotations

from hypothesis import strategies as st

from analyzer.scores import Centipawns, Checkmate, MateIn, Score

centipawns: st.SearchStrategy[Centipawns] = st.integers(-20_000, 20_000).map(Centipawns)
mates: st.SearchStrategy[MateIn] = st.integers(1, 200).flatmap(
    lambda moves: st.sampled_from([MateIn(moves), MateIn(-moves)])
)
checkmates: st.SearchStrategy[Checkmate] = st.booleans().map(lambda white: Checkmate(white_wins=white))
scores: st.SearchStrategy[Score] = st.one_of(centipawns, mates, checkmates)
