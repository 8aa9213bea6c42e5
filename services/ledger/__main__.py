"""`python -m services.ledger`: the ledger's process, with its page."""

import socket
import sys
from functools import cache

from services.configured import run_room
from services.domain.configuration import Configuration
from services.ledger.app import make
from services.ledger.settings import LedgerSettings
from services.runtime.listening import listen
from services.runtime.room import Room
from services.runtime.settings import Settings


@cache
def _listening(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        sys.exit(
            f"the ledger's page can't be served on {host}:{port} ({error.strerror}): "
            "end the program that uses the port, or set WHISTLE_PAGE_PORT to another"
        )


def opened(settings: Settings, configuration: Configuration) -> Room:
    """Take the port before anything else, and once: a ledger nobody can look at must not begin."""
    return make(settings, configuration, _listening(LedgerSettings().page_host, settings.page_port))


run_room("ledger", opened)
