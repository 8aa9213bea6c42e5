"""Takes Alertmanager's webhooks and counts the alerts in them, one count for each path.

As a process of its own: `python -m tests.bench.receiver PORT`. `GET /` tells {path: [alerts, when the last came]}, by
the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

from services.local.ports import HOST

LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
ALERT = re.compile(rb'"labels":\{[^{}]*"incident":"([0-9]+)"[^{}]*\},"annotations"')


class Seen:
    """Which alerts came on each path, once each, and when the last of them did."""

    def __init__(self) -> None:
        self._alerts: dict[str, set[bytes]] = {}
        self._last: dict[str, float] = {}

    def note(self, path: str, body: bytes) -> None:
        """Note the alerts of one notification; one that comes again is none."""
        alerts = self._alerts.setdefault(path, set())
        before = len(alerts)
        alerts.update(ALERT.findall(body))
        if len(alerts) > before:
            self._last[path] = time.monotonic()

    def told(self) -> bytes:
        """Return what there is to tell."""
        return json.dumps({path: [len(each), self._last.get(path, 0)] for path, each in self._alerts.items()}).encode()


class Connection(asyncio.Protocol):
    """One connection: as much of HTTP as two programs that know each other need, so that counting costs little."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what has come, and answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            found = LENGTH.search(head)
            whole = end + 4 + (int(found.group(1)) if found else 0)
            if len(self._buffer) < whole:
                return
            body = bytes(self._buffer[end + 4 : whole])
            del self._buffer[:whole]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path = head.split(b" ", 2)[:2]
        told = b""
        if method == b"POST":
            self._seen.note(path.decode(), body)
        else:
            told = self._seen.told()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))


async def run(port: int) -> None:
    """Go on until killed."""
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(seen), HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
