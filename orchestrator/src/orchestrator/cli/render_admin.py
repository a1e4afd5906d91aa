"""Quotas, audit findings and usage as tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.text import Text

from orchestrator.cli.grid import Column, Grid
from orchestrator.cli.words import NOTHING, clean, moment_of, span_text, time_text
from rookify.sync.v1 import sync_pb2


def quotas_grid(quotas: Iterable[sync_pb2.Quota], now: datetime) -> Grid:
    grid = Grid(
        [
            Column("limit"),
            Column("used", right=True),
            Column("of", right=True),
            Column("room again", shrinks=1),
        ]
    )
    for quota in quotas:
        full = quota.used >= quota.limit
        reset = NOTHING
        if quota.HasField("reset_time"):
            left = moment_of(quota.reset_time) - now
            reset = f"in {span_text(left)} ({time_text(quota.reset_time)})" if left > timedelta() else "now"
        grid.add(
            clean(quota.name).replace("_", " ").replace("llm", "LLM"),
            Text(f"{quota.used:,}", style="red" if full else ""),
            f"{quota.limit:,}",
            reset,
        )
    return grid


def finding_line(finding: sync_pb2.ComplianceFinding) -> Text:
    """One breach: which rule, what is wrong, and the rows it is about, their ids whole."""
    about = [
        f"{name} {clean(value)}"
        for name, value in (("job", finding.sync_job_id), ("game analysis", finding.game_analysis_id))
        if value
    ]
    text = Text.assemble((clean(finding.rule), "red"), f": {clean(finding.detail)}")
    return text.append(f" ({', '.join(about)})", style="dim") if about else text


# Of a request with one moment: what `make bench-explanations` counts, four characters a token.
_TOKENS_PER_MOVE = 480


def saved_line(usage: sync_pb2.GetUsageResponse) -> str:
    """What one call of the LLM for each analyzed move would have been; empty where none was analyzed."""
    calls = usage.llm_calls + usage.llm_calls_saved
    if not calls:
        return ""
    spent = usage.llm_input_tokens + usage.llm_output_tokens
    tokens = calls * _TOKENS_PER_MOVE
    return (
        f"One LLM call for each analyzed move would have been {calls:,} calls and some {tokens:,} tokens: "
        f"{100 * usage.llm_calls_saved / calls:.1f} % of the calls "
        f"and {max(0.0, 100 * (1 - spent / tokens)):.1f} % of the tokens were saved."
    )


def usage_grid(usage: sync_pb2.GetUsageResponse) -> Grid:
    grid = Grid([Column("what"), Column("number", right=True)])
    for name in (field.name for field in usage.DESCRIPTOR.fields):
        grid.add(name.replace("_", " ").replace("llm", "LLM"), f"{getattr(usage, name):,}")
    return grid
