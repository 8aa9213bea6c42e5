"""An entry of a history is told in one line."""

import json
from typing import Any

import pytest

from services.ledger.names import Names, named
from services.ledger.queries import Line
from services.ledger.words import told
from tests.ledger.scenes import CONFIGURATION, START

NAMES = named(CONFIGURATION)
RESOLVE = {"unit": "water", "deadline": "resolve", "due_at": "2021-03-01T02:00:00Z", "step": 2}


def line(name: str, **data: Any) -> Line:
    """One entry about a deadline that the water bureau owes."""
    written = json.dumps({**RESOLVE, **data}, ensure_ascii=False)
    return Line(3, START, f"whistle.incident.{name}.v1", "clock", "rule:drainage", written)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("reminded", {}, "区水务局 · 办结 resolve ≤ 2021-03-01 10:00"),
        (
            "reminded",
            {"post": "section-head", "holder": "夜班", "holder_unit": "water"},
            "区水务局 · 办结 resolve ≤ 2021-03-01 10:00 · → 夜班 (科室负责人 section head)",
        ),
        (
            "escalated",
            {"post": "responsible-leader", "holder": "区水务局分管领导", "vacant": ["section-head"], "skipped": [0, 1]},
            (
                "区水务局 · 办结 resolve ≤ 2021-03-01 10:00 · 空缺 vacant: 科室负责人 section head"
                " · → 区水务局分管领导 (分管领导 responsible leader) · 跳过 skipped 2"
            ),
        ),
        (
            "escalated",
            {"post": "supervision-office", "vacant": ["supervision-office"]},
            (
                "区水务局 · 办结 resolve ≤ 2021-03-01 10:00 · 空缺 vacant: 督查室 supervision office"
                " · → 空缺 nobody (督查室 supervision office)"
            ),
        ),
    ],
)
def test_who_was_told_is_who_held_the_post_then(name: str, data: dict[str, Any], said: str) -> None:
    """The history's own holder, not today's; and every post that nobody held, with or without a directory."""
    assert told(line(name, **data), NAMES) == said
    assert told(line(name, **data), Names()) == said.replace("区水务局 ", "water ", 1)


def test_an_interim_step_that_is_done_is_told_by_its_name() -> None:
    """In both languages where it is a shipped one, and what there was to say of it."""
    said = told(line("progressed", department="water", step="stop-work", note="已贴封条"), NAMES)
    assert said == "区水务局 · 完成 done: 责令停工 stop work · 已贴封条"
    assert told(line("progressed", department="water", step=None, note="已到场"), NAMES) == "区水务局 · 已到场"
