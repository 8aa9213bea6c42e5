"""`whistle community`: what a community says after its report, and the answers it passes on to its reporters."""

# The commands import what they need when they run: `whistle --help` must be quick.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.publisher.desk import Act

app = typer.Typer(
    no_args_is_help=True, help="Verify, confirm, rate and hear the answers, as an officer of a community."
)

As = Annotated[str, typer.Option("--as", metavar="COMMUNITY", help="The code of the community you speak for.")]
Which = Annotated[str, typer.Argument(metavar="REPORT", help="The report's whole id, as `whistle publish` printed it.")]
Section = Annotated[str, typer.Option("--department", help="The code of the street's section that did the work.")]
Note = Annotated[str, typer.Option("--note", help="A remark, for the history.")]


@app.command()
def verify(
    report: Which,
    *,
    community: As,
    holds: Annotated[bool, typer.Option("--holds/--fails", help="Whether the work holds on the spot.")],
    department: Annotated[str | None, typer.Option("--department", help="Whose work; all of it, if left out.")] = None,
    note: Note = "",
) -> None:
    """Say whether what was done holds on the spot (核实)."""
    from schemas.report import Verified

    _say(community, report, Verified, {"holds": holds, "department": department, "note": note})


@app.command()
def confirm(report: Which, *, community: As, department: Section, note: Note = "") -> None:
    """Confirm the work of a section of the street (确认)."""
    from schemas.report import Confirmed

    _say(community, report, Confirmed, {"department": department, "note": note})


@app.command("send-back")
def send_back(
    report: Which,
    *,
    community: As,
    department: Section,
    reason: Annotated[str, typer.Option("--reason", help="Why; the section reads it.")],
) -> None:
    """Send the work of a section of the street back (返工): a new round begins."""
    from schemas.report import SentBack

    _say(community, report, SentBack, {"department": department, "reason": reason})


@app.command()
def rate(
    report: Which,
    *,
    community: As,
    solved: Annotated[bool, typer.Option("--solved/--not-solved", help="Whether the matter is solved.")],
    satisfied: Annotated[bool, typer.Option("--satisfied/--not-satisfied", help="Whether the reporter is satisfied.")],
    note: Note = "",
) -> None:
    """Pass on how the reporter rates the answer (评价)."""
    from schemas.report import Rated

    _say(community, report, Rated, {"solved": solved, "satisfied": satisfied, "note": note})


@app.command()
def explain(
    report: Which,
    *,
    community: As,
    text: Annotated[str, typer.Option("--text", help="The written explanation; supervision reads it.")],
) -> None:
    """Explain in writing what a supervision case asks the community about (督办说明)."""
    from schemas.report import Explained

    _say(community, report, Explained, {"explanation": text})


@app.command()
def answers(
    *,
    community: As,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with each answer as it comes, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One event a line.")] = False,
) -> None:
    """Print the answers (回音) that the community's reporters are given, from the first."""
    from services.publisher.desk import show_answers
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(show_answers(Settings.load(), community, watch=watch, as_json=as_json))


def _say(community: str, report: str, kind: type[Act], fields: Mapping[str, object]) -> None:
    from services.publisher.desk import act
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(act(Settings.load(), community, report, kind, fields))


if __name__ == "__main__":
    app()
