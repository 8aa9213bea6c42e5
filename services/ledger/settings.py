"""What can be set for the ledger from outside."""

from __future__ import annotations

from services.runtime.settings import Settings


class LedgerSettings(Settings):
    """Where the page is served; only this machine sees it unless `page_host` says otherwise."""

    page_host: str = "127.0.0.1"
