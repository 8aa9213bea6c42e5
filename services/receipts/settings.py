"""What can be set for the receipts from outside."""

from __future__ import annotations

from pydantic import Field

from services.runtime.settings import Settings


class ReceiptsSettings(Settings):
    """Where receipts are shown; what citizens reach is a proxy in front of it, with TLS and a limit on tries."""

    receipts_host: str = "127.0.0.1"
    receipts_port: int = Field(default=8082, ge=1, le=65535)
    reader: str = Field(default="", description="Who reads by commands; the system's user, if left out.")
