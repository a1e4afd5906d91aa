"""What no tool of its own checks: pins in step with what asks for them, nothing of one machine in the files.

Needs no network. Prints a sentence for each thing that is wrong, and exits with 1 where there is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
DISTRIBUTIONS = ("protos", "orchestrator", "analyzer")
MAX_LINES = 300  # of a module: what can be read in one go

Pins = dict[NormalizedName, Version]

# What ties a file to one machine or one registry. The brackets keep this file from naming them itself.
FOREIGN = re.compile(
    r"p[y]pi\.org|p[y]thonhosted|n[p]mjs\.|d[e]bian\.org|/[w]ork/|/[f]arm/"
    r"|/[h]ome/(?!linuxbrew/)\w+/|/[U]sers/\w+/"
)


def main() -> int:
    problems = [*stale_pins(), *foreign_lines(), *long_modules(), *broken_scripts()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def stale_pins() -> Iterator[str]:
    """Each .txt must pin what its .in and the distributions ask for, and nothing its .in has dropped."""
    every: dict[NormalizedName, tuple[str, Version]] = {}
    for source in sorted(REQUIREMENTS.glob("*.in")):
        pinned = source.with_suffix(".txt")
        if not pinned.exists():
            continue  # protos.in is only read by the others
        text = pinned.read_text(encoding="utf-8")
        pins = {
            canonicalize_name(name): Version(version)
            for name, version in re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^ ;\\]+)", text, re.MULTILINE)
        }
        asked = list(_asked(source))
        yield from _unmet(pins, asked, pinned.name, source.name)
        names = {canonicalize_name(requirement.name) for requirement in asked}
        for name in sorted(_asked_then(text) - names):
            yield f"requirements/{pinned.name} pins {name}, which no .in asks for: run `make requirements`"
        for name, version in pins.items():
            where, other = every.setdefault(name, (pinned.name, version))
            if other != version:
                yield f"{name} is {version} in requirements/{pinned.name}, {other} in {where}: make them one"
        distributions = {"dev": DISTRIBUTIONS, "build": ()}.get(source.stem, ("protos", source.stem))
        for distribution in distributions:
            yield from _unmet(
                pins, _dependencies(distribution), pinned.name, f"{distribution}/pyproject.toml"
            )


def _asked(source: Path) -> Iterator[Requirement]:
    for line in source.read_text(encoding="utf-8").splitlines():
        match line.split("#")[0].split():
            case []:
                pass
            case ["-r", other]:
                yield from _asked(source.parent / other)
            case words:
                yield Requirement(" ".join(words))


def _asked_then(text: str) -> set[NormalizedName]:
    """Names that an .in asked for by itself when the file was written, by uv's "via" comments."""
    names: set[NormalizedName] = set()
    current = canonicalize_name("")
    for line in text.splitlines():
        if match := re.match(r"([\w.-]+)(?:\[.*?\])?==", line):
            current = canonicalize_name(match[1])
        elif re.match(r"\s+# +(via )?-r ", line):
            names.add(current)
    return names


def _dependencies(distribution: str) -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text(encoding="utf-8"))
    for text in project["project"]["dependencies"]:
        requirement = Requirement(text)
        if not requirement.name.startswith("rookify-"):
            yield requirement


def _unmet(
    pins: Pins, asked: Iterator[Requirement] | list[Requirement], pinned: str, source: str
) -> Iterator[str]:
    for requirement in asked:
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(pin, prereleases=True):
            has = f"pins {pin}" if pin else "has none"
            yield f"{source} asks for {requirement}, requirements/{pinned} {has}: run `make requirements`"


def foreign_lines() -> Iterator[str]:
    """Lines of committed files that name a package registry's host or a path of somebody's machine."""
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # not text, or deleted and not committed yet
        for number, line in enumerate(text.splitlines(), 1):
            if match := FOREIGN.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: names {match[0]}, which is not the same elsewhere"


def long_modules() -> Iterator[str]:
    """Modules that are due for a cut. Tests are tables and cases, and may be longer."""
    for path in _tracked("*.py"):
        if "/src/" not in str(path):
            continue
        if path.exists() and (lines := path.read_text(encoding="utf-8").count("\n")) > MAX_LINES:
            yield f"{path.relative_to(ROOT)} has {lines} lines, more than {MAX_LINES}: split it by role"


def broken_scripts() -> Iterator[str]:
    for path in [*_tracked("*.sh"), ROOT / ".ci" / "run"]:
        done = subprocess.run(["bash", "-n", str(path)], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            yield done.stderr.strip()


def _tracked(pattern: str = "*") -> Iterator[Path]:
    """Files that are committed, or would be by `git add`; nothing where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", pattern],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    return (ROOT / name for name in listing.stdout.split("\0") if name)


if __name__ == "__main__":
    sys.exit(main())
