"""`whistle supervision`: who was told of which broken promise, and what supervision does about it."""

# The commands import what they need when they run: `whistle --help` must be quick.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from schemas.action import Action

app = typer.Typer(
    no_args_is_help=True, help="See who was told of which broken promise, remind, ask to explain, and approve."
)

By = Annotated[str, typer.Option("--by", help="Your post, as the history names it.")]
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, or its first characters.")]
Department = Annotated[str, typer.Option("--department", help="The code of the department it is about.")]
Unit = Annotated[
    str, typer.Option("--unit", help="The code of the department, street or community it is addressed to.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; the unit reads it.")]
Request = Annotated[str, typer.Option("--request", help="extension or parking")]


@app.command("list")
def list_(
    *,
    incident: Annotated[
        str | None, typer.Option("--incident", help="Only this one's: its id, or how it begins.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One array on one line.")] = False,
) -> None:
    """List who was told of which escalation: the newest, and of these what nobody has taken on first."""
    from services.runtime.settings import Settings
    from services.runtime.terminal import run
    from services.supervision.desk import show

    run(show(Settings.load(), incident, limit, as_json=as_json))


@app.command()
def remind(
    incident: Which,
    *,
    department: Annotated[
        str | None,
        typer.Option("--department", help="Whom, also any unit that a case asks; the street, if left out."),
    ] = None,
    note: Annotated[str, typer.Option("--note")] = "",
    copy: Annotated[
        list[str] | None,
        typer.Option("--copy", help="Who gets a copy: a post, as in responsible-leader, or the code of a unit."),
    ] = None,
    by: By = "supervision-office",
) -> None:
    """Remind by hand (催办), with copies (抄送)."""
    from schemas import action

    fields = {"by": by, "department": department, "note": note, "copies": tuple(copy or ())}
    _say(incident, action.Reminded, fields)


@app.command("open")
def open_(incident: Which, *, unit: Unit, reason: Reason, by: By = "supervision-office") -> None:
    """Open a case (督办): the unit owes a written explanation."""
    from schemas import action

    _say(incident, action.CaseOpened, {"by": by, "unit": unit, "reason": reason})


@app.command()
def accept(
    incident: Which,
    *,
    unit: Unit,
    note: Annotated[str, typer.Option("--note")] = "",
    by: By = "supervision-office",
) -> None:
    """Accept a unit's explanation: its case is over (销号)."""
    from schemas import action

    _say(incident, action.CaseAccepted, {"by": by, "unit": unit, "note": note})


@app.command()
def reject(incident: Which, *, unit: Unit, reason: Reason, by: By = "supervision-office") -> None:
    """Don't accept a unit's explanation: it owes another one."""
    from schemas import action

    _say(incident, action.CaseRejected, {"by": by, "unit": unit, "reason": reason})


@app.command()
def name(
    incident: Which,
    *,
    department: Department,
    reason: Annotated[str, typer.Option("--reason", help="Why it is theirs; all who were called read it.")],
    by: By = "supervision-office",
) -> None:
    """Name who leads what all who were called have declined (指定主办); it may not decline."""
    from schemas import action

    _say(incident, action.LeadNamed, {"by": by, "department": department, "reason": reason})


@app.command()
def grant(
    incident: Which, *, department: Department, request: Request = "parking", by: By = "supervision-office"
) -> None:
    """Grant what only supervision may grant."""
    from schemas import action

    _say(incident, action.Granted, {"by": by, "department": department, "request": request})


@app.command()
def deny(
    incident: Which,
    *,
    department: Department,
    reason: Annotated[str, typer.Option("--reason", help="Why; the department reads it.")],
    request: Request = "parking",
    by: By = "supervision-office",
) -> None:
    """Don't grant what only supervision may grant."""
    from schemas import action

    _say(incident, action.Denied, {"by": by, "department": department, "request": request, "reason": reason})


@app.command()
def notify(
    *,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day of the period.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Its last day.")],
    file: Annotated[Path | None, typer.Option("--file", help="The list; from standard input, if left out.")] = None,
    note: Annotated[str, typer.Option("--note")] = "",
    by: By = "supervision-office",
) -> None:
    """Give each unit its list of broken promises (通报), as `whistle ledger broken --json` writes it."""
    from services.runtime.settings import Settings
    from services.runtime.terminal import run
    from services.supervision.breaches import notify as issue

    run(issue(Settings.load(), file, first, last, note, by))


def _say(incident: str, kind: type[Action], fields: Mapping[str, object]) -> None:
    from pydantic import ValidationError

    from schemas.event import explain
    from services.runtime.settings import Settings
    from services.runtime.terminal import BAD_INPUT, run, stop
    from services.supervision.desk import act

    try:
        fact = kind.model_validate(fields)
    except ValidationError as error:
        stop(f"{explain(error)}.", BAD_INPUT)
    run(act(Settings.load(), incident, fact))
