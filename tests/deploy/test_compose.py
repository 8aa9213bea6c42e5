"""The compose file, as far as it can be checked where no container engine is at hand."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.local.jars import KAFKA
from services.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
PATH = ROOT / "deploy" / "compose.yaml"
SERVERS = {"kafka", "postgres"}
ONE_SHOT = {"install"}
BEFORE_ROOMS = {
    "kafka": {"condition": "service_healthy"},
    "postgres": {"condition": "service_healthy"},
    "install": {"condition": "service_completed_successfully"},
}
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
    """A service's command runs the room of the same name, which is there, and all that it begins with can be imported.

    The room's own module is read, not imported: importing it would open the room.
    """
    for name, each in rooms.items():
        assert each["command"] == ["python", "-m", f"services.{name}"]
        for module, wanted in imports(ROOT / "services" / name / "__main__.py"):
            found = importlib.import_module(module)
            assert [one for one in wanted if not hasattr(found, one)] == []


def test_rooms_open_after_the_installation(rooms: dict[str, Service]) -> None:
    """A room waits for a healthy broker and database, and for tables and topics; it is started again when it ends."""
    for name, each in rooms.items():
        makes_the_key = {"publisher": {"condition": "service_healthy"}} if name == "receipts" else {}
        assert each["depends_on"] == BEFORE_ROOMS | makes_the_key
        assert each["restart"] == "unless-stopped"


def test_the_key_of_the_receipts_is_made_in_one_place_and_read_in_another(rooms: dict[str, Service]) -> None:
    """The room that shows receipts begins after the publisher, and can read what that has written, and not write."""
    (written,), (read,) = rooms["publisher"]["volumes"], rooms["receipts"]["volumes"]
    assert read == f"{written}:ro"
    assert rooms["publisher"]["healthcheck"]["test"][0] == "CMD"


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
    """A name that no setting of the house or of the room has would be ignored in silence."""
    for room, each in services.items():
        names = {name for name in each.get("environment", {}) if name.startswith("WHISTLE_")}
        assert [name for name in names if not any(is_setting(known, name) for known in settings_of(room))] == []


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


def test_the_broker_is_the_one_that_is_tested(services: dict[str, Service]) -> None:
    """The image's version is that of the broker the tests run on."""
    assert services["kafka"]["image"] == f"apache/kafka:{KAFKA.version}"


def imports(path: Path) -> list[tuple[str, list[str]]]:
    """Return what a module imports: modules, and the names wanted of each."""
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, [each.name for each in node.names]))
        elif isinstance(node, ast.Import):
            found.extend((each.name, []) for each in node.names)
    return found


def settings_of(room: str) -> list[type[BaseSettings]]:
    """Return the classes that read a room's environment: the house's, and the room's own where it has some."""
    if importlib.util.find_spec(f"services.{room}") is None or not (ROOT / "services" / room / "settings.py").exists():
        return [Settings]
    own = vars(importlib.import_module(f"services.{room}.settings")).values()
    return [Settings, *(each for each in own if isinstance(each, type) and issubclass(each, BaseSettings))]


def is_setting(known: type[BaseSettings], variable: str) -> bool:
    """Say whether a variable sets a field of the settings, or of settings within them."""
    prefix = known.model_config.get("env_prefix", "")
    if not variable.startswith(prefix):
        return False
    fields = known.model_fields
    *path, last = variable.removeprefix(prefix).lower().split("__")
    for name in path:
        fields = getattr(fields[name].annotation, "model_fields", {}) if name in fields else {}
    return last in fields
