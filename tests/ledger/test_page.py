"""The page's script, as far as Node runs it without a browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
HERE = Path(__file__).parent
SCRIPTS = [HERE.parents[1] / "services" / "ledger" / name for name in ("page.js", "rates.js")]


@pytest.mark.skipif(not NODE, reason="Node is no part of the set-up; where it is there, the page's script is run by it")
def test_a_list_goes_on_by_itself_and_rounds_lead_from_level_to_finding() -> None:
    """Empty pages of a search are followed one at a time, none is asked for twice, and none once nobody looks.

    And the rates are shown with what they come from, small ones marked, under the question that was asked.

    From the grid levels a click leads to a level's rounds, and from there to what a round found.
    """
    assert NODE
    run = subprocess.run(
        [NODE, HERE / "page_in_node.js", *SCRIPTS], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 0, run.stderr
