"""One more round of work on an obligation, with deadlines of its own.

Source: states.md, beside this file.
"""

from schemas import incident as entries
from services.domain.incident import Obligation
from services.domain.story import Story
from services.domain.working_time import Duration


def redispatch(story: Story, owed: Obligation, note: str) -> None:
    """Dispatch again under the policy that was frozen, in a new round."""
    policy = owed.policy
    durations = {name: Duration.parse(text) for name, text in policy.durations.items()}
    story.tell(
        entries.Dispatched,
        department=owed.department,
        round=owed.round + 1,
        role=owed.role,
        section=owed.section,
        owner=owed.owner,
        policy=policy,
        deadlines=story.deadlines(**durations),
        note=note,
    )


def send_back(story: Story, owed: Obligation, reason: str) -> None:
    """Send resolved work back: whoever did it has it in hand still, and is on the spot if they were."""
    durations = {name: Duration.parse(text) for name, text in owed.policy.durations.items() if name != "acknowledge"}
    if owed.arrived:
        durations.pop("arrive", None)
    story.tell(
        entries.SentBack,
        department=owed.department,
        round=owed.round + 1,
        reason=reason,
        deadlines=story.deadlines(**durations),
    )
