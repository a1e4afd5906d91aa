"""The opaque tokens of the contract: where a list or a watch goes on. Their form may change at any time."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from orchestrator.store.rows import PageKey
from servicekit.errors import InvalidInput

_MAX_CHARACTERS = 512  # ours have about 100


def page_token(key: PageKey) -> str:
    return _encode([key.time.isoformat(), str(key.id)])


def page_key(token: str) -> PageKey | None:
    """None for the first page. Raises InvalidInput."""
    if not token:
        return None
    match _decode(token):
        case [str(time), str(row_id)]:
            with suppress(ValueError):
                key = PageKey(datetime.fromisoformat(time), UUID(row_id))
                if key.time.tzinfo is not None:
                    return key
    raise InvalidInput.of("page_token", "is not one of ours; use next_page_token, or leave it empty")


def resume_token(sync_job_id: UUID, finished_ordinal: int) -> str:
    """Behind the job's game with this finished_ordinal; 0 is before the first."""
    return _encode([str(sync_job_id), finished_ordinal])


def resumed_ordinal(token: str, sync_job_id: UUID) -> int:
    """0 for an empty token. Raises InvalidInput."""
    if not token:
        return 0
    match _decode(token):
        case [str(job_id), int(ordinal)] if job_id == str(sync_job_id) and 0 <= ordinal < 2**31:
            return ordinal
    raise InvalidInput.of(
        "resume_token", "is not one of this job's; use the last message's, or leave it empty"
    )


def _encode(parts: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(token: str) -> object:
    """What `_encode` was given, or None."""
    if len(token) > _MAX_CHARACTERS:
        return None
    with suppress(ValueError, RecursionError):  # the latter from brackets within brackets
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return None
