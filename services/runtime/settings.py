"""What can be set from outside: variables `WHISTLE_…`, then the file a local house writes, then defaults."""

from __future__ import annotations

import os
from pathlib import Path
from socket import gethostname

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

HOME = Path(os.environ.get("WHISTLE_HOME", ".whistle"))
HOUSE_FILE = HOME / "house.env"
"""Where a house started by `make run` writes how to reach it, so that `whistle` in another terminal finds it."""


class KafkaSettings(BaseModel):
    """How to reach Kafka, and how topics are cut.

    `partitions` (P) is every co-partitioned topic's count; `shards` (S) is fixed at installation, and P divides S.
    `replication_factor` is the topics' own: where it is above 1, a deadline fires a little later, since a record may
    have reached the broker in time and not be seen before its replicas have it.
    """

    bootstrap_servers: str = "127.0.0.1:9092"
    partitions: int = Field(default=4, ge=1)
    shards: int = Field(default=64, ge=1)
    replication_factor: int = Field(default=1, ge=1)


class DatabaseSettings(BaseModel):
    """How to reach PostgreSQL; the URL may hold a password, so it is never shown."""

    url: SecretStr = SecretStr("postgresql+asyncpg://postgres@127.0.0.1:5432/whistle")


class Settings(BaseSettings):
    """Everything a room or a command needs to know about where it runs."""

    model_config = SettingsConfigDict(
        env_prefix="WHISTLE_",
        env_nested_delimiter="__",
        env_file=HOUSE_FILE,
        extra="ignore",
        frozen=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    config: Path = Path("deploy/config")
    home: Path = HOME
    spool: Path | None = None
    receipt_key: SecretStr | None = None
    receipt_key_file: Path | None = None
    instance: str = Field(
        default_factory=gethostname,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Unique per replica of a room: two with the same would steal each other's partitions.",
    )
    page_port: int = 8080
    metrics_port: int = 9308
    log_level: str = "INFO"

    @classmethod
    def load(cls) -> Settings:
        """Read the settings as they are now."""
        return cls()
