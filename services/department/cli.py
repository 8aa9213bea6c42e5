"""`whistle department`: what an officer of a department does, each act said on the department's own topic."""

# The commands import what they need when they run: `whistle --help` must be quick.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from schemas.response import Response

app = typer.Typer(no_args_is_help=True, help="See what is owed, and respond, as an officer of a department.")

As = Annotated[str, typer.Option("--as", metavar="DEPARTMENT", help="The code of the department you speak for.")]
By = Annotated[str, typer.Option("--by", help="Your post, as the history names it.")]
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, or its first characters.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; the street reads it.")]
Json = Annotated[bool, typer.Option("--json", help="One object a line, or one array.")]


@app.command()
def inbox(
    *,
    department: As,
    everything: Annotated[bool, typer.Option("--all", help="Also what is confirmed or withdrawn.")] = False,
    as_json: Json = False,
) -> None:
    """List what the department owes, the most urgent first."""
    from services.department.desk import show_inbox
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(show_inbox(Settings.load(), department, everything=everything, as_json=as_json))


@app.command()
def watch(
    *,
    department: As,
    start: Annotated[bool, typer.Option("--from-start", help="Begin with the first message there is.")] = False,
    as_json: Json = False,
) -> None:
    """Print the department's stream as it comes, until Ctrl-C."""
    from services.department.desk import show_stream
    from services.runtime.settings import Settings
    from services.runtime.terminal import run

    run(show_stream(Settings.load(), department, from_start=start, as_json=as_json), watching=True)


@app.command()
def acknowledge(
    incident: Which,
    *,
    department: As,
    leader: Annotated[str | None, typer.Option("--leader", help="The responsible leader's post.")] = None,
    section: Annotated[str | None, typer.Option("--section", help="The responsible section.")] = None,
    officer: Annotated[str | None, typer.Option("--officer", help="The responsible officer's post.")] = None,
    by: By = "officer",
) -> None:
    """Take a dispatch on (签收); all three of leader, section and officer, or none, to keep the directory's."""
    from schemas import response
    from services.runtime.terminal import BAD_INPUT, stop

    named = {"leader": leader, "section": section, "officer": officer}
    if any(named.values()) and not all(named.values()):
        stop("Name all three of --leader, --section and --officer, or none of them.", BAD_INPUT)
    owner = named if all(named.values()) else None
    _say(department, incident, response.Acknowledged, {"by": by, "owner": owner})


@app.command()
def decline(incident: Which, *, department: As, reason: Reason, by: By = "officer") -> None:
    """Give a dispatch back (退单)."""
    from schemas import response

    _say(department, incident, response.Declined, {"by": by, "reason": reason})


@app.command()
def arrive(
    incident: Which, *, department: As, note: Annotated[str, typer.Option("--note")] = "", by: By = "officer"
) -> None:
    """Be on the spot (到场)."""
    from schemas import response

    _say(department, incident, response.Arrived, {"by": by, "note": note})


@app.command()
def progress(
    incident: Which,
    *,
    department: As,
    note: Annotated[str, typer.Option("--note", help="What has been done.")],
    step: Annotated[str | None, typer.Option("--step", help="The interim step that is done with it.")] = None,
    by: By = "officer",
) -> None:
    """Tell how the work goes (进展)."""
    from schemas import response

    _say(department, incident, response.Progressed, {"by": by, "note": note, "step": step})


@app.command()
def resolve(
    incident: Which,
    *,
    department: As,
    note: Annotated[str, typer.Option("--note", help="What was done; internal.")],
    answer: Annotated[str, typer.Option("--answer", help="A draft for the public answer.")] = "",
    by: By = "officer",
) -> None:
    """Say that it is put right (办结); a confirmation follows."""
    from schemas import response

    _say(department, incident, response.Resolved, {"by": by, "note": note, "answer": answer})


@app.command()
def extend(
    incident: Which,
    *,
    department: As,
    until: Annotated[str, typer.Option("--until", help="The new deadline; ISO 8601 with offset.")],
    reason: Reason,
    by: By = "officer",
) -> None:
    """Ask for a later deadline (延期), before the one that stands."""
    from schemas import response

    _say(department, incident, response.ExtensionRequested, {"by": by, "until": until, "reason": reason})


@app.command()
def park(
    incident: Which,
    *,
    department: As,
    review_at: Annotated[str, typer.Option("--review-at", help="When it is looked at again; ISO 8601 with offset.")],
    reason: Reason,
    by: By = "officer",
) -> None:
    """Ask to park the matter until a review (挂账)."""
    from schemas import response

    _say(department, incident, response.ParkingRequested, {"by": by, "review_at": review_at, "reason": reason})


@app.command()
def explain(
    incident: Which,
    *,
    department: As,
    text: Annotated[str, typer.Option("--text", help="The written explanation; supervision reads it.")],
    by: By = "officer",
) -> None:
    """Explain in writing what a supervision case asks about (督办说明)."""
    from schemas import response

    _say(department, incident, response.Explained, {"by": by, "explanation": text})


def _say(department: str, incident: str, kind: type[Response], fields: Mapping[str, object]) -> None:
    from pydantic import ValidationError

    from schemas.event import explain
    from services.department.desk import respond
    from services.runtime.settings import Settings
    from services.runtime.terminal import BAD_INPUT, run, stop

    try:
        fact = kind.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        stop(f"{explain(error)}.", BAD_INPUT)
    run(respond(Settings.load(), department, incident, fact))
