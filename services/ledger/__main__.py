"""`python -m services.ledger`: the ledger's process, with its page."""

import sys

from services.configured import run_room
from services.domain.configuration import Configuration
from services.ledger.app import make
from services.ledger.settings import LedgerSettings
from services.runtime.listening import listen
from services.runtime.room import Room
from services.runtime.settings import Settings


def opened(settings: Settings, configuration: Configuration) -> Room:
    """Take the port before anything else: a ledger nobody can look at must not begin."""
    host, port = LedgerSettings().page_host, settings.page_port
    try:
        listening = listen(host, port)
    except OSError as error:
        sys.exit(
            f"the ledger's page can't be served on {host}:{port} ({error.strerror}): "
            "end the program that uses the port, or set WHISTLE_PAGE_PORT to another"
        )
    return make(settings, configuration, listening)


run_room("ledger", opened)
