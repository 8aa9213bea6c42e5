"""What only the monitor needs to know."""

from services.runtime.settings import Settings


class MonitorSettings(Settings):
    """The house's settings, and the address to listen on: this machine only, unless a container must be reached."""

    metrics_host: str = "127.0.0.1"
