"""What supervision may do about an incident, and what follows."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from schemas import action
from services.domain import supervising
from services.domain.dispatching import name_lead
from services.domain.incident import Incident
from services.domain.story import Refusal, Story, Unknown, Verdict
from services.domain.street_acts import deny, grant


def decide(story: Story, fact: Any) -> Verdict:
    """Decide about what supervision said."""
    state = story.state
    if state is None or state.status is None:
        return Unknown()
    if isinstance(fact, supervising.ACTS):
        return supervising.decide(story, fact)
    if isinstance(fact, action.Reminded):
        return supervising.remind(story, fact)
    if state.ended:
        return Refusal(f"the incident is {state.status}")
    return _ACTS[type(fact)](story, state, fact)


def _grant(story: Story, _state: Incident, fact: action.Granted) -> Verdict:
    return grant(story, "supervision", fact)


def _deny(story: Story, _state: Incident, fact: action.Denied) -> Verdict:
    return deny(story, "supervision", fact)


_ACTS: Mapping[type, Callable[[Story, Incident, Any], Verdict]] = MappingProxyType(
    {
        action.LeadNamed: name_lead,
        action.Granted: _grant,
        action.Denied: _deny,
    }
)
