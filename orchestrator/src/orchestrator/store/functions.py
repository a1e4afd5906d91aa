"""Every SQL function that the service calls: what it must be able to, and nobody else may."""

from __future__ import annotations

FUNCTIONS = frozenset(
    {
        "advance_sync_job",
        "audit_adopted",
        "audit_sync_jobs",
        "cancel_sync_job",
        "claim_sync_job",
        "cleanup_stuck_sync_jobs",
        "describe_database",
        "ensure_user",
        "fail_abandoned_sync_jobs",
        "fail_sync_job",
        "get_figures",
        "get_traceparent",
        "get_game_analysis",
        "get_quota_v2",
        "get_sync_jobs",
        "get_usage_v2",
        "get_user",
        "list_finished_games",
        "list_game_analyses",
        "list_games_by_offset",
        "list_moment_candidates",
        "list_sync_job_events",
        "list_sync_jobs",
        "note_sync_job",
        "plan_explanations",
        "poll_sync_jobs",
        "record_analyses",
        "record_games",
        "record_moments",
        "release_sync_job",
        "renew_leases",
        "start_held_sync_job",
        "start_sync_job",
        "start_traced_sync_job",
        "sync_job_failures",
        "take_games",
    }
)
