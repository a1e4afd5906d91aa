"""What Prometheus reads of both services while a sync runs, and that the dashboards speak of nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import structlog
import yaml
from google.protobuf import descriptor_pool
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from analyzer.app import Analyzer
from analyzer.metrics import AnalyzerMetrics
from analyzer.scheduler import Scheduler
from analyzer.search.cache import PositionCache
from analyzer.service import AnalysisServicer
from analyzer.settings import Settings as AnalyzerSettings
from orchestrator import metrics
from orchestrator.local.stack import claimable
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from servicekit import metrics as kit_metrics
from servicekit.errors import ConfigurationError
from servicekit.metrics import serving
from tests.support.orchestrator import running_orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import Database

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERT_TESTS = Path(__file__).with_name("alerts.yml")


async def read(address: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, by name and labels."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://{address}/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def total(
    samples: Mapping[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str
) -> float:
    """The sum over all series of that name that have these labels."""
    found = [v for (n, have), v in samples.items() if n == name and labels.items() <= dict(have).items()]
    assert found, f"no {name} with {labels}"
    return sum(found)


def methods_of(*services: str) -> set[str]:
    pool = descriptor_pool.Default()
    found = {f"/{name}/{each.name}" for name in services for each in pool.FindServiceByName(name).methods}
    assert found
    return found


async def test_a_sync_shows_in_the_metrics_of_both(database: Database) -> None:
    ours, analyzers = claimable("127.0.0.1:0"), claimable("127.0.0.1:0")
    settings = AnalyzerSettings(
        _env_file=None,  # type: ignore[call-arg]
        analyzer_listen="127.0.0.1:0",
        analyzer_metrics_listen=analyzers,
        engine_workers=1,
    )
    async with (
        ChessComServer(read_months(SHIPPED / "chesscom")) as platform,
        Analyzer(settings) as analyzer,
        running_orchestrator(
            database, chesscom_url=platform.url, analyzers=analyzer.address, metrics_listen=ours
        ) as orchestrator,
    ):
        before = await read(ours)
        user = await orchestrator.user()
        job = await user.start(max_games=2, preset=analysis_pb2.SearchBudget.PRESET_FAST)
        ended = await user.ended(job.id)
        after, engines = await read(ours), await read(analyzers)

    # A series that is born at 1 has not grown, and the alert for defects counts what has.
    for method in methods_of("rookify.sync.v1.SyncService", "rookify.sync.v1.SyncAdminService"):
        total(before, "rookify_rpcs_total", method=method, code="INTERNAL")
    for method in methods_of("rookify.analysis.v1.AnalysisService"):
        total(engines, "rookify_rpcs_total", method=method, code="INTERNAL")

    def grown(name: str, **labels: str) -> float:
        """Other tests of this process count in the same registry."""
        try:
            return total(after, name, **labels) - total(before, name, **labels)
        except AssertionError:
            return total(after, name, **labels)

    done = ended.games_analyzed
    assert done >= 1
    assert grown("rookify_games_total", outcome="analyzed") == done
    assert grown("rookify_jobs_ended_total", platform="chess.com", status="completed") == 1
    assert grown("rookify_job_phase_seconds_count", phase="fetching") == 1
    assert grown("rookify_rpcs_total", method="/rookify.sync.v1.SyncService/StartSync", code="OK") == 1
    assert grown("rookify_rpc_seconds_count", method="/rookify.sync.v1.SyncService/StartSync") == 1
    assert grown("rookify_platform_requests_total", platform="chess.com", status="200") >= 2
    assert grown("rookify_database_call_seconds_count", function="record_analyses") >= 1
    assert grown("rookify_event_delay_seconds_count") >= 1
    assert total(after, "rookify_analyzers") == 1
    assert total(after, "rookify_jobs", status="pending") == 0

    assert total(engines, "rookify_engines") == 1
    assert total(engines, "rookify_analyzed_games_total") == done
    assert total(engines, "rookify_engine_nodes_total") > 10_000
    assert 0 < total(engines, "rookify_engine_busy_seconds_total") < 600
    assert total(engines, "rookify_engine_restarts_total") == 0
    assert total(engines, "rookify_cache_misses_total") > 0


@pytest.mark.parametrize("token", [False, True])
async def test_methods_that_somebody_makes_up_are_not_counted(database: Database, token: bool) -> None:
    """Each would be a series for as long as the process lives, and nobody needs a token to make one up."""
    metrics_at = claimable("127.0.0.1:0")
    async with running_orchestrator(
        database, analyzers="127.0.0.1:1", metrics_listen=metrics_at
    ) as orchestrator:
        user = await orchestrator.user()
        before = await read(metrics_at)
        with structlog.testing.capture_logs() as lines:
            for number in range(100):
                method: Any = orchestrator.channel.unary_unary(f"/no.such.Service/{token}{number}")
                call = method(b"", timeout=10, metadata=user.metadata if token else ())
                assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
            await user.call("GetQuota", pb.GetQuotaRequest(user_id=str(user.user_id)))
        after = await read(metrics_at)
    assert not [name for name, labels in after.keys() - before.keys() if "no.such" in str(labels)]
    assert total(after, "rookify_rpcs_total", method="/rookify.sync.v1.SyncService/GetQuota") >= 1
    assert not [line for line in lines if "no.such" in str(line)]


def test_an_address_that_cannot_be_had_is_told() -> None:
    for listen in ("9464", "127.0.0.1:x", "127.0.0.1:70000"):
        with pytest.raises(ConfigurationError, match="metrics address"), serving(listen):
            pass
    address = claimable("127.0.0.1:0")
    with serving(address), pytest.raises(ConfigurationError, match="cannot be served"), serving(address):
        pass


def names_served() -> set[str]:
    """Of every sample that either service can serve, those without a series yet included."""
    analyzer = AnalyzerMetrics([], PositionCache(1), AnalysisServicer(Scheduler(), [], PositionCache(1)))
    names = {sample.name for metric in analyzer.collect() for sample in metric.samples}
    for module in (metrics, kit_metrics):
        for metric in vars(module).values():
            if isinstance(metric, Counter):
                names |= {f"{name}_total" for name in _described(metric)}
            elif isinstance(metric, Histogram):
                names |= {
                    f"{name}_{part}" for name in _described(metric) for part in ("bucket", "sum", "count")
                }
            elif isinstance(metric, Gauge):
                names |= _described(metric)
    return names


def _described(metric: Counter | Histogram | Gauge) -> set[str]:
    return {family.name for family in metric.describe()}


def test_dashboards_and_alerts_speak_of_metrics_that_there_are() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "rookify.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions.append((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    asked = {name for text in expressions for name in re.findall(r"\brookify_\w+", text)}
    assert len(asked) > 25
    assert asked - names_served() == set()


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    """One that nobody looks at need not be."""
    shown = "".join(
        path.read_text(encoding="utf-8") for path in (*DEPLOY.rglob("*.json"), *DEPLOY.rglob("alerts.yml"))
    )
    unseen = {name for name in names_served() if not name.endswith(("_sum", "_count")) and name not in shown}
    assert unseen == set()


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: apt-get install prometheus"
)


@needs_promtool
def test_promtool_takes_the_configuration() -> None:
    promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")


@needs_promtool
def test_alerts_fire_when_they_should_and_else_not() -> None:
    promtool("test", "rules", ALERT_TESTS)


def test_every_alert_is_seen_firing_and_not_firing() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    tests = yaml.safe_load(ALERT_TESTS.read_text(encoding="utf-8"))["tests"]
    seen = {
        (expected["alertname"], bool(expected["exp_alerts"]))
        for test in tests
        for expected in test["alert_rule_test"]
    }
    assert seen == {(alert, fires) for alert in alerts for fires in (True, False)}


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
