"""`whistle street`: what an officer of the street does, each act said on the street's own topic."""

# The commands import what they need when they run: `whistle --help` must be quick.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from schemas.decision import Decision

app = typer.Typer(no_args_is_help=True, help="Decide, call, confirm and answer, as an officer of the street.")

As = Annotated[str, typer.Option("--as", metavar="STREET", help="The code of the street you speak for.")]
By = Annotated[str, typer.Option("--by", help="Your post, as the history names it.")]
Which = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, or its first characters.")]
Department = Annotated[str, typer.Option("--department", help="The code of the department it is about.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; whoever it concerns reads it.")]
Note = Annotated[str, typer.Option("--note", help="A remark, for the history.")]
Proved = Annotated[
    str | None, typer.Option("--proved", help="Whether the report proved true: true, not-true or unclear.")
]
Internal = Annotated[str, typer.Option("--note", help="Internal: the reporter never reads it.")]
Json = Annotated[bool, typer.Option("--json", help="One array on one line.")]


@app.command()
def inbox(*, street: As, as_json: Json = False) -> None:
    """List what the street owes, the most urgent first: reports to decide, work to confirm, answers to give."""
    from services.runtime.settings import Settings
    from services.runtime.terminal import run
    from services.street.desk import show_inbox

    run(show_inbox(Settings.load(), street, as_json=as_json))


@app.command()
def notices(
    *, street: As, limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50, as_json: Json = False
) -> None:
    """List the notices of broken promises that the street was given (通报), the newest first."""
    from services.runtime.settings import Settings
    from services.runtime.terminal import run
    from services.street.desk import show_notices

    run(show_notices(Settings.load(), street, limit, as_json=as_json))


@app.command()
def call(
    incident: Which,
    *,
    street: As,
    department: Annotated[
        list[str] | None, typer.Option("--department", help="Whom to call, the lead first; else whom the rules name.")
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help="general, enforcement or emergency")] = "general",
    resolve_by: Annotated[
        str | None,
        typer.Option("--resolve-by", metavar="INSTANT", help="A term of their own, as in 2021-03-01T17:00:00+08:00."),
    ] = None,
    note: Note = "",
    by: By = "officer",
) -> None:
    """Blow the whistle: call departments (呼叫), or call more of them to help."""
    from schemas import decision

    fields: dict[str, object] = {"by": by, "kind": kind, "departments": tuple(department or ()), "note": note}
    if resolve_by:
        fields["resolve_by"] = resolve_by
    _say(street, incident, decision.Called, fields)


@app.command()
def solve(
    incident: Which,
    *,
    street: As,
    section: Annotated[list[str], typer.Option("--section", help="The street's own section that does the work.")],
    note: Note = "",
    by: By = "officer",
) -> None:
    """Set the street's own sections to work; no whistle is needed."""
    from schemas import decision

    _say(street, incident, decision.Called, {"by": by, "departments": tuple(section), "note": note}, own=True)


@app.command()
def reclassify(
    incident: Which,
    *,
    street: As,
    reason: Reason,
    category: Annotated[str | None, typer.Option("--category", help="What it is about.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="demand, suggestion, hazard, dispute, instability")] = None,
    severity: Annotated[str | None, typer.Option("--severity", help="low, normal, high or critical")] = None,
    by: By = "officer",
) -> None:
    """Correct what a matter was reported as; no deadline moves."""
    from schemas import decision

    fields = {"by": by, "reason": reason, "category": category, "kind": kind, "severity": severity}
    _say(street, incident, decision.Reclassified, fields)


@app.command()
def attach(
    incident: Which,
    *,
    street: As,
    to: Annotated[str, typer.Option("--to", metavar="INCIDENT", help="The incident that it repeats.")],
    by: By = "officer",
) -> None:
    """Attach a report to the incident it repeats: it is answered with that one."""
    from services.runtime.settings import Settings
    from services.runtime.terminal import run
    from services.street.desk import attach as attach_to

    run(attach_to(Settings.load(), street, incident, to, by))


@app.command()
def refuse(
    incident: Which, *, street: As, reason: Reason, proved: Proved = None, note: Internal = "", by: By = "officer"
) -> None:
    """Don't take a matter on; the reporter is answered with the reason."""
    from schemas import decision

    _say(street, incident, decision.Refused, {"by": by, "reason": reason, "proved": proved, "note": note})


@app.command()
def insist(incident: Which, *, street: As, department: Department, reason: Reason, by: By = "officer") -> None:
    """Don't accept a department's refusal (责成): a new round begins."""
    from schemas import decision

    _say(street, incident, decision.Insisted, {"by": by, "department": department, "reason": reason})


@app.command()
def confirm(
    incident: Which,
    *,
    street: As,
    department: Annotated[str | None, typer.Option("--department", help="Only this one's work; else all.")] = None,
    proved: Proved = None,
    note: Note = "",
    by: By = "officer",
) -> None:
    """Confirm what departments have resolved (确认); against what was found on the spot, with a note that says why."""
    from schemas import decision

    fields = {"by": by, "department": department, "proved": proved, "note": note}
    _say(street, incident, decision.Confirmed, fields)


@app.command("send-back")
def send_back(incident: Which, *, street: As, department: Department, reason: Reason, by: By = "officer") -> None:
    """Send a department's work back (返工): a new round begins."""
    from schemas import decision

    _say(street, incident, decision.SentBack, {"by": by, "department": department, "reason": reason})


@app.command()
def withdraw(incident: Which, *, street: As, department: Department, reason: Reason, by: By = "officer") -> None:
    """Take a department's obligation back."""
    from schemas import decision

    _say(street, incident, decision.Withdrawn, {"by": by, "department": department, "reason": reason})


@app.command()
def grant(
    incident: Which,
    *,
    street: As,
    department: Department,
    request: Annotated[str, typer.Option("--request", help="extension or parking")] = "extension",
    note: Note = "",
    by: By = "officer",
) -> None:
    """Grant what a department asked for."""
    from schemas import decision

    fields = {"by": by, "department": department, "request": request, "note": note}
    _say(street, incident, decision.Granted, fields)


@app.command()
def deny(
    incident: Which,
    *,
    street: As,
    department: Department,
    reason: Reason,
    request: Annotated[str, typer.Option("--request", help="extension or parking")] = "extension",
    by: By = "officer",
) -> None:
    """Don't grant what a department asked for."""
    from schemas import decision

    fields = {"by": by, "department": department, "request": request, "reason": reason}
    _say(street, incident, decision.Denied, fields)


@app.command()
def answer(
    incident: Which,
    *,
    street: As,
    text: Annotated[str, typer.Option("--answer", help="The public answer, as the reporter reads it.")],
    proved: Proved = None,
    note: Internal = "",
    by: By = "officer",
) -> None:
    """Give the public answer (答复); everyone who reported it gets it."""
    from schemas import decision

    _say(street, incident, decision.Answered, {"by": by, "answer": text, "proved": proved, "note": note})


@app.command()
def interim(
    incident: Which,
    *,
    street: As,
    text: Annotated[str, typer.Option("--answer", help="How far it is, as the reporter reads it.")],
    by: By = "officer",
) -> None:
    """Tell the reporters how far it is (阶段性答复); no deadline moves."""
    from schemas import decision

    _say(street, incident, decision.InterimAnswered, {"by": by, "answer": text})


@app.command()
def ask(
    incident: Which,
    *,
    street: As,
    question: Annotated[str, typer.Option("--question", help="What the reporter is asked.")],
    report: Annotated[
        str | None, typer.Option("--report", help="The report of whom to ask; the incident's own, if left out.")
    ] = None,
    by: By = "officer",
) -> None:
    """Ask the reporter for more (补充情况); no deadline of anybody's moves."""
    from schemas import decision

    _say(street, incident, decision.Asked, {"by": by, "question": question, "report": report})


@app.command()
def contacted(
    incident: Which,
    *,
    street: As,
    channel: Annotated[str, typer.Option("--channel", help="phone, visit, message, letter or online")],
    reached: Annotated[bool, typer.Option("--reached/--not-reached", help="Whether the citizen was reached.")],
    at: Annotated[str | None, typer.Option("--at", help="When: ISO 8601 with offset; now, if left out.")] = None,
    by: By = "officer",
) -> None:
    """Say when and how the citizen was contacted (联系群众), or that it was tried."""
    from schemas import decision

    fields = {"by": by, "channel": channel, "reached": reached, "contacted_at": at}
    _say(street, incident, decision.Contacted, fields)


@app.command()
def explain(
    incident: Which,
    *,
    street: As,
    text: Annotated[str, typer.Option("--text", help="The written explanation; supervision reads it.")],
    by: By = "officer",
) -> None:
    """Explain in writing what a supervision case asks the street about (督办说明)."""
    from schemas import decision

    _say(street, incident, decision.Explained, {"by": by, "explanation": text})


def _say(street: str, incident: str, kind: type[Decision], fields: Mapping[str, object], *, own: bool = False) -> None:
    from services.runtime.settings import Settings
    from services.runtime.terminal import run
    from services.street.desk import decide

    run(decide(Settings.load(), street, incident, kind, fields, own=own))


if __name__ == "__main__":
    app()
