"""`python -m services.receipts`: the room's process, with what it shows."""

import socket
import sys
from functools import cache

from services.configured import run_room
from services.domain.configuration import Configuration
from services.receipts.app import make
from services.receipts.settings import ReceiptsSettings
from services.runtime.listening import listen
from services.runtime.room import Room
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import Settings


@cache
def _listening(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        sys.exit(
            f"receipts can't be shown on {host}:{port} ({error.strerror}): end the program that uses the port, or set "
            "WHISTLE_RECEIPTS_PORT to another"
        )


def opened(settings: Settings, configuration: Configuration) -> Room:
    """Take the key and the port before anything else, the port once: a room that nobody can ask must not begin."""
    own = ReceiptsSettings()
    try:
        key = receipt_key(settings)
    except NoKeyError as error:
        # Under a key of its own, every receipt that was ever given would be an invention.
        sys.exit(f"{error}")
    return make(settings, configuration, key, _listening(own.receipts_host, own.receipts_port))


run_room("receipts", opened)
