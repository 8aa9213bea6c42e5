"""A history in words: what each entry says, in both languages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.incident import (
    Acknowledged,
    ActRefused,
    BreachesListed,
    Called,
    Dispatched,
    Inspected,
    Recomputed,
    RemindedByHand,
)
from schemas.topics import ACTIONS, DECISIONS, JOURNAL, RESPONSES
from services.ledger.names import Names
from services.ledger.queries import Line
from services.ledger.words import ACTS, ENTRIES, entry_name, told
from tests.ledger.scenes import History

AT = datetime(2021, 12, 20, 2, tzinfo=UTC)
OF_NO_INCIDENT = {Inspected, BreachesListed}
WHY = "the calendar china is confirmed until 2022-12-31"


@pytest.mark.parametrize(
    "fact", [fact for fact in JOURNAL.facts if fact not in OF_NO_INCIDENT], ids=lambda fact: fact.type
)
def test_every_entry_has_a_name_in_both_languages(fact: Any) -> None:
    """No history shows a name from the wire (a round of inspection and a notice are no entries of an incident's)."""
    assert all(ENTRIES[entry_name(fact.type)])


def words(fact: type[Any], **data: Any) -> str:
    """What an entry of the history says."""
    return told(Line(2, AT, fact.type, "clock", "rule:calendar", json.dumps(data)), Names())


def test_a_provisional_deadline_says_so_and_so_does_its_counting_again() -> None:
    """Whoever reads the history sees which deadline may still move, and later where it went and why."""
    since = {"since": "2021-12-20T02:00:00Z", "duration": "40wd"}
    deadlines = {"overall": "2022-02-17T02:00:00Z", "decide": "2021-12-21T02:00:00Z"}
    called = words(Called, rules=[], departments=["water"], deadlines=deadlines, provisional={"overall": since})
    assert "overall ≤ 2022-02-17 10:00 (暂定 provisional)" in called
    assert called.endswith("decide ≤ 2021-12-21 10:00")
    again = words(Recomputed, deadlines={"resolve": "2022-01-05T02:00:00Z"}, department="water", round=1, reason=WHY)
    assert again == f"water · 日历 china 已核定至 2022-12-31 {WHY} · 办结 resolve ≤ 2022-01-05 10:00"


def test_a_refused_act_is_named_and_answered_in_both_languages() -> None:
    """Neither names from the wire nor instants of another zone are left for the reader to make out."""
    reason = "the window for ratings closed at 2021-12-21T02:00:00Z: raise the matter anew"
    assert words(ActRefused, act="whistle.decision.granted.v1", reason=reason) == (
        "批准 granted · 评价已于 2021-12-21 10:00 截止：请重新上报 "
        "the window for ratings closed at 2021-12-21 10:00: raise the matter anew"
    )
    asked = words(ActRefused, act="whistle.response.extension_requested.v1", reason="没有批准权限")
    assert asked == "申请延期 ask for an extension · 没有批准权限"
    for topic in (DECISIONS, RESPONSES, ACTIONS):
        assert {fact.type.split(".")[-2] for fact in topic.facts} <= ACTS.keys()


def test_a_post_that_was_vacant_at_the_dispatch_is_named() -> None:
    """Whoever reads a dispatch sees a post and not its code."""
    owner = {"leader": "吴军", "section": "urban-management:section-head", "officer": "区城管局：值班员"}
    told_of = words(Acknowledged, department="urban-management", owner=owner)
    assert (
        told_of == "urban-management · 吴军 / 空缺 vacant: urban-management 科室负责人 section head / 区城管局：值班员"
    )


def test_a_reminder_by_hand_says_whom_it_was_for() -> None:
    """A department, a community, or whoever a case asks."""
    for whom, told_as in (("department", "gas"), ("community", "gas"), ("case", "gas 督办 case")):
        assert words(RemindedByHand, **{whom: "gas"}, due_at="2021-12-21T02:00:00Z", note="今日内").startswith(told_as)


def test_every_obligation_names_the_rule_and_the_version_it_came_of() -> None:
    """Whoever looks at a history sees by which rule of which configuration, and up which ladder, somebody owes."""
    history = History(category="river").called("water")
    [dispatched] = [each for each in history.events if isinstance(each.data, Dispatched)]
    entry = dispatched.data
    assert isinstance(entry, Dispatched)
    line = Line(entry.version, dispatched.time, entry.type, entry.who, entry.by, entry.model_dump_json())
    policy = history.folded.obligations["water"].policy
    assert policy.rule
    assert policy.version
    assert f"规则 rule {policy.rule} ({policy.version}, {policy.ladder.name})" in told(line, Names())
