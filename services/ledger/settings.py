"""What can be set for the ledger from outside."""

from __future__ import annotations

from pydantic import Field

from services.runtime.settings import Settings


class LedgerSettings(Settings):
    """Where the page is served, and who reads; only this machine sees it unless `page_host` says otherwise.

    A rate of fewer than `small_below` obligations or incidents is marked as small, in every format.
    """

    page_host: str = "127.0.0.1"
    small_below: int = Field(default=10, ge=0)
    reader: str = Field(default="", description="Who reads by commands; the system's user, if left out.")
    reader_header: str = Field(
        default="",
        description=(
            "The header in which a proxy that knows who reads says so, and which it takes from everybody else; "
            "without one every reader of the page is anonymous."
        ),
    )
