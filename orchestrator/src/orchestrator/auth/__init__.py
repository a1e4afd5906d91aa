"""Who calls, and what they may do: bearer tokens on every call, checked here without asking anybody."""

from orchestrator.auth.caller import Caller, current_caller

__all__ = ["Caller", "current_caller"]
