"""What is frozen at a dispatch is read once for all obligations that have the same."""

import json

from pydantic import TypeAdapter

from schemas import decision
from services.domain.incident import Incident
from tests.domain.scene import Scene, opened

codec = TypeAdapter(Incident)


def written() -> bytes:
    """The same as a room stores it."""
    return codec.dump_json(called(), exclude_defaults=True)


def called() -> Incident:
    """An incident with a department at work."""
    scene = Scene()
    scene.street(opened("water"))
    scene.street(decision.Called(departments=("water",)))
    return scene.now


def test_a_state_comes_back_as_it_was() -> None:
    """Nothing of the policy and its owner is lost on the way through the text."""
    state = called()
    assert codec.validate_json(codec.dump_json(state, exclude_defaults=True)) == state


def test_what_is_the_same_is_one_object() -> None:
    """A router holds thousands of states, and few policies."""
    first, second = (codec.validate_json(written()).obligations["water"] for _ in range(2))
    assert first.policy is second.policy
    assert first.owner is second.owner


def test_a_state_without_the_text_is_read_too() -> None:
    """A state that was written before policies were texts holds them as they are, and is the same."""
    state = json.loads(written())
    for name in ("policy", "owner"):
        state["obligations"]["water"][name] = json.loads(state["obligations"]["water"][name])
    assert codec.validate_json(json.dumps(state)) == codec.validate_json(written())
