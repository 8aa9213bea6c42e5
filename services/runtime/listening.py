"""Taking a port before anything else is begun: who can't be reached must not start."""

from __future__ import annotations

import socket


def listen(host: str, port: int) -> socket.socket:
    """Take the port; raises OSError."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening
