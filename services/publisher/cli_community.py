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
    no_args_is_help=True,
    help="Verify, confirm, rate, inspect again and hear the answers, as an officer of a community.",
)

As = Annotated[str, typer.Option("--as", metavar="COMMUNITY", help="The code of the community you speak for.")]
Which = Annotated[str, typer.Argument(metavar="REPORT", help="The report's whole id, as `whistle publish` printed it.")]
Section = Annotated[str, typer.Option("--department", help="The code of the street's section that did the work.")]
Note = Annotated[str, typer.Option("--note", help="A remark, for the history.")]
Proved = Annotated[
    str | None, typer.Option("--proved", help="Whether the report proved true: true, not-true or unclear.")
]


@app.command()
def verify(
    report: Which,
    *,
    community: As,
    holds: Annotated[bool, typer.Option("--holds/--fails", help="Whether the work holds on the spot.")],
    department: Annotated[str | None, typer.Option("--department", help="Whose work; all of it, if left out.")] = None,
    proved: Proved = None,
    note: Note = "",
) -> None:
    """Say whether what was done holds on the spot (核实)."""
    from schemas.report import Verified

    _say(community, report, Verified, {"holds": holds, "department": department, "proved": proved, "note": note})


@app.command()
def confirm(report: Which, *, community: As, department: Section, proved: Proved = None, note: Note = "") -> None:
    """Confirm the work of a section of the street (确认)."""
    from schemas.report import Confirmed

    _say(community, report, Confirmed, {"department": department, "proved": proved, "note": note})


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
    fault: Annotated[
        str | None, typer.Option("--fault", help="Why not satisfied: handler (it is done again) or other.")
    ] = None,
    note: Note = "",
) -> None:
    """Pass on how the reporter rates the answer (评价): not solved, or badly handled, is done again."""
    from schemas.report import Rated

    _say(community, report, Rated, {"solved": solved, "satisfied": satisfied, "fault": fault, "note": note})


@app.command()
def reply(
    report: Which,
    *,
    community: As,
    text: Annotated[str, typer.Option("--reply", help="What the reporter says, without anybody's name or number.")],
) -> None:
    """Pass on what the reporter replies to the street's question (补充情况)."""
    from schemas.report import Replied

    _say(community, report, Replied, {"reply": text})


@app.command()
def contacted(
    report: Which,
    *,
    community: As,
    channel: Annotated[str, typer.Option("--channel", help="phone, visit, message, letter or online")],
    reached: Annotated[bool, typer.Option("--reached/--not-reached", help="Whether the reporter was reached.")],
    at: Annotated[str | None, typer.Option("--at", help="When: ISO 8601 with offset; now, if left out.")] = None,
) -> None:
    """Say when and how the reporter was contacted (联系群众), or that it was tried."""
    from schemas.report import Contacted

    _say(community, report, Contacted, {"channel": channel, "reached": reached, "contacted_at": at})


@app.command()
def reinspect(
    *,
    community: As,
    level: Annotated[int, typer.Option("--grid-level", help="The level of the grid, 1 to 4.")],
    holds: Annotated[list[str] | None, typer.Option("--holds", help="A report whose matter holds; may repeat.")] = None,
    fails: Annotated[list[str] | None, typer.Option("--fails", help="One that doesn't hold; may repeat.")] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="safety or disputes")] = "safety",
    note: Annotated[str, typer.Option("--note", help="A remark on the round, and on what doesn't hold.")] = "",
) -> None:
    """Record a round that looked again at earlier reports (复查), and print its id: what doesn't hold is done again."""
    from services.publisher.desk import walk
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    again = [{"report": each, "holds": True} for each in holds or ()]
    again += [{"report": each, "holds": False, "note": note[:200]} for each in fails or ()]
    if not again:
        raise typer.BadParameter("name at least one report: --holds or --fails")
    fields = {"purpose": purpose, "grid_level": level, "rechecks": again, "note": note}
    run(walk(Settings.load(), community, fields))


@app.command()
def receipt(report: Which, *, community: As) -> None:
    """Print the receipt (回执) of a report, for its reporter and nobody else: who has it reads the answer."""
    from services.publisher.desk import show_receipt
    from services.runtime.settings import Settings

    show_receipt(Settings.load(), community, report)


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
    """Print the answers (回音) for the community's reporters, and what the community owes itself, from the first."""
    from services.publisher.desk import show_answers
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(show_answers(Settings.load(), community, watch=watch, as_json=as_json), watching=watch)


def _say(community: str, report: str, kind: type[Act], fields: Mapping[str, object]) -> None:
    from services.publisher.desk import act
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(act(Settings.load(), community, report, kind, fields))


if __name__ == "__main__":
    app()
