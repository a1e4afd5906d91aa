"""What is deployed is well-formed, and speaks of settings, ports and files that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from orchestrator.settings import Settings
from orchestrator.store.encryption import encrypted
from scripts.env_example import settings_classes
from servicekit.settings import variable_of

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
DOCKERFILES = sorted(ROOT.glob("*/Dockerfile"))
KUBERNETES_VERSION = "1.33"  # the oldest that is still maintained; `preStop.sleep` came with 1.30
# Not of the services: what the compose file itself and the Postgres image take, and the prefix of the probe.
_OTHERS = {"POSTGRES_PASSWORD", "ROOKIFY_DB_PASSWORD", "ROOKIFY_ANALYZER_TLS"}


def manifests() -> Iterator[dict[str, Any]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        if path.name not in ("kustomization.yaml", "keda.yaml"):
            yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def test_kubernetes_takes_every_manifest() -> None:
    kinds = []
    for manifest in manifests():
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)
        kinds.append(manifest["kind"])
    assert {"Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"} <= set(kinds)


def test_every_container_is_locked_in() -> None:
    pods = [
        manifest["spec"]["template"]["spec"]
        for manifest in manifests()
        if manifest["kind"] in ("Deployment", "Job")
    ]
    assert len(pods) == 4
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"] is True
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def test_what_is_applied_before_the_rest_needs_nothing_of_it() -> None:
    """In the order that docs/operations.md gives: namespace, secrets, migrations, `apply -k`."""
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
    there: set[tuple[str, str]] = set()
    for name in ("namespace.yaml", "secrets.example.yaml", "migrate.yaml"):
        for manifest in yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8")):
            metadata = manifest["metadata"]
            if manifest["kind"] == "Namespace":
                assert metadata["name"] == kustomization["namespace"]
            else:
                assert metadata["namespace"] == kustomization["namespace"]
                assert ("Namespace", metadata["namespace"]) in there
            wanted = set(re.findall(r"'secretRef': {'name': '([^']+)'}", str(manifest)))
            assert {("Secret", secret) for secret in wanted} <= there
            there.add((manifest["kind"], metadata["name"]))
    assert ("Job", "migrate") in there
    guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    steps = (
        "-f deploy/kubernetes/namespace.yaml -f secrets.yaml",
        "migrate.yaml\n",
        "job/migrate",
        "apply -k deploy",
    )
    commands = guide[guide.index("**In a cluster**") :]
    assert [commands.index(step) for step in steps] == sorted(commands.index(step) for step in steps)


def test_the_migrations_reach_the_database_from_behind_the_network_policies() -> None:
    job = next(manifest for manifest in manifests() if manifest["kind"] == "Job")
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests() if m["kind"] == "NetworkPolicy"}
    selected = policies["migrate"]["podSelector"]["matchLabels"].items()
    assert selected <= job["spec"]["template"]["metadata"]["labels"].items()
    ports = {port["port"] for rule in policies["migrate"]["egress"] for port in rule["ports"]}
    assert ports == {53, 5432}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_kustomize_builds_it() -> None:
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert {"Namespace", "Deployment", "NetworkPolicy", "ConfigMap"} <= {each["kind"] for each in built}
    assert "Job" not in {each["kind"] for each in built}, "one that has run cannot be applied again"
    spaces = {each["metadata"].get("namespace") for each in built if each["kind"] != "Namespace"}
    assert spaces == {"rookify"}


def test_an_analyzer_may_talk_to_nobody() -> None:
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests() if m["kind"] == "NetworkPolicy"}
    assert policies["analyzer"]["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policies["analyzer"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert compose["services"]["analyzer"]["networks"] == ["engines"]
    assert compose["networks"]["engines"] == {"internal": True}


def test_settings_that_are_set_are_settings_that_there_are() -> None:
    known = {variable_of(settings, name) for settings in settings_classes() for name in settings.model_fields}
    known |= _OTHERS
    for path in (
        ROOT / "docker-compose.yml",
        ROOT / "deploy/compose/.env.example",
        *DOCKERFILES,
        *KUBERNETES.iterdir(),
    ):
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"\b((?:ROOKIFY|SUPABASE|OPENAI|DATABASE)_[A-Z_]+)\b", text))
        assert named <= known, path


def test_compose_says_that_its_database_is_reached_in_the_clear() -> None:
    """The image of Postgres has no certificate."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    reaching = [
        service["environment"]
        for service in compose["services"].values()
        if "DATABASE_URL" in service.get("environment", {})
    ]
    assert len(reaching) == 2
    for given in reaching:
        url = given["DATABASE_URL"].replace("$", "")
        assert encrypted(url, allow_plaintext=given.get("ROOKIFY_ALLOW_PLAINTEXT") == "true") == url


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_takes_the_dockerfiles(dockerfile: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    assert copied
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source


def test_the_example_of_compose_names_every_variable_that_is_passed_on_and_no_other() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    example = (ROOT / "deploy/compose/.env.example").read_text(encoding="utf-8")
    passed_on = set(re.findall(r"\$\{([A-Z_]+)", compose))
    assert passed_on == set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))


needs_compose = pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="no docker-compose: apt-get install docker-compose"
)


@needs_compose
def test_compose_takes_its_file(tmp_path: Path) -> None:
    orchestrator = composed(tmp_path)["services"]["orchestrator"]["environment"]
    assert orchestrator["ROOKIFY_CONTACT"] == "x"
    assert orchestrator["ROOKIFY_LLM_MODEL"] == Settings.model_fields["llm_model"].default
    with_llm = composed(tmp_path, env="ROOKIFY_LLM_MODEL=qwen3\n")
    assert with_llm["services"]["orchestrator"]["environment"]["ROOKIFY_LLM_MODEL"] == "qwen3"


@needs_compose
def test_compose_takes_other_settings_as_the_guide_says(tmp_path: Path) -> None:
    guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    block = re.search(r"docker-compose\.override\.yml.*?```yaml\n(.*?)```", guide, re.DOTALL)
    assert block is not None
    override = tmp_path / "docker-compose.override.yml"
    override.write_text(block.group(1), encoding="utf-8")
    services = composed(tmp_path, override)["services"]
    known = {variable_of(settings, name) for settings in settings_classes() for name in settings.model_fields}
    for name, service in yaml.safe_load(block.group(1))["services"].items():
        assert service["environment"].items() <= services[name]["environment"].items()
        assert service["environment"].keys() <= known
    assert "DATABASE_URL" in services["orchestrator"]["environment"], "it adds, and replaces nothing"


def composed(folder: Path, *more: Path, env: str = "") -> dict[str, Any]:
    """What docker-compose makes of its file and `more`, with every variable that it asks for set to x."""
    example = (ROOT / "deploy/compose/.env.example").read_text(encoding="utf-8")
    filled = folder / "env"
    filled.write_text(re.sub(r"^([A-Z_]+)=$", r"\1=x", example, flags=re.MULTILINE) + env, encoding="utf-8")
    files = [part for path in (ROOT / "docker-compose.yml", *more) for part in ("--file", str(path))]
    command = ["docker-compose", *files, "--env-file", str(filled), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = yaml.safe_load(done.stdout)
    return made
