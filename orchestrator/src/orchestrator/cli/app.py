"""The command `rookify`: every subcommand is registered here and lives in a module of its own."""

from __future__ import annotations

import typer

from orchestrator.cli import (
    _errors,
    admin,
    doctor,
    export,
    games,
    gateway,
    jobs,
    migrate,
    sync,
    token,
    up,
    watch,
)
from servicekit import logs

app = typer.Typer(
    name="rookify",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # _errors says it in one line
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Sync chess games from chess.com and lichess, and have Stockfish explain them."""


# One line for each subcommand: app.command("name")(module.function)
app.command("up")(up.up)
app.command("token")(token.token)
app.command("sync")(sync.sync)
app.command("watch")(watch.watch)
app.command("jobs")(jobs.jobs)
app.command("games")(games.games)
app.command("show")(games.show)
app.command("export")(export.export)
app.command("cancel")(jobs.cancel)
app.command("quota")(jobs.quota)
app.add_typer(admin.admin)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.command("gateway-config")(gateway.gateway_config)


def main() -> None:
    logs.configure("rookify", "warning")  # on stderr: what commands print is for programs too
    raise SystemExit(_errors.run(app))


if __name__ == "__main__":
    main()
