"""`whistle migrate`: brings the database to what this version needs."""

from __future__ import annotations

import typer

app = typer.Typer(help="Make or change the tables that this version needs; as often as you like.")


@app.callback(invoke_without_command=True)
def migrate() -> None:
    """Make or change the tables that this version needs; as often as you like."""
    from services.runtime.database import connect  # noqa: PLC0415 - so that `whistle --help` is quick
    from services.runtime.migrations import upgrade  # noqa: PLC0415
    from services.runtime.settings import Settings  # noqa: PLC0415
    from services.runtime.terminal import run  # noqa: PLC0415

    async def work() -> None:
        engine = connect(Settings.load().database, "migrate")
        await upgrade(engine)
        await engine.dispose()

    run(work())
    typer.echo(
        "The database is as this version needs it. After an upgrade, `whistle ledger rebuild` fills what the ledger "
        "keeps since: broken promises, and what rounds of inspection found."
    )
