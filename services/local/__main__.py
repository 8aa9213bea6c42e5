"""`make run`: the whole house on this machine, and the sample year played in it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.local.errors import LocalError
from services.local.house import install, servers
from services.local.rooms import Rooms
from services.local.settle import Settling
from services.local.show import show
from services.local.story import Story
from services.monitor.client import BrokerView
from services.runtime import log
from services.runtime.settings import HOME, Settings


def main(
    *,
    once: Annotated[bool, typer.Option("--once", help="End with status 0 when the ledger has settled.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the ledger as one JSON object on the last line of standard output.")
    ] = False,
    sample: Annotated[
        bool, typer.Option("--sample", help="Play the sample year on servers of your own too, and bend their clock.")
    ] = False,
    script: Annotated[Path | None, typer.Option(help="Another script of who answers what, as JSON lines.")] = None,
) -> None:
    """Start Kafka, PostgreSQL and every room; play the Dongsheng sample; print the ledger; go on until Ctrl-C.

    WHISTLE_KAFKA__BOOTSTRAP_SERVERS and WHISTLE_DATABASE__URL name servers of your own: then none is started, no
    sample is sent and no clock is bent unless --sample is given.
    """
    log.configure("local", "WARNING")
    # The client library tells every try; what counts is told in one sentence.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_run(once=once, as_json=as_json, sample=sample, script=script))
    except LocalError as error:
        sys.exit(str(error))
    except asyncio.CancelledError:
        # Ctrl-C has stopped everything in order by now.
        sys.exit(0)


async def _run(*, once: bool, as_json: bool, sample: bool, script: Path | None) -> None:
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else sys.exit)
    console = Console(stderr=True)
    async with AsyncExitStack() as stack:
        console.print("Starting Kafka and PostgreSQL (the first time also fetches them) …")
        found = await stack.enter_async_context(servers(HOME))
        os.environ.update(found.environment)
        settings = Settings.load()
        engine = await install(settings)
        stack.push_async_callback(engine.dispose)
        story = Story(settings, engine, console, script) if sample or not found.own else None
        if story:
            await story.prepare()
        rooms = await stack.enter_async_context(Rooms(settings.home, found.environment))
        if story or once or as_json:
            view = await stack.enter_async_context(BrokerView(settings.kafka))
            settling = Settling(view, engine, rooms.check)
            if story:
                await story.tell(settling)
            await settling.complete()
            await show(settings, console, story.article if story else None, as_json=as_json)
        if once:
            return
        if story:
            await story.go_on()
        console.print(
            f"\nThe house is open. The ledger's page: http://127.0.0.1:{settings.page_port} · "
            f"metrics: http://127.0.0.1:{settings.metrics_port}/metrics · logs: {settings.home}/logs\n"
            "Try in another terminal: .venv/bin/whistle ledger · .venv/bin/whistle lag · "
            ".venv/bin/whistle street inbox --as dongsheng\n"
            "Ctrl-C stops it."
        )
        await rooms.failed()


if __name__ == "__main__":
    typer.run(main)
