"""What the program gives as a reason, in both languages."""

import pytest

from services.domain.reasons import in_both


def told(reason: str) -> str:
    """A reason as somebody in Chengdu is shown it, where only the water bureau has a name."""
    return in_both(reason, lambda code: {"water": "水务局"}.get(code, code), lambda at: f"{at:%d日%H点}")


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("until the district names a lead", "区级指定主办前，首接负责"),
        ("declined, and water, gas called instead", "已退单，改派水务局、gas"),
        ("water was named the lead", "已指定水务局主办"),
        ("it does not hold, says a re-inspection", "复查不到位"),
        ("the obligation is dispatched: acknowledge it first", "该责任待签收：请先签收"),
        ("the incident is closed", "事件已结案"),
        (
            "the calendar china is confirmed until 2022-12-31; the calendar gas is confirmed for ever",
            "日历 china 已核定至 2022-12-31；日历 gas 已核定，长期有效",
        ),
    ],
)
def test_a_reason_of_the_program_is_told_in_both_languages(reason: str, chinese: str) -> None:
    """The Chinese first, with the names of units and not their codes."""
    assert told(reason) == f"{chinese} {reason}"


def test_what_a_person_wrote_stays_and_instants_are_those_of_the_place() -> None:
    """Also where no Chinese is known for a reason, nobody has to reckon with UTC."""
    assert told("我们不管这个; the incident is closed") == "我们不管这个; the incident is closed"
    reason = "nobody can have been contacted at 2021-03-01T02:00:00Z, which is still to come"
    assert told(reason) == "nobody can have been contacted at 01日02点, which is still to come"
    refused = "a reporter has been asked already, and may reply until 2021-03-01T02:00:00Z"
    assert told(refused).startswith("已请群众补充，可补充至 01日02点 a reporter")
