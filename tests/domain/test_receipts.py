"""The receipt of a report: it opens what is its own, and nothing else opens anything."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.receipts import SEAL_BYTES, read_receipt, receipt_of

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
REPORT = UUID("0176cb1e-6c00-7a10-9b3e-2f6f1f0c5d01")
codes = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)


@given(codes, st.uuids())
def test_a_receipt_is_read_back_as_it_was_made(community: str, report: UUID) -> None:
    """It is the same each time, and names its community and report to who has the key."""
    receipt = receipt_of(KEY, community, report)
    assert receipt == receipt_of(KEY, community, report)
    assert read_receipt(KEY, receipt) == (community, report)


@given(codes, st.uuids(), st.data())
def test_a_receipt_with_a_character_changed_is_none(community: str, report: UUID, data: st.DataObject) -> None:
    """Wherever it is changed, also in the community, and to the last character, which has bits to spare."""
    receipt = receipt_of(KEY, community, report)
    at = data.draw(st.one_of(st.integers(0, len(receipt) - 2), st.just(len(receipt) - 1)))
    other = data.draw(st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz").filter(lambda each: each != receipt[at]))
    assert read_receipt(KEY, receipt[:at] + other + receipt[at + 1 :]) is None


@given(st.text(max_size=80))
def test_nothing_else_is_a_receipt(text: str) -> None:
    """No text of any kind opens anything, and none raises."""
    assert read_receipt(KEY, text) is None


def test_only_the_key_opens_it() -> None:
    """Another community's key does not, and a receipt of one community does not open the same id of another."""
    receipt = receipt_of(KEY, "guangdu", REPORT)
    assert read_receipt(OTHER_KEY, receipt) is None
    assert read_receipt(KEY, receipt.replace("guangdu", "wudongqiao")) is None
    assert SEAL_BYTES * 8 >= 80


@pytest.mark.parametrize("change", [str.upper, lambda each: each.replace("-", " "), lambda each: f" {each}\n"])
def test_it_may_be_copied_by_hand(change: object) -> None:
    """Case, hyphens and blanks don't matter, nor letters that look like a digit."""
    assert callable(change)
    receipt = receipt_of(KEY, "guangdu", REPORT)
    assert read_receipt(KEY, change(receipt)) == ("guangdu", REPORT)
    community, _, code = receipt.partition(".")
    misread = f"{community}.{code.replace('0', 'o').replace('1', 'l')}"
    assert misread != receipt
    assert read_receipt(KEY, misread) == ("guangdu", REPORT)


def test_it_is_seven_groups_without_letters_that_look_like_digits() -> None:
    """So it is written on a slip: the community, a dot, and groups of six."""
    assert re.fullmatch(
        r"guangdu\.([0-9a-hjkmnp-tv-z]{6}-){6}[0-9a-hjkmnp-tv-z]{6}", receipt_of(KEY, "guangdu", REPORT)
    )
