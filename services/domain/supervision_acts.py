"""What supervision may do about an incident, and what follows."""

from typing import Any

from schemas import action
from services.domain import cases
from services.domain.story import Refusal, Story, Unknown, Verdict
from services.domain.street_acts import deny, grant


def decide(story: Story, fact: Any) -> Verdict:
    """Decide about what supervision said."""
    state = story.state
    if state is None or state.status is None:
        return Unknown()
    if isinstance(fact, cases.ACTS):
        return cases.decide(story, fact)
    if state.ended:
        return Refusal(f"the incident is {state.status}")
    if isinstance(fact, action.Granted):
        return grant(story, "supervision", fact)
    if isinstance(fact, action.Denied):
        return deny(story, "supervision", fact)
    return cases.remind(story, fact)
