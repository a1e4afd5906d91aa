"""What happened on the board, in words: forks, pins, hanging pieces, mates. Pure, and without an engine.

`words` has all themes there are, `registry` says which detector finds which, `find` asks them about a move.
"""
