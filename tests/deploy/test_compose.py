"""The compose file, as far as it can be checked where no container engine is at hand."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.monitor.settings import MonitorSettings
from services.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
PATH = ROOT / "deploy" / "compose.yaml"
SERVERS = {"kafka", "postgres"}
ONE_SHOT = {"install"}
Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    """The services by name, with all that they share filled in."""
    found: dict[str, Service] = yaml.safe_load(PATH.read_text(encoding="utf-8"))["services"]
    return found


@pytest.fixture(scope="module")
def rooms(services: dict[str, Service]) -> dict[str, Service]:
    """The services that are rooms."""
    return {name: each for name, each in services.items() if name not in SERVERS | ONE_SHOT}


def test_every_room_has_a_container(rooms: dict[str, Service]) -> None:
    """Each folder of services/ that can be run is a service, and no other is."""
    runnable = {each.parent.name for each in ROOT.glob("services/*/__main__.py")} - {"local"}
    assert rooms.keys() == runnable


def test_every_room_is_started_as_the_room_it_is_named_after(rooms: dict[str, Service]) -> None:
    """A service's command runs the room of the same name, which is there and can be imported."""
    for name, each in rooms.items():
        assert each["command"] == ["python", "-m", f"services.{name}"]
    modules = [f"services.{name}.__main__" for name in rooms]
    missing = [each for each in modules if importlib.util.find_spec(each) is None]
    assert missing == []
    # Imported elsewhere: a room may set up the process it is in.
    importing = subprocess.run(  # noqa: S603 - our own interpreter and our own names
        [sys.executable, "-c", f"import {', '.join(modules)}"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert importing.returncode == 0, importing.stderr


def test_rooms_open_after_the_installation(rooms: dict[str, Service]) -> None:
    """A room waits for a healthy broker and database, and for tables and topics; it is started again when it ends."""
    for each in rooms.values():
        assert each["depends_on"] == {
            "kafka": {"condition": "service_healthy"},
            "postgres": {"condition": "service_healthy"},
            "install": {"condition": "service_completed_successfully"},
        }
        assert each["restart"] == "unless-stopped"


def test_the_servers_are_asked_for_their_health(services: dict[str, Service]) -> None:
    """What others wait for says when it is ready, and keeps its data in a volume that is declared."""
    volumes = yaml.safe_load(PATH.read_text(encoding="utf-8"))["volumes"]
    for name in SERVERS:
        assert services[name]["healthcheck"]["test"][0] == "CMD"
        (volume,) = services[name]["volumes"]
        assert volume.split(":")[0] in volumes


def test_installing_is_migrations_and_then_topics(services: dict[str, Service]) -> None:
    """One service, once, makes the tables and then the topics."""
    assert services["install"]["command"] == ["sh", "-c", "whistle migrate && whistle topics apply"]
    assert services["install"]["restart"] == "no"


def test_every_variable_is_a_setting(services: dict[str, Service]) -> None:
    """A name that no setting has would be ignored in silence."""
    for name, each in services.items():
        known = MonitorSettings if name == "monitor" else Settings
        for variable in each.get("environment", {}):
            if variable.startswith("WHISTLE_"):
                assert is_setting(known, variable.removeprefix("WHISTLE_").lower().split("__")), variable


def test_rooms_reach_the_servers_by_their_names(services: dict[str, Service]) -> None:
    """What rooms are told to connect to is what the servers are, and call themselves."""
    told = services["router"]["environment"]
    kafka, postgres = services["kafka"]["environment"], services["postgres"]["environment"]
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == f"BROKER://{told['WHISTLE_KAFKA__BOOTSTRAP_SERVERS']}"
    password = postgres["POSTGRES_PASSWORD"]
    assert told["WHISTLE_DATABASE__URL"] == (
        f"postgresql+asyncpg://{postgres['POSTGRES_USER']}:{password}@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_nothing_is_open_to_the_network(services: dict[str, Service]) -> None:
    """Ports are published on the machine's own address only."""
    published = [port for each in services.values() for port in each.get("ports", [])]
    assert published
    assert all(re.match(r"127\.0\.0\.1:\d+:\d+$", port) for port in published)


def test_the_build_is_the_one_in_this_folder(rooms: dict[str, Service]) -> None:
    """Every room is built by the Dockerfile beside the compose file, from the project's folder."""
    for each in rooms.values():
        context = (PATH.parent / each["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / each["build"]["dockerfile"]).is_file()


def is_setting(known: type[Settings], path: list[str]) -> bool:
    """Say whether a nested name, in lower case, is a field of the settings."""
    fields = known.model_fields
    for name in path[:-1]:
        if name not in fields:
            return False
        fields = getattr(fields[name].annotation, "model_fields", {})
    return path[-1] in fields
