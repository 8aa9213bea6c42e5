"""The Dongsheng sample is whole: generated as committed, by known parties, in an order that the states allow."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.domain.configuration import Configuration, parse
from services.domain.story import labels_of
from services.domain.working_time import add
from services.local.sample import FOLDER, Act, Inspection, InvalidSampleError, Report, Sample
from services.local.sample.generate import generate, identify
from services.runtime.files import read

CHENGDU = ZoneInfo("Asia/Shanghai")
# The State Council's holidays of 2021 that fall on weekdays, as far as a tick could meet them.
HOLIDAYS = {
    *(date(2021, 1, 1) + timedelta(n) for n in range(3)),
    *(date(2021, 2, 11) + timedelta(n) for n in range(7)),
    *(date(2021, 4, 3) + timedelta(n) for n in range(3)),
    *(date(2021, 5, 1) + timedelta(n) for n in range(5)),
    *(date(2021, 6, 12) + timedelta(n) for n in range(3)),
    *(date(2021, 9, 19) + timedelta(n) for n in range(3)),
    *(date(2021, 10, 1) + timedelta(n) for n in range(7)),
}


@cache
def sample() -> Sample:
    """Return the sample, read once."""
    return Sample.load()


@cache
def configuration() -> Configuration:
    """Return the configuration as shipped, read once."""
    found, problems = parse(read(Path(__file__).parents[2] / "deploy" / "config"))
    assert found, problems
    return found


def repeats(report: Report) -> bool:
    """Whether a report says that it repeats another."""
    return report.fact.repeats is not None


def ruled(report: Report) -> tuple[str, ...]:
    """Whom the routes call for a report."""
    call = "emergency" if report.fact.severity == "critical" else "general"
    plan = configuration().plan(labels_of(report.fact, report.community, "dongsheng", call))
    return tuple(each.department for each in plan.assignments)


# ------------------------------------------------------------------------------------------------------- what is raised


def test_what_is_committed_is_what_the_facts_generate() -> None:
    """Generating again gives the same bytes."""
    for name, text in generate().items():
        assert (FOLDER / name).read_bytes() == text.encode(), f"python -m services.local.sample.generate: {name}"


def test_as_much_is_collected_as_the_article_says() -> None:
    """The inputs are the article's; what became of them is for the ledger to count."""
    counted = Counter(f"collected.{each.fact.kind}" for each in sample().reports)
    counted["collected.inspections"] = len(sample().inspections)
    article = {each.name: each.value for each in sample().article.figures if each.name.startswith("collected.")}
    assert counted == article


def test_ids_follow_from_keys_and_are_unique() -> None:
    """A report or a round has the same id in every run."""
    rows: list[Report | Inspection] = [*sample().reports, *sample().inspections]
    assert all(each.id == identify(each.key) for each in rows)
    assert len({each.id for each in rows}) == len(rows)


def test_descriptions_vary() -> None:
    """No two reports read alike, and every community, channel and grid level has its share."""
    reports = sample().reports
    assert len({each.fact.description for each in reports}) == len(reports)
    assert {each.community for each in reports} == {unit.code for unit in configuration().directory.communities}
    assert {each.fact.grid_level for each in reports} == {1, 2, 3, 4}
    assert len({each.fact.channel for each in reports}) == 7


def test_a_report_is_said_at_the_first_tick_after_it_happened() -> None:
    """Nothing is said before it happened, nor kept back."""
    for each in sample().reports:
        assert each.tick == next(tick for tick in sample().ticks if tick >= each.fact.happened_at), each.key
    for round_ in sample().inspections:
        assert round_.tick == next(tick for tick in sample().ticks if tick >= round_.fact.inspected_at), round_.key


def test_repeats_follow_what_they_repeat() -> None:
    """A repeat names an earlier demand, is said at a later tick, and nobody acts on it: it is attached."""
    by_id = {each.id: each for each in sample().reports}
    found = [each for each in sample().reports if repeats(each)]
    assert found
    for each in found:
        original = by_id[each.fact.repeats or each.id]
        assert original.tick < each.tick
        assert not repeats(original)
        assert original.fact.kind == each.fact.kind == "demand"
        assert not [act for act in sample().script if act.report == each.key]
        finished = [act.tick for act in sample().script if act.report == original.key and act.act == "confirm"]
        assert min(finished) > each.tick, "it would be attached to what is done already"


def test_rounds_name_what_they_found_and_many_find_nothing() -> None:
    """A hazard or dispute found on inspection and its round point at each other."""
    by_id = {each.id: each for each in sample().reports}
    links = {(each.id, link.href) for each in sample().reports for link in each.fact.links if link.rel == "inspection"}
    found = {(report, f"urn:uuid:{each.id}") for each in sample().inspections for report in each.fact.found}
    assert found == links
    assert {by_id[report].fact.kind for report, _ in found} == {"hazard", "dispute", "instability"}
    assert sum(not each.fact.found for each in sample().inspections) > len(sample().inspections) / 3


# ------------------------------------------------------------------------------------------------------------ the clock


def test_ticks_are_few_in_order_and_in_office_hours() -> None:
    """The clock stops at most forty times, always while somebody is at work."""
    ticks = sample().ticks
    assert len(ticks) <= 40
    assert list(ticks) == sorted(set(ticks))
    assert ticks[0] == datetime(2021, 1, 4, 9, tzinfo=CHENGDU)
    assert ticks[-1] == datetime(2021, 11, 30, 17, tzinfo=CHENGDU)
    for tick in ticks:
        local = tick.astimezone(CHENGDU)
        assert local.weekday() < 5
        assert local.date() not in HOLIDAYS
        assert time(9) <= local.time() <= time(12) or time(13) <= local.time() <= time(17)


# ----------------------------------------------------------------------------------------------------------- the script


def test_the_script_is_in_time_and_by_known_parties() -> None:
    """Every act is at a tick later than its report's, by a party of the directory, about units of the directory."""
    units = configuration().directory.units
    levels = {"department": {"department", "section"}, "street": {"street"}, "community": {"community"}}
    script = sample().script
    assert [act.tick for act in script] == sorted(act.tick for act in script)
    for act in script:
        report = sample().by_key[act.report]
        assert act.tick > report.tick, act
        if act.side != "supervision":
            assert units[act.party].level in levels[act.side], act
        if act.side == "community":
            assert act.party == report.community, act
        named = [act.department, act.section, *(act.departments or ())]
        assert all(units[code].level in levels["department"] for code in named if code), act


def test_the_routes_and_the_script_agree() -> None:
    """Whoever acts on a report was called for it, by a rule or by an officer of the script."""
    called = {each.key: set(() if repeats(each) else ruled(each)) for each in sample().reports}
    for act in sample().script:
        if act.act in {"call", "solve"}:
            called[act.report] |= {*(act.departments or ()), *([act.section] if act.section else ())}
        elif act.owing:
            assert act.owing in called[act.report], act


# What each act needs an obligation to be, and what it makes of it (services/domain/states.md).
STEPS: dict[str, dict[str, str]] = {
    "acknowledge": {"dispatched": "acknowledged"},
    "decline": {"dispatched": "declined"},
    "insist": {"declined": "dispatched"},
    "name": {"declined": "dispatched"},
    "arrive": {"acknowledged": "acknowledged"},
    "progress": {"acknowledged": "acknowledged"},
    "request-extension": {"acknowledged": "asked"},
    "request-parking": {"acknowledged": "asked"},
    "deny": {"asked": "acknowledged"},
    "resolve": {"dispatched": "resolved", "acknowledged": "resolved"},
    "verify": {"resolved": "resolved"},
    "send-back": {"resolved": "acknowledged"},
    "confirm": {"resolved": "confirmed"},
    "withdraw": dict.fromkeys(("dispatched", "acknowledged", "asked", "parked", "declined", "resolved"), "withdrawn"),
}
DONE = {"confirmed", "withdrawn"}


class Story:
    """Where one report's obligations stand, act by act."""

    def __init__(self, report: Report) -> None:
        self.states = dict.fromkeys(ruled(report), "dispatched")
        self.review_at: datetime | None = None
        self.answered = False

    def take(self, act: Act) -> None:
        """Fold one act, or fail where it does not fit."""
        if act.owing:
            self._of_obligation(act, act.owing)
        elif act.act in {"call", "solve"}:
            # Calling another takes the dispatch of whoever declined back.
            assert set(self.states.values()) <= {"declined", "withdrawn"}, "it was called already"
            self.states = dict.fromkeys(self.states, "withdrawn")
            self.states |= dict.fromkeys([act.section] if act.section else act.departments or (), "dispatched")
        elif act.act == "answer":
            assert self.settled, "it is not confirmed yet"
            assert not self.answered
            self.answered = True
        elif act.act == "rate":
            assert self.answered
            if not act.solved:
                self.answered = False
                self.states = {
                    department: "dispatched" if state == "confirmed" else state
                    for department, state in self.states.items()
                }
        else:
            pytest.fail("no such act is expected")

    @property
    def settled(self) -> bool:
        """Whether the street owes the answer now."""
        states = set(self.states.values())
        return "confirmed" in states and states <= DONE

    def _of_obligation(self, act: Act, department: str) -> None:
        before = self.states[department]
        if before == "parked" and self.review_at and self.review_at < act.tick:
            before = "acknowledged"
        if act.act == "request-parking":
            self.review_at = act.review_at
        if act.act == "grant":
            assert before == "asked"
            self.states[department] = "parked" if act.request == "parking" else "acknowledged"
            return
        assert before in STEPS[act.act], f"{department} is {before}"
        self.states[department] = STEPS[act.act][before]


def test_acts_are_in_an_order_that_the_states_allow() -> None:
    """No act of the script is refused: each finds its obligation waiting for it."""
    stories = {each.key: Story(each) for each in sample().reports if not repeats(each)}
    for number, act in enumerate(sample().script, 1):
        try:
            stories[act.report].take(act)
        except (AssertionError, KeyError) as error:
            pytest.fail(f"line {number}: {act.by} {act.act} {act.report}: {error}")


def test_the_community_confirms_sections_and_the_street_departments() -> None:
    """Nobody confirms, or sends back, work of its own house."""
    for act in sample().script:
        if act.act in {"confirm", "send-back"}:
            section = configuration().directory.is_section(act.department or "", "dongsheng")
            assert act.side == ("community" if section else "street"), act


def test_what_depends_on_another_party_comes_at_a_later_tick() -> None:
    """Topics keep no order between them, so at one tick only independent acts, or those of one party, are said."""
    together: defaultdict[tuple[str, datetime], list[Act]] = defaultdict(list)
    for act in sample().script:
        together[act.report, act.tick].append(act)
    for (key, _), acts in together.items():
        whole = {act.by for act in acts if not act.owing}
        assert not whole or len({act.by for act in acts}) == 1, (key, acts)
        for department in {act.owing for act in acts if act.owing}:
            assert len({act.by for act in acts if act.owing == department}) == 1, (key, acts)


def test_every_act_that_is_known_is_played() -> None:
    """The sample exercises nearly everything that people can do; a refusal would leave somebody without an owner."""
    played = {(act.side, act.act) for act in sample().script}
    assert {act for side, act in played if side == "department"} == {
        "acknowledge", "decline", "arrive", "progress", "resolve", "request-extension", "request-parking",
    }  # fmt: skip
    assert {act for side, act in played if side == "street"} == {
        "call", "solve", "insist", "confirm", "send-back", "withdraw", "answer", "grant", "deny",
    }  # fmt: skip
    assert {act for side, act in played if side == "supervision"} == {"name", "grant"}
    assert {act for side, act in played if side == "community"} == {"verify", "confirm", "send-back", "rate"}


def test_emergencies_are_met_within_half_an_hour() -> None:
    """Somewhere in the year all who were called stand on the spot in thirty minutes, as at Wangfu Garden."""
    transformer = next(each for each in sample().reports if "王府花园变压器烧毁" in each.fact.description)
    arrived = [act for act in sample().script if act.report == transformer.key and act.act == "arrive"]
    assert {act.party for act in arrived} == set(ruled(transformer))
    assert all(act.tick - transformer.tick < timedelta(minutes=30) for act in arrived)


def test_interim_steps_are_done_in_time_by_whoever_took_the_work_on_in_time() -> None:
    """Each step of a rule is reported before its deadline, unless the work is resolved or parked before that."""
    done = 0
    for report in sample().reports:
        acts = [act for act in sample().script if act.report == report.key]
        plan = configuration().plan(labels_of(report.fact, report.community, "dongsheng", "general"))
        steps = {
            (each.department, name): duration
            for each in plan.assignments
            for name, duration in each.deadlines.items()
            if name not in {"acknowledge", "arrive", "resolve"}
        }
        reported = {(act.party, act.step) for act in acts if act.step}
        assert reported <= steps.keys(), report.key
        done += len(reported)
        for (department, name), duration in steps.items():
            due_at = add(configuration().calendar_of(department), report.tick, duration)
            ends = [act.tick for act in acts if act.owing == department and _ends_a_step(act, name)]
            began = next(act.tick for act in acts if act.owing == department)
            assert began >= due_at or min(ends) < due_at, (report.key, name)
    assert done


def _ends_a_step(act: Act, name: str) -> bool:
    return act.step == name or act.act == "resolve" or (act.act, act.request) == ("grant", "parking")


# ---------------------------------------------------------------------------------------------------------- what is bad


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"act": "dance"}, "has no act 'dance'"),
        ({"report": "demand-9999"}, "is the key of no report"),
        ({"tick": "2021-01-05T03:00:00+08:00"}, "not one of the ticks"),
        ({"by": "department"}, "by:"),
        ({"reason": "no"}, "does not belong"),
        ({"answer": ""}, "answer"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, change: dict[str, str], told: str) -> None:
    """The loader names file, line and trouble."""
    good = {
        "tick": sample().ticks[-1].isoformat(), "by": "street.dongsheng", "act": "answer", "report": "demand-0001",
        "answer": "好",
    }  # fmt: skip
    script = tmp_path / "script.jsonl"
    script.write_text(f"{json.dumps(good)}\n\n{json.dumps(good | change)}\n", encoding="utf-8")
    with pytest.raises(InvalidSampleError, match=r"script\.jsonl, line 3: ") as caught:
        Sample.load(script)
    assert told in str(caught.value)


def test_another_script_can_be_played(tmp_path: Path) -> None:
    """A script with one act fewer loads as such."""
    lines = (FOLDER / "script.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    shorter = tmp_path / "script.jsonl"
    shorter.write_text("".join(lines[1:]), encoding="utf-8")
    assert Sample.load(shorter).script == sample().script[1:]
