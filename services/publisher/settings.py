"""What can be set for this room alone, by `WHISTLE_PUBLISHER__…`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.settings import HOUSE_FILE, Settings


class PublisherSettings(BaseSettings):
    """The intake's address, how much disk the spool leaves alone, and how patient the publisher is with Kafka."""

    model_config = SettingsConfigDict(
        env_prefix="WHISTLE_PUBLISHER__", env_file=HOUSE_FILE, extra="ignore", frozen=True
    )

    host: str = Field(default="127.0.0.1", description="Nobody is asked who they are: only this machine may speak.")
    port: int = Field(default=8081, ge=1, le=65535)
    keep_free_mb: int = Field(default=64, ge=0, description="What the spool leaves free on its disk.")
    reach_s: float = Field(default=10.0, gt=0, description="How long connecting to Kafka may take.")
    topic_s: float = Field(default=3.0, gt=0, description="How long a topic that isn't there is waited for.")
    acknowledge_s: float = Field(default=20.0, gt=0, description="How long Kafka has to acknowledge what is in flight.")


def spool_folder(settings: Settings) -> Path:
    """Where reports wait for Kafka: every publisher of a house shares it."""
    return settings.spool or settings.home / "spool"
