"""What one sees when the house has settled: the ledger, and the figures of the article beside those counted."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

from services.ledger.summary import Summary, summary
from services.ledger.tables import figure, render
from services.local.sample import Article
from services.runtime.settings import Settings
from services.runtime.terminal import width


async def show(settings: Settings, console: Console, article: Article | None, *, as_json: bool) -> None:
    """Print the ledger's tables; as JSON too, on the last line of standard output.

    With JSON the tables go to the console, which is standard error, so that a machine reads nothing else.
    """
    found = await summary(settings)
    out = console if as_json else Console(width=width())
    render(found, out)
    if article:
        out.print(_beside(found, article))
    if as_json:
        sys.stdout.write(json.dumps(found.figures.as_json()) + "\n")
        sys.stdout.flush()


def _beside(found: Summary, article: Article) -> Table:
    table = Table(title="报道与台账 the article beside the ledger", title_justify="left", title_style="bold")
    for heading in ("数字", "figure"):
        table.add_column(heading)
    for heading in ("报道 article", "台账 counted"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in article.figures:
        counted = figure(found, each.name)
        mark = "" if counted == each.value else "[red]"
        said = f"{each.value} (推算 derived)" if each.derived else str(each.value)
        table.add_row(each.zh, each.en, said, f"{mark}{counted}")
    return table
