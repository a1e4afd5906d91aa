"""The contracts' chores: `generate` writes protos/gen; `check` says whether all is as it should be.

A check holds that the committed code is what the contracts generate, and that buf finds nothing to say about
their format, their style, and their compatibility with main. It needs no network: imports come from the
installed googleapis-common-protos package.
"""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GEN = PROTOS / "gen"
SCRIPTS = Path(sysconfig.get_path("scripts"))
# Where pip puts google/api/*.proto and google/type/*.proto; google/protobuf comes with grpcio-tools.
IMPORTS = Path(sysconfig.get_path("purelib"))


def main(arguments: list[str]) -> int:
    match arguments:
        case ["generate"]:
            generate(PROTOS, GEN)
            return 0
        case ["check"]:
            problems = list(check())
            for problem in problems:
                print(problem, file=sys.stderr)
            return 1 if problems else 0
        case _:
            print("usage: python scripts/protos.py generate|check", file=sys.stderr)
            return 2


def generate(source: Path, target: Path) -> None:
    """Write messages, services and their type stubs for every contract under `source` to `target`."""
    _protoc(
        source,
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet,readable_stubs:{target}",
        f"--mypy_grpc_out=quiet:{target}",
    )


def compile_image(source: Path, image: Path) -> None:
    """Write a FileDescriptorSet with comments and imports, which buf reads as an image."""
    _protoc(source, "--include_imports", "--include_source_info", f"--descriptor_set_out={image}")


def check() -> Iterator[str]:
    """One sentence for each thing that is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _stale_code(Path(folder))
    yield from _run("buf format", ["format", "--diff", "--exit-code"], cwd=PROTOS)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.binpb")
        compile_image(PROTOS, image)
        yield from _run("buf lint", ["lint", str(image), "--config", "buf.yaml"], cwd=PROTOS)
        if (main_image := _image_of_main(Path(folder))) is not None:
            arguments = ["breaking", str(image), "--against", str(main_image), "--config", "buf.yaml"]
            yield from _run("buf breaking", arguments, cwd=PROTOS)


def _stale_code(fresh: Path) -> Iterator[str]:
    generate(PROTOS, fresh)
    names = {path.relative_to(root) for root in (fresh, GEN) for path in _generated(root)}
    for name in sorted(names):
        ours, made = GEN / name, fresh / name
        if not (ours.exists() and made.exists() and filecmp.cmp(ours, made, shallow=False)):
            yield f"protos/gen/{name} is not what the contracts generate; run `make proto` and commit it"


def _generated(root: Path) -> Iterable[Path]:
    return (path for path in root.rglob("*") if path.is_file() and path.suffix in {".py", ".pyi"})


def _image_of_main(folder: Path) -> Path | None:
    """The contracts as main last had them: its tip, or on main itself the commit before this one.

    None where there is nothing to compare with: a clone without history, a folder without git.
    """
    head = _git("rev-parse", "HEAD")
    tip = _git("rev-parse", "--verify", "--quiet", "origin/main") or _git(
        "rev-parse", "--verify", "--quiet", "main"
    )
    base = tip if tip != head else _git("rev-parse", "--verify", "--quiet", "HEAD~1")
    names = _git("ls-tree", "-r", "--name-only", base, "protos/rookify") if base else None
    if not names:
        print("buf breaking: no history to compare with, skipped")
        return None
    source = folder / "main"
    for name in names.splitlines():
        old = source / Path(name).relative_to("protos")
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text((_git("show", f"{base}:{name}") or "") + "\n")
    image = folder / "main.binpb"
    compile_image(source, image)
    return image


def _protoc(source: Path, *options: str) -> None:
    files = sorted(str(path.relative_to(source)) for path in (source / "rookify").rglob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{source}", f"-I{IMPORTS}", *options, *files],
        check=True,
        env=os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
    )


def _run(what: str, arguments: list[str], cwd: Path) -> Iterator[str]:
    done = subprocess.run([SCRIPTS / "buf", *arguments], cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        yield f"{what}:\n{done.stdout}{done.stderr}"


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
