"""Does the database have what this release calls? Asked of the database itself, over either transport."""

from __future__ import annotations

import re
from dataclasses import dataclass

import structlog

from orchestrator.store import migrate
from orchestrator.store.functions import FUNCTIONS
from orchestrator.store.rows import DatabaseReport
from orchestrator.store.store import Store
from servicekit.errors import ConfigurationError, Unavailable

log = structlog.get_logger()

_CREATED = re.compile(
    r"^create (?:or replace )?function public\.(\w+)|^create table (?:if not exists )?public\.(\w+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class SchemaFaults:
    """What is wrong; all empty where nothing is. `pending` is None where the database keeps no list."""

    pending: tuple[str, ...] | None  # labels of this release's migrations that it does not list
    missing: tuple[str, ...]  # functions that the service calls and that are not there
    refused: tuple[str, ...]  # those that service_role may not execute
    open: tuple[str, ...]  # functions of this project that anon or authenticated may execute
    unprotected: tuple[str, ...]  # tables of this project without row level security


async def inspect_schema(store: Store) -> SchemaFaults:
    """Raises ConfigurationError where the database is older than the question."""
    return find_faults(*await read_report(store))


async def read_report(store: Store) -> tuple[DatabaseReport, dict[str, str]]:
    """What the database says of what this release's migrations make, and those: version to label."""
    functions, tables = created_by_migrations()
    report = await store.describe_database(functions, tables)
    return report, {migration.version: migration.label for migration in _migrations()}


def find_faults(report: DatabaseReport, known: dict[str, str]) -> SchemaFaults:
    """`known` are this release's migrations: version to label."""
    pending = None
    if report.migrations is not None:
        applied = set(report.migrations)
        pending = tuple(label for version, label in known.items() if version not in applied)
    return SchemaFaults(
        pending=pending,
        missing=tuple(name for name in sorted(FUNCTIONS) if name not in report.functions),
        refused=tuple(
            n for n in sorted(FUNCTIONS) if n in report.functions and not report.functions[n].service_role
        ),
        open=tuple(name for name, rights in sorted(report.functions.items()) if rights.others),
        unprotected=tuple(name for name, protected in sorted(report.tables.items()) if not protected),
    )


async def check_schema(store: Store) -> None:
    """At the start of a service. Raises ConfigurationError where it could not work.

    A database that is away for the moment is no reason not to start. Migrations are judged by what they make,
    not by their versions: a project may have given them its own.
    """
    try:
        faults = await inspect_schema(store)
    except Unavailable as error:
        log.warning("the database could not be checked", error=error.message)
        return
    if faults.missing:
        raise ConfigurationError(
            f"the database lacks {_listed(faults.missing)}: apply the migrations of supabase/migrations by "
            "`rookify migrate` or `supabase db push`",
            reason="MIGRATIONS_MISSING",
        )
    if faults.refused:
        raise ConfigurationError(
            f"service_role may not execute {_listed(faults.refused)}: the migrations grant it",
            reason="NOT_GRANTED",
        )


def created_by_migrations() -> tuple[list[str], list[str]]:
    """Names of the functions and tables that this release's migrations create."""
    found = [match for m in _migrations() for match in _CREATED.findall(m.sql)]
    return sorted({name for name, _ in found if name}), sorted({name for _, name in found if name})


def _migrations() -> list[migrate.Migration]:
    return migrate.read_migrations(migrate.bundled("migrations"))


def _listed(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
