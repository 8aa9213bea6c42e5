"""`python -m services.receipts`: the room's process, with what it shows."""

import sys

from services.configured import run_room
from services.domain.configuration import Configuration
from services.receipts.app import make
from services.receipts.settings import ReceiptsSettings
from services.runtime.listening import listen
from services.runtime.room import Room
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import Settings


def opened(settings: Settings, configuration: Configuration) -> Room:
    """Take the key and the port before anything else: a room that nobody can ask must not begin."""
    own = ReceiptsSettings()
    try:
        key = receipt_key(settings, make=True)
        listening = listen(own.receipts_host, own.receipts_port)
    except NoKeyError as error:
        sys.exit(f"{error}")
    except OSError as error:
        sys.exit(
            f"receipts can't be shown on {own.receipts_host}:{own.receipts_port} ({error.strerror}): end the program "
            "that uses the port, or set WHISTLE_RECEIPTS_PORT to another"
        )
    return make(settings, configuration, key, listening)


run_room("receipts", opened)
