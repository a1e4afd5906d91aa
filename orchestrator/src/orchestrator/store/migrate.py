"""Brings a database up to date with `supabase/migrations`, as the Supabase CLI would.

Files are `VERSION_name.sql`, applied in the order of their versions, each in a transaction of its own and
recorded in `supabase_migrations.schema_migrations`, the Supabase CLI's table, so that both agree on what is
applied. Any number of runners may start at once: an advisory lock, held by each transaction, lets them take
turns (it works behind a transaction pooler as well).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog
from psycopg.pq import TransactionStatus

from orchestrator.store.conninfo import read_conninfo
from servicekit.errors import ConfigurationError

log = structlog.get_logger()

_LOCK_KEY = 0x726F6F6B696679  # "rookify" in ASCII
_FILE_NAME = re.compile(r"([0-9]{14})_([a-z0-9_]+)\.sql")

# As the Supabase CLI creates it (pkg/migration/history.go).
_CREATE_TABLE = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""
_RECORD_IN_SCRIPT = "insert into supabase_migrations.schema_migrations (version, name) values ('{}', '{}');"
_LOCK = "select pg_advisory_xact_lock(%s)"
_TABLE_EXISTS = "select to_regclass('supabase_migrations.schema_migrations') is not null"
_APPLIED = "select version, statements from supabase_migrations.schema_migrations order by version"
_RECORD = "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)"
_BOOTSTRAPPED = """
select to_regrole('service_role') is not null and to_regrole('authenticated') is not null
   and to_regprocedure('auth.uid()') is not null
"""


class MigrationError(ConfigurationError):
    """The database and the migrations do not go together; nothing of the failed one has been applied."""

    default_reason = "MIGRATION_FAILED"


@dataclass(frozen=True, slots=True)
class Migration:
    version: str  # YYYYMMDDHHMMSS
    name: str
    sql: str

    @property
    def label(self) -> str:
        """The file's name without its ending."""
        return f"{self.version}_{self.name}"


async def migrate(conninfo: str, folder: Path | None = None) -> list[str]:
    """Apply what is pending; the labels applied by this call, in order.

    `folder` is the project's own migrations unless given. The role needs to own the schema `public` or to
    have CREATE on it; on Supabase that is `postgres`.
    """
    migrations = read_migrations(folder or bundled("migrations"))
    applied: list[str] = []
    async with await _connect(conninfo) as connection:
        while (done := await _apply_next(connection, migrations)) is not None:
            log.info("migration applied", migration=done.label)
            applied.append(done.label)
    return applied


async def pending(conninfo: str, folder: Path | None = None) -> list[str]:
    """Labels of what `migrate` would apply, in order. Changes nothing."""
    migrations = read_migrations(folder or bundled("migrations"))
    async with await _connect(conninfo) as connection:
        return [migration.label for migration in _to_apply(migrations, await _read_applied(connection))]


def script(folder: Path | None = None) -> str:
    """All migrations as one transaction of plain SQL, for a tool such as Supabase's SQL editor.

    It records them as the Supabase CLI does, so that later ones are found by whatever tool; for a database
    that has none of them yet.
    """
    parts = ["begin;", _CREATE_TABLE]
    for migration in read_migrations(folder or bundled("migrations")):
        # The values have the form of a file's name (`read_migrations`), and so need no quoting.
        record = _RECORD_IN_SCRIPT.format(migration.version, migration.name)
        parts += [f"-- {migration.label}", migration.sql.rstrip(), record, ""]
    return "\n".join([*parts, "commit;\n"])


async def bootstrap(conninfo: str, folder: Path | None = None) -> None:
    """Give a plain Postgres what a Supabase project has: roles, `auth.uid()`, default privileges.

    Needs a superuser, and does nothing where all of it is there.
    """
    async with await _connect(conninfo) as connection, connection.transaction():
        await connection.execute(_LOCK, (_LOCK_KEY,))
        for path in sorted((folder or bundled("bootstrap")).glob("*.sql")):
            try:
                await connection.execute(path.read_text())
            except psycopg.Error as error:
                raise MigrationError(
                    f"{path.name}: {_said(error)}. Setting up a plain Postgres needs a superuser"
                ) from error


async def require_bootstrapped(conninfo: str) -> None:
    """Raises MigrationError unless the roles and functions are there that the migrations build upon."""
    async with await _connect(conninfo) as connection:
        row = await (await connection.execute(_BOOTSTRAPPED)).fetchone()
    if row is None or not row[0]:
        raise not_bootstrapped()


def not_bootstrapped() -> MigrationError:
    """It has nothing of what `bootstrap` makes."""
    return MigrationError(
        "the database of DATABASE_URL is a plain Postgres, without the roles of a Supabase project: run "
        "`rookify migrate --bootstrap` once, as a superuser",
        reason="NOT_BOOTSTRAPPED",
    )


def bundled(kind: str) -> Path:
    """The project's own `migrations` or `bootstrap`: inside an installed wheel, else in the repository."""
    installed = Path(__file__).parent / kind
    return installed if installed.is_dir() else Path(__file__).parents[4] / "supabase" / kind


def read_migrations(folder: Path) -> list[Migration]:
    """In the order of their versions. A file whose name the Supabase CLI would not take is an error."""
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(
                f"migration {path.name}: the name must be YYYYMMDDHHMMSS_name.sql, the name in lower case"
            )
        version, name = match.groups()
        if version in found:
            raise MigrationError(f"migrations {found[version].label} and {path.stem} have the same version")
        found[version] = Migration(version, name, path.read_text())
    if not found:
        raise MigrationError(f"no migrations in {folder}")
    return list(found.values())


async def _connect(conninfo: str) -> psycopg.AsyncConnection:
    read_conninfo(conninfo)  # libpq's error would quote a password that it cannot read
    try:
        # prepare_threshold: behind a transaction pooler a prepared statement may be another connection's.
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        raise ConfigurationError(
            f"cannot connect to the database: {_said(error)}. Is DATABASE_URL right, and Postgres running?",
            reason="DATABASE_UNREACHABLE",
        ) from error


async def _apply_next(connection: psycopg.AsyncConnection, migrations: list[Migration]) -> Migration | None:
    """The first pending one, or None. The lock is taken first, so that what is read stays true."""
    async with connection.transaction():
        await connection.execute(_LOCK, (_LOCK_KEY,))
        waiting = _to_apply(migrations, await _read_applied(connection))
        if not waiting:
            return None
        migration = waiting[0]
        try:
            await connection.execute(_CREATE_TABLE)
            await connection.execute(migration.sql)
        except psycopg.Error as error:
            raise MigrationError(
                f"migration {migration.label}{_line(migration.sql, error)}: {_said(error)}"
            ) from error
        if connection.info.transaction_status != TransactionStatus.INTRANS:
            raise MigrationError(
                f"migration {migration.label} ends its transaction: leave out BEGIN and COMMIT"
            )
        await connection.execute(_RECORD, (migration.version, migration.name, [migration.sql]))
    return migration


async def _read_applied(connection: psycopg.AsyncConnection) -> dict[str, list[str] | None]:
    """Recorded statements by version; None where a tool recorded none."""
    try:
        row = await (await connection.execute(_TABLE_EXISTS)).fetchone()
        if row is None or not row[0]:
            return {}
        return dict(await (await connection.execute(_APPLIED)).fetchall())
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"cannot see which migrations are applied: {_said(error)} to {connection.info.user}. Connect as "
            "the role that applied the first ones"
        ) from error


def _to_apply(migrations: list[Migration], applied: dict[str, list[str] | None]) -> list[Migration]:
    """Raises where an applied one reads otherwise now; names those that this program does not know.

    Unknown ones are no fault: a newer release may have been here during a rolling upgrade, and a Supabase
    project may have migrations of other applications.
    """
    waiting: list[Migration] = []
    for migration in migrations:
        if migration.version not in applied:
            waiting.append(migration)
            continue
        recorded = applied[migration.version]
        if recorded and _essence("\n".join(recorded)) != _essence(migration.sql):
            raise MigrationError(
                f"migration {migration.label} is not what was applied to this database: an applied migration "
                "must not change. Take the change back and add a new migration, or use a fresh database",
                reason="MIGRATION_CHANGED",
            )
    unknown = sorted(applied.keys() - {migration.version for migration in migrations})
    if unknown and not waiting:  # once, at the end
        log.warning("the database has migrations that this release does not know", versions=unknown)
    return waiting


def _essence(sql: str) -> str:
    """What is left when layout goes: the CLI stores statements one by one, trimmed, without semicolons."""
    return re.sub(r"--[^\n]*|[\s;]+", "", sql)


def _line(sql: str, error: psycopg.Error) -> str:
    """`, line 12`, where Postgres gave a position (in characters, from 1)."""
    position = error.diag.statement_position
    return f", line {sql.count(chr(10), 0, int(position) - 1) + 1}" if position else ""


def _said(error: psycopg.Error) -> str:
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return " ".join(
        filter(None, (message.replace("\n", " "), error.diag.message_detail, error.diag.message_hint))
    )
