"""Which of several Stockfish builds suits the processor best: by trying them, a moment each."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from analyzer.engine import output
from analyzer.engine.discovery import unusable
from analyzer.engine.errors import EngineError
from analyzer.engine.process import EngineProcess

log = structlog.get_logger()

# Builds differ in the instructions that they evaluate with, so in every position alike. A tenth of a second
# in each of two tells apart what matters.
_POSITIONS = (
    "position startpos moves e2e4 e7e5 g1f3 b8c6 f1b5 a7a6 b5a4 g8f6",
    "position fen 8/2p2kp1/1p2p2p/p2nP2P/P2P1KP1/1P6/3N4/8 w - - 0 1",
)
_GO = "go movetime 100"
_DEADLINE = 10.0  # seconds; for a machine that has much else to do


async def fastest(paths: Sequence[str]) -> str:
    """The path of the fastest of them. Raises ConfigurationError where none runs.

    The first that runs says which version is meant: others are only taken of the same name, since verdicts of
    another version would differ. One alone is not tried.
    """
    if len(paths) == 1:
        return paths[0]
    name, speeds, failures = "", dict[str, float](), list[EngineError]()
    for path in paths:
        try:
            engine = await EngineProcess.start(path, hash_mb=16)
            try:
                if not speeds or engine.name == name:
                    name, speeds[path] = engine.name, await _speed(engine)
                else:
                    log.info("engine of another version left out", path=path, engine=engine.name)
            finally:
                await engine.kill()
        except EngineError as error:
            log.info("engine passed over", path=path, detail=str(error))
            failures.append(error)
    if not speeds:
        raise unusable(paths[0], failures[0])
    best = max(speeds, key=lambda path: speeds[path])
    log.info(
        "engine chosen", engine=name, path=best,
        nodes_per_second={path: round(speed) for path, speed in speeds.items()},
    )  # fmt: skip
    return best


async def _speed(engine: EngineProcess) -> float:
    """Nodes per second. Raises EngineError."""
    await engine.search(_POSITIONS[0], "go nodes 1000", deadline=_DEADLINE)  # reads the network into memory
    began, nodes = time.monotonic(), 0
    for position in _POSITIONS:
        nodes += output.parse(await engine.search(position, _GO, deadline=_DEADLINE)).nodes
    return nodes / (time.monotonic() - began)
