"""The sync contract's enums and the domain's words for them."""

from __future__ import annotations

from orchestrator.domain import Color, GameResult, Platform, SyncStatus, TimeClass
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb

PLATFORMS: dict[int, Platform] = {
    pb.PLATFORM_CHESS_COM: Platform.CHESS_COM,
    pb.PLATFORM_LICHESS: Platform.LICHESS,
}
TIME_CLASSES: dict[int, TimeClass] = {
    pb.TIME_CLASS_BULLET: TimeClass.BULLET,
    pb.TIME_CLASS_BLITZ: TimeClass.BLITZ,
    pb.TIME_CLASS_RAPID: TimeClass.RAPID,
    pb.TIME_CLASS_CLASSICAL: TimeClass.CLASSICAL,
    pb.TIME_CLASS_CORRESPONDENCE: TimeClass.CORRESPONDENCE,
}
RESULTS: dict[int, GameResult] = {
    pb.GAME_RESULT_WIN: GameResult.WIN,
    pb.GAME_RESULT_LOSS: GameResult.LOSS,
    pb.GAME_RESULT_DRAW: GameResult.DRAW,
}
COLORS: dict[int, Color] = {pb.COLOR_WHITE: Color.WHITE, pb.COLOR_BLACK: Color.BLACK}
PRESETS: dict[int, str] = {
    analysis_pb2.SearchBudget.PRESET_UNSPECIFIED: "standard",
    analysis_pb2.SearchBudget.PRESET_FAST: "fast",
    analysis_pb2.SearchBudget.PRESET_STANDARD: "standard",
    analysis_pb2.SearchBudget.PRESET_DEEP: "deep",
}

PLATFORM_VALUES = {
    Platform.CHESS_COM: pb.PLATFORM_CHESS_COM,
    Platform.LICHESS: pb.PLATFORM_LICHESS,
}
STATUS_VALUES = {
    SyncStatus.PENDING: pb.SYNC_STATUS_PENDING,
    SyncStatus.FETCHING: pb.SYNC_STATUS_FETCHING,
    SyncStatus.ANALYZING: pb.SYNC_STATUS_ANALYZING,
    SyncStatus.COMPLETED: pb.SYNC_STATUS_COMPLETED,
    SyncStatus.FAILED: pb.SYNC_STATUS_FAILED,
    SyncStatus.CANCELLED: pb.SYNC_STATUS_CANCELLED,
}
TIME_CLASS_VALUES = {
    "bullet": pb.TIME_CLASS_BULLET,
    "blitz": pb.TIME_CLASS_BLITZ,
    "rapid": pb.TIME_CLASS_RAPID,
    "classical": pb.TIME_CLASS_CLASSICAL,
    "correspondence": pb.TIME_CLASS_CORRESPONDENCE,
}
RESULT_VALUES = {
    "win": pb.GAME_RESULT_WIN,
    "loss": pb.GAME_RESULT_LOSS,
    "draw": pb.GAME_RESULT_DRAW,
}
COLOR_VALUES = {"white": pb.COLOR_WHITE, "black": pb.COLOR_BLACK}
