"""`whistle publish`: says what a community has found, from flags or from a file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def publish(  # noqa: PLR0913, PLR0917 - one flag for each field
    community: Annotated[str | None, typer.Option(help="Whose it is; a line's own community goes before it.")] = None,
    file: Annotated[
        str | None,
        typer.Option(help="Reports and inspections, one a line: a .jsonl or .csv file, or - for standard input."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="demand, suggestion, hazard, dispute or instability")] = None,
    category: Annotated[str | None, typer.Option(help="What it is about, such as water-supply")] = None,
    severity: Annotated[str | None, typer.Option(help="low, normal, high or critical")] = None,
    description: Annotated[str | None, typer.Option(help="What was found, in words; nobody's name or number")] = None,
    address: Annotated[str | None, typer.Option(help="Where it is")] = None,
    estate: Annotated[str | None, typer.Option(help="In which estate it is")] = None,
    latitude: Annotated[float | None, typer.Option(help="WGS 84 degrees")] = None,
    longitude: Annotated[float | None, typer.Option(help="WGS 84 degrees")] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="courtyard-meeting, tea-talk, office-hours, visit, inspection, hotline or online"),
    ] = None,
    grid_level: Annotated[int | None, typer.Option(help="1 to 4; a round of inspection needs it")] = None,
    happened_at: Annotated[str | None, typer.Option(help="ISO 8601 with offset; now, if left out")] = None,
    reporter: Annotated[str | None, typer.Option(help="A reference, never a name or number")] = None,
    link: Annotated[list[str] | None, typer.Option(help="rel=href, such as picture=https://…; may be repeated")] = None,
    purpose: Annotated[
        str | None, typer.Option(help="Of a round of inspection, with --grid-level: safety or disputes")
    ] = None,
    inspected_at: Annotated[str | None, typer.Option(help="ISO 8601 with offset; now, if left out")] = None,
    found: Annotated[list[str] | None, typer.Option(help="A report the round gave rise to; may be repeated")] = None,
    note: Annotated[str | None, typer.Option(help="A remark on the round")] = None,
    id: Annotated[str | None, typer.Option(help="A UUID; derived from the content, if left out")] = None,  # noqa: A002 - the flag's name
    receipts: Annotated[
        Path | None, typer.Option(help="With --file: a new file for each report's id and receipt, as CSV.")
    ] = None,
    flush: Annotated[bool, typer.Option("--flush", help="Send what waits in the spool, and nothing else.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say what a community has found: one report or inspection by flags, or a file of them.

    Sending twice is safe: an id, given or derived from the content, makes it the same report. While Kafka is away,
    everything is kept on disk and sent later. The exit status is 1 if any line was refused.

    A CSV file begins with a header naming any of: id, community, kind, category, severity, description, address,
    estate, latitude, longitude, channel, grid_level, happened_at, reporter, links, purpose, inspected_at, found,
    rechecks, note, at. Links are written rel=href, and rechecks id=holds or id=fails, with spaces between them. A line
    with a purpose is a round of inspection.
    """
    # Here, so that `whistle --help` needn't import a Kafka client.
    from services.publisher import commands  # noqa: PLC0415

    fields = {
        "kind": kind, "category": category, "severity": severity, "description": description,
        "address": address, "estate": estate, "latitude": latitude, "longitude": longitude, "channel": channel,
        "grid_level": grid_level, "happened_at": happened_at, "reporter": reporter, "links": link,
        "purpose": purpose, "inspected_at": inspected_at, "found": found, "note": note, "id": id,
    }  # fmt: skip
    given = {name: value for name, value in fields.items() if value not in (None, [])}
    if (file is not None) + flush + bool(given) != 1:
        raise typer.BadParameter("give one of these: the flags of one report (--kind and so on), --file, or --flush")
    if receipts is not None and file is None:
        raise typer.BadParameter("--receipts goes with --file: the receipt of a single report is printed")
    # The client library writes several lines for each try to connect; one sentence of ours says the same.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if flush:
        status = commands.flush(json=json)
    elif file is not None:
        path = None if file == "-" else Path(file)
        status = commands.publish_file(path, community, json=json, receipts=receipts)
    else:
        status = commands.publish_one(given, community, json=json)
    sys.exit(status)


if __name__ == "__main__":
    app()
