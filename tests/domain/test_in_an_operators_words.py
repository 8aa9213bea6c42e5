"""What an operator expects of deadlines and ladders, in an operator's words, fast-forwarded: see words.py.

The scenarios are texts in the folder scenarios. They are carried out under the configuration that is shipped, in weeks
without a holiday.
"""

from pathlib import Path

import pytest

from tests.domain.words import Operator

REPORTED = "given it is 2021-03-01 09:00\ngiven guangdu reports drainage"
SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_it_happens_as_the_operator_says(scenario: Path) -> None:
    """Each sentence comes true at its instant, and nothing happens that none of them says."""
    Operator().play(scenario.read_text(encoding="utf-8"))


def test_there_are_scenarios() -> None:
    """They are found where they are."""
    assert len(SCENARIOS) >= 12


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("expect rain", "line 1, 'expect rain': the clock said nothing"),
        ("when it rains", "nobody understands this sentence"),
        (
            f"{REPORTED}\nafter 4wh\nexpect nothing",
            "line 4, .* said: .'2021-03-01 13:00 dongsheng is reminded of decide'",
        ),
        (
            f"{REPORTED}\nafter 4wh\nexpect at 2021-03-01 12:00 dongsheng is reminded of decide",
            "so at 2021-03-01 13:00",
        ),
        (f"{REPORTED}\nafter 4wh\nexpect water is reminded of decide", "said: dongsheng is reminded of decide"),
        (f"{REPORTED}\nexpect dongsheng is late with decide", "late: "),
        (f"{REPORTED}\nexpect decide is due 2021-03-03 09:00", "2021-03-02 09:00"),
        (f"{REPORTED}\nafter 4wh", "the scenario ends, and nothing expects"),
        (f"{REPORTED}\nwhen the street insists on water", "has not declined"),
    ],
)
def test_a_scenario_that_does_not_come_true_fails(text: str, what: str) -> None:
    """With its line, and with what happened in its place: a test that can't fail proves nothing."""
    with pytest.raises(AssertionError, match=what):
        Operator().play(text)
