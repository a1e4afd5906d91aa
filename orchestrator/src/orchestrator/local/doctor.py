"""Looks at everything that a sync needs, and says of each what is wrong and what to do: `rookify doctor`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec

from orchestrator.analyzers import discovery, inquiry
from orchestrator.local import access, stack
from orchestrator.local.postgres import running_conninfo
from orchestrator.settings import Settings
from orchestrator.store.choice import Choice, choose, describe
from orchestrator.store.functions import FUNCTIONS
from orchestrator.store.schema import SchemaFaults, find_faults, read_report
from servicekit.errors import RookifyError, Unavailable
from servicekit.tls import ClientSecurity

_ENGINE_SECONDS = 30.0  # a cold disk and a busy machine: the analyzer itself waits for 20


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"  # nothing is wrong with it, but it could not be looked at
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was found, and the fix where that is no good."""

    subject: str
    verdict: Verdict
    found: str
    fix: str = ""
    running: bool = False  # it is a process of the system that runs: the others should, too

    def __str__(self) -> str:
        return f"{self.verdict:4}  {self.subject:12}  {self.found}{f'; {self.fix}' if self.fix else ''}"


async def examine(settings: Settings) -> AsyncIterator[Check]:
    """Each check as soon as it is made. Raises nothing that is wrong with the system."""
    async for check in _database(settings):
        yield check
    yield await _stockfish(settings)
    async for check in _analyzers(settings):
        yield check


async def _database(settings: Settings) -> AsyncIterator[Check]:
    try:
        chosen = choose(settings)
        yield Check("database", Verdict.OK, describe(settings))
    except RookifyError as error:
        yield Check("database", Verdict.FAIL, error.message)
        return
    if chosen is Choice.EMBEDDED and running_conninfo(settings.data.expanduser()) is None:
        yield _folder(settings)
        return
    began = time.monotonic()
    try:
        async with access.opened_store(settings) as store:
            report, known = await read_report(store)
    except RookifyError as error:
        if error.reason == "NOT_RUNNING":  # of a server that was killed the socket is left
            yield _folder(settings)
            return
        cause = f" ({error.__cause__})" if isinstance(error, Unavailable) and error.__cause__ else ""
        fix = "is it up, and can this machine reach it?" if cause else ""
        yield Check("reachable", Verdict.FAIL, error.message + cause, fix)
        return
    took = (time.monotonic() - began) * 1000
    found = f"Postgres {report.server_version}, asked in {took:.0f} ms"
    yield Check("reachable", Verdict.OK, found, running=chosen is Choice.EMBEDDED)
    faults = find_faults(report, known)
    yield _migrations(faults, len(known))
    yield _grants(faults)


def _folder(settings: Settings) -> Check:
    """Of an embedded database that does not run now: whether it could."""
    data_dir = settings.data.expanduser().absolute()
    if data_dir.exists() and not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        fix = "let this user write there, or name another folder by --data or ROOKIFY_DATA"
        return Check("reachable", Verdict.FAIL, f"{data_dir} is closed to this user", fix)
    return Check(
        "reachable", Verdict.NOTE, "it does not run: `rookify up` starts it and brings it up to date"
    )


def _migrations(faults: SchemaFaults, known: int) -> Check:
    fix = "apply them: `rookify migrate`, or `supabase db push`"
    if faults.missing:
        return Check("migrations", Verdict.FAIL, f"there is no {_listed(faults.missing)}", fix)
    if faults.pending is None:
        return Check(
            "migrations", Verdict.OK, "no tool keeps a list of them, but all that they make is there"
        )
    if faults.pending:
        # All that is called is there, but what a trigger does nobody calls.
        return Check("migrations", Verdict.FAIL, f"not applied: {_listed(faults.pending)}", fix)
    return Check("migrations", Verdict.OK, f"all {known} are applied")


def _grants(faults: SchemaFaults) -> Check:
    found = []
    if faults.refused:
        found.append(f"service_role may not execute {_listed(faults.refused)}")
    if faults.open:
        found.append(f"anon or authenticated may execute {_listed(faults.open)}")
    if faults.unprotected:
        found.append(f"no row level security on {_listed(faults.unprotected)}")
    if found:
        fix = "the migrations set it: see …_access.sql, and what was changed after them"
        return Check("grants", Verdict.FAIL, "; ".join(found), fix)
    granted = len(FUNCTIONS) - len(faults.missing)
    return Check(
        "grants",
        Verdict.OK,
        f"service_role may execute all {granted} functions that it needs, anon and authenticated none",
    )


async def _stockfish(settings: Settings) -> Check:
    """By the analyzer itself, where it is installed: it is the one that has to find and run it."""
    if find_spec("analyzer") is None:
        return Check("stockfish", Verdict.NOTE, "the analyzer is not installed here; each brings its engine")
    process = await asyncio.create_subprocess_exec(
        *stack.python("analyzer"),
        "--engine",
        env=stack.analyzer_env(os.environ, settings, "127.0.0.1:0", None),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_ENGINE_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Check("stockfish", Verdict.FAIL, "it does not answer", "try another by ROOKIFY_STOCKFISH")
    if process.returncode == 0:
        return Check("stockfish", Verdict.OK, out.decode().strip())
    said = err.decode().strip().splitlines()
    return Check(
        "stockfish", Verdict.FAIL, said[-1].partition(": ")[2] if said else "the analyzer said nothing"
    )


async def _analyzers(settings: Settings) -> AsyncIterator[Check]:
    try:
        security = settings.analyzer_security()
        targets = discovery.parse_targets(settings.analyzers)
    except RookifyError as error:
        yield Check("analyzers", Verdict.FAIL, error.message)
        return
    for target in targets:
        addresses = await discovery.resolve([target])
        if not addresses:
            yield Check("analyzers", Verdict.FAIL, f"no address is behind {target[0]}", "is the name right?")
        for address, host in sorted(addresses.items()):
            yield await _analyzer(settings, security, address, host)


async def _analyzer(settings: Settings, security: ClientSecurity, address: str, host: str) -> Check:
    try:
        info = await inquiry.ask(security, address, host)
    except Unavailable as error:
        if "analyzers" in settings.model_fields_set:
            found = f"{address} does not answer: {error.message}"
            return Check("analyzers", Verdict.FAIL, found, "does it run, and is ROOKIFY_ANALYZERS right?")
        found = f"none at {address}, where they are by default: `rookify up` brings its own"
        return Check("analyzers", Verdict.NOTE, found)
    except RookifyError as error:
        return Check("analyzers", Verdict.FAIL, error.message)
    workers = f"{info.workers} worker{'s' if info.workers != 1 else ''}"
    found = f"{address}: {info.engine}, {workers}, version {info.version or '?'}"
    return Check("analyzers", Verdict.OK, found, running=True)


def _listed(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
