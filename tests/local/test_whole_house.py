"""The main job as a person sees it: the whole house, in processes of its own, on a real Kafka and PostgreSQL."""

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.local.kafka import EmbeddedKafka
from services.local.postgres import EmbeddedPostgres
from services.local.sample import FOLDER, Sample
from tests.local.whole_house import ROOT, House, everything, gone, kill_everything, until


@pytest.fixture(scope="module")
def article() -> dict[str, int]:
    """The article's figures, by their path in the ledger's JSON."""
    return {each.name: each.value for each in Sample.load().article.figures}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[House, dict[str, Any]]:
    """A house that was killed in the middle of the year and has gone on to its end, with its ledger."""
    house = House(tmp_path_factory.mktemp("settled"), cache)
    process = house.start("--once", "--json")
    halfway = _said(house, "2021-05")
    until(lambda: halfway() or process.poll() is not None, "the middle of the year")
    assert process.poll() is None, house.errors()
    kill_everything(process)
    return house, house.once()


def _said(house: House, month: str) -> Any:
    """Whether the router has heard anything of that month."""

    def heard() -> bool:
        log = house.home / "logs" / "supervision.log"
        return log.exists() and f'"due_at": "{month}' in log.read_text()

    return heard


def _figure(ledger: dict[str, Any], path: str) -> int:
    found: Any = ledger
    for key in path.split("."):
        found = found[key]
    assert isinstance(found, int)
    return found


@pytest.mark.timeout(600)
def test_a_house_killed_halfway_goes_on_to_the_figures_of_the_article(
    settled: tuple[House, dict[str, Any]], article: dict[str, int]
) -> None:
    """Kill -9 of everything loses and doubles nothing: the figures counted at the end are the article's."""
    _, ledger = settled
    assert {path: _figure(ledger, path) for path in article} == article
    assert (ledger["lost"], ledger["duplicates"]) == (0, 0)
    assert ledger["escalated"] >= article["unowned.demand_or_suggestion"] + article["unowned.hazard"]
    assert ledger["answered"] >= ledger["solved"]


@pytest.mark.timeout(300)
def test_a_second_run_gives_the_same_ledger(settled: tuple[House, dict[str, Any]]) -> None:
    """Saying everything again has no effect."""
    house, ledger = settled
    assert house.once() == ledger


@pytest.mark.timeout(300)
def test_a_house_that_stays_open_is_of_use_and_ends_cleanly(settled: tuple[House, dict[str, Any]]) -> None:
    """Its page and commands answer, a room that is killed comes back, and Ctrl-C ends all of it with status 0."""
    house, ledger = settled
    process = house.start()
    until(lambda: "The house is open" in house.errors() or process.poll() is not None, "an open house")
    assert process.poll() is None, house.errors()
    with urllib.request.urlopen(f"http://127.0.0.1:{house.page}/", timeout=10) as page:
        assert "Whistle" in page.read().decode()
    assert json.loads(house.whistle("ledger", "--json")) == ledger
    assert _rates_as_told(house) in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    lags = json.loads(house.whistle("lag", "--json"))
    assert {each["group"] for each in lags} == {"street", "router", "department", "supervision", "ledger", "receipts"}
    owed = json.loads(house.whistle("street", "inbox", "--as", "dongsheng", "--json"))
    waiting = next(each for each in owed if each["owes"] == "decide")
    router = _room(process, "router")
    router.kill()
    until(lambda: _room(process, "router").pid != router.pid, "a new router", 30)
    _act_as_officers(house, waiting["incident"], waiting["community"])
    processes = everything(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, house.errors()
    until(lambda: gone(processes), "the end of every process", 20)


def _rates_as_told(house: House) -> str:
    """What the README says about the rates of the sample's year, with the numbers as they are counted."""

    def total(*by: str) -> Any:
        return json.loads(house.whistle("ledger", "rates", *by, "--format", "json"))["total"]

    def share(figure: dict[str, int], of: str = "of") -> str:
        return f"{figure['many']} {of} {figure['of']}"

    districts, whole = total("--by", "department"), total()
    return (
        f"{share(districts['response'])} calls to district departments were acknowledged and "
        f"{share(districts['on_time'])} resolved in time; half of what was resolved took "
        f"{districts['handling']['median_h']:g} working hours or less, and the street blew the whistle for "
        f"{share(whole['whistle'], 'of the')} incidents it decided about."
    )


def _command(process: psutil.Process) -> list[str]:
    """Return how it was started; nothing of one that has just ended, and that nobody has buried yet."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _room(process: "subprocess.Popen[str]", name: str) -> psutil.Process:
    """The process of a room, once it runs."""
    found: list[psutil.Process] = []

    def runs() -> bool:
        found[:] = [each for each in everything(process)[1:] if _command(each)[-1:] == [f"services.{name}"]]
        return bool(found)

    until(runs, f"the room {name}", 30)
    return found[0]


def _act_as_officers(house: House, incident: str, community: str) -> None:
    """Take one report that nobody owned from the call to the answer, by the parties' own commands."""
    receipt = house.whistle("community", "receipt", incident, "--as", community).strip()
    house.whistle("street", "ask", incident, "--as", "dongsheng", "--question", "哪一站最不方便？")
    until(lambda: "哪一站最不方便" in house.whistle("answer", "show", receipt), "the question to the reporter", 30)
    house.whistle("community", "reply", incident, "--as", community, "--reply", "龙桥站。")
    until(lambda: "龙桥站" in house.whistle("ledger", "show", incident), "the reply in the history", 30)
    house.whistle("street", "interim", incident, "--as", "dongsheng", "--answer", "已转交通部门研究。")
    house.whistle("street", "call", incident, "--as", "dongsheng", "--department", "transport", "--by", "officer")
    _status(house, incident, "dispatched")
    house.whistle("department", "acknowledge", incident[:13], "--as", "transport")
    _status(house, incident, "acknowledged")
    house.whistle("department", "resolve", incident[:13], "--as", "transport", "--note", "已增设公交站点")
    _status(house, incident, "resolved")
    house.whistle("street", "confirm", incident[:13], "--as", "dongsheng")
    _status(house, incident, "confirmed")
    house.whistle("street", "answer", incident[:13], "--as", "dongsheng", "--answer", "已增设站点，感谢反映。")
    until(lambda: "已增设站点" in house.whistle("ledger", "show", incident), "the answer in the history", 30)
    until(lambda: "已增设站点" in house.whistle("answer", "show", receipt), "the answer by receipt", 30)
    assert [each["outcome"] for each in json.loads(house.whistle("answer", "show", receipt, "--json"))] == [
        "asked",
        "interim",
        "settled",
    ]
    assert not any(
        "公交站点" in each["text"] for each in json.loads(house.whistle("answer", "show", receipt, "--json"))
    )


def _status(house: House, incident: str, status: str) -> None:
    """Wait until the department's inbox shows a status."""

    def shown() -> bool:
        items = json.loads(house.whistle("department", "inbox", "--as", "transport", "--all", "--json"))
        return any(each["incident"] == incident and each["status"] == status for each in items)

    until(shown, f"{status} in the inbox of transport", 30)


@pytest.mark.timeout(600)
def test_the_figures_are_counted_from_the_script(tmp_path: Path, cache: Path, article: dict[str, int]) -> None:
    """With one resolution taken out of the script, one demand fewer is solved and one more is in progress."""
    lines = (FOLDER / "script.jsonl").read_text().splitlines(keepends=True)
    resolved = next(
        line for line in lines if '"act": "resolve"' in line and '"demand-0002"' in line and "department.water" in line
    )
    script = tmp_path / "script.jsonl"
    script.write_text("".join(line for line in lines if line != resolved))
    ledger = House(tmp_path / "home", cache).once("--script", str(script))
    assert ledger["solved"] == article["solved"] - 1
    assert ledger["in_progress"] == article["in_progress"] + 1
    assert ledger["assigned"] == article["assigned"]


@pytest.mark.timeout(300)
async def test_servers_of_ones_own_get_no_sample_and_keep_their_clock(tmp_path: Path, cache: Path) -> None:
    """With Kafka and PostgreSQL named in the environment, nothing is started, sent or bent."""
    async with (
        EmbeddedKafka(tmp_path / "theirs", cache=cache) as kafka,
        EmbeddedPostgres(tmp_path / "theirs") as postgres,
    ):
        house = House(tmp_path / "ours", cache)
        own = {
            "WHISTLE_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "WHISTLE_DATABASE__URL": await postgres.create_database("theirs"),
        }
        ledger = house.once(**own)
        assert set(ledger["collected"].values()) == {0}
        assert not (house.home / "kafka").exists()
        assert not (house.home / "postgres").exists()


@pytest.mark.timeout(120)
def test_a_port_in_use_is_one_sentence(tmp_path: Path, cache: Path) -> None:
    """Where a port that was asked for is taken, one sentence says which and what to do, and the status is not 0."""
    house = House(tmp_path, cache)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", house.page))
        taken.listen()
        assert house.start("--once").wait(60) == 1
    assert house.errors().strip().splitlines()[-1] == (
        f"WHISTLE_PAGE_PORT asks for port {house.page}, which is no free port: end what uses it, or ask for another."
    )
