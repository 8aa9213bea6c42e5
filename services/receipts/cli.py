"""`whistle answer`: what a reporter was told, for whoever has the receipt."""

# The commands import what they need when they run: `whistle --help` must be quick.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Read the answer to a report, with the receipt its reporter was given.")


@app.callback()
def answer() -> None:
    """Read the answer to a report, with the receipt its reporter was given."""


@app.command()
def show(
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT", help="As it was printed when the report was raised.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One array on one line.")] = False,
) -> None:
    """Print everything the reporter was told (回音): interim answers, questions, the answer."""
    from services.receipts.desk import show as show_receipt
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(show_receipt(Settings.load(), receipt, as_json=as_json))


@app.command()
def readings(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="The report's whole id.")],
    *,
    community: Annotated[str, typer.Option("--as", metavar="COMMUNITY", help="The community that raised it.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the last ones.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One array on one line.")] = False,
) -> None:
    """Print when somebody read the answer to a report with its receipt, and by which way."""
    from services.receipts.desk import show_readings
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(show_readings(Settings.load(), report, community, limit, as_json=as_json))


if __name__ == "__main__":
    app()
