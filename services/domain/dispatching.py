"""Dispatching, and who leads: the first who was called, until somebody with the power to do so names another.

1. The department first called leads (首接负责). Where the lead is withdrawn and others go on, the first of those leads.
2. Where all have declined, the district has to name the lead (指定主办) by a deadline; until then the first who was
   called leads, in a new round, and may not decline. The street's own sections alone are the street's to command.
3. Whom the district names leads, and may not decline. Who had declined is withdrawn, and who is at work supports.
4. Every department called has the whistle's own deadlines where its rule is not stricter. One that is at work already
   goes on, and owes what it would owe if it were called now, where that ends sooner.

Source: the district's practice of first receivers and named leads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from schemas import action
from schemas import incident as entries
from schemas.decision import CallKind, Request
from schemas.dispatch import Bound
from schemas.event import isoformat
from services.domain import routing
from services.domain.incident import Incident, Obligation
from services.domain.story import Refusal, Story, Verdict
from services.domain.whistles import stricter
from services.domain.working_time import Duration

_FIRST: Final = "rule:first-receiver-leads"
_AT_WORK: Final = frozenset({"dispatched", "acknowledged", "parked"})


def dispatch(
    story: Story,
    department: str,
    policy: routing.Policy,
    call: CallKind | None,
    note: str = "",
    *,
    resolve_by: datetime | None = None,
    **fields: Any,
) -> None:
    """Dispatch to a department in its next round by a kind of whistle: deadlines from now, or a term of its own."""
    state = story.now_is
    before = state.obligations.get(department)
    lead = state.lead
    leads = lead is None or lead.department == department
    limits = story.configuration.whistle(call).deadlines
    if limits:
        calendar = story.configuration.calendar_of(department)
        policy = replace(policy, deadlines=stricter(policy.deadlines, limits, calendar, story.at))
    story.tell(
        entries.Dispatched,
        department=department,
        round=before.round + 1 if before else 1,
        role="lead" if leads else "support",
        section=story.configuration.directory.is_section(department, state.street),
        owner=story.configuration.owner_of(department, story.at),
        policy=story.configuration.frozen(policy),
        deadlines=_within_term(story.deadlines(department, **policy.deadlines), resolve_by),
        note=note,
        term=resolve_by,
        **fields,
    )


def hastened(
    story: Story, owed: Obligation, policy: routing.Policy, call: CallKind | None
) -> tuple[routing.Policy, Mapping[str, datetime]] | None:
    """Return by which policy, and which deadlines sooner, a department owes that a whistle finds at work (rule 4).

    None where the kind of whistle has no limits of its own, or nothing ends sooner by them.
    """
    limits = story.configuration.whistle(call).deadlines if call else {}
    if not limits or owed.status not in _AT_WORK or never_took_it_on(owed):
        return None
    before = {name: Duration.parse(text) for name, text in owed.policy.durations.items()}
    calendar = story.configuration.calendar_of(owed.department)
    now_owed = stricter(before, stricter(policy.deadlines, limits, calendar, story.at), calendar, story.at)
    # What it had to do and has no clock for is done; only to resolve waits while it is parked.
    done = {name for name in before if name not in owed.clocks and (name != "resolve" or owed.status != "parked")}
    done |= {"arrive"} if owed.arrived else set()
    done |= {"acknowledge"} if owed.status != "dispatched" else set()
    owing = {name: duration for name, duration in now_owed.items() if name not in done}
    sooner = {
        name: due_at
        for name, due_at in story.deadlines(owed.department, **owing).items()
        if name not in owed.clocks or due_at < owed.clocks[name].due_at
    }
    return (replace(policy, deadlines=now_owed), sooner) if sooner else None


def hasten(story: Story, owed: Obligation, policy: routing.Policy, call: CallKind | None) -> None:
    """Tell a department that is at work what it owes sooner by a whistle, if anything (rule 4)."""
    found = hastened(story, owed, policy, call)
    if found:
        frozen = story.configuration.frozen(found[0])
        story.tell_of(entries.Hastened, owed.department, policy=frozen, deadlines=found[1])


def redispatch(story: Story, owed: Obligation, note: str, **fields: Any) -> None:
    """Dispatch again under the policy that was frozen, in a new round."""
    policy = owed.policy
    # Who only leads until the district names somebody is bound no longer than that; all others in every round.
    fields.setdefault("bound", None if owed.bound == "first" else owed.bound)
    durations = {name: Duration.parse(text) for name, text in policy.durations.items()}
    term = _ahead(story, owed)
    story.tell(
        entries.Dispatched,
        department=owed.department,
        round=owed.round + 1,
        role=owed.role,
        section=owed.section,
        owner=owed.owner,
        policy=policy,
        deadlines=_within_term(story.deadlines(owed.department, **durations), term),
        note=note,
        term=term,
        **fields,
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
        deadlines=_within_term(story.deadlines(owed.department, **durations), _ahead(story, owed)),
    )


def _ahead(story: Story, owed: Obligation) -> datetime | None:
    """Return an obligation's own term, which holds in every round that begins before it; None where it has no more."""
    return owed.term if owed.term and owed.term > story.at else None


def _within_term(deadlines: Mapping[str, datetime], term: datetime | None) -> dict[str, datetime]:
    """Return deadlines where `resolve` is the term, if there is one, and no other ends later."""
    if term is None:
        return dict(deadlines)
    return {name: min(due_at, term) for name, due_at in deadlines.items()} | {"resolve": term}


def in_bounds(story: Story, request: Request, until: datetime) -> Refusal | None:
    """Whether what is asked for, or granted, lies ahead, and an extension within the incident's own deadline."""
    overall = story.now_is.clocks.get("overall")
    if until <= story.at:
        return Refusal(f"{isoformat(until)} has passed: deny the {request}, and it is asked for anew")
    if request == "extension" and overall and until > overall.due_at:
        latest = isoformat(overall.due_at)
        return Refusal(f"the whole incident is due by {latest}, and no extension moves that: ask for no more")
    return None


# --- who leads -------------------------------------------------------------------------------------------------------


def seek_lead(story: Story) -> None:
    """See whether all who were called have now declined (rule 2)."""
    state = story.now_is
    called = [each for each in state.obligations.values() if each.status != "withdrawn"]
    if any(each.status != "declined" for each in called) or all(each.section for each in called):
        return
    district = story.configuration.directory.district
    if district is None:
        return
    # Who has been asked already has no longer for it, whatever the street does meanwhile.
    if "lead" not in state.clocks:
        post = story.configuration.approvals.top.post
        story.tell(
            entries.LeadSought,
            by=_FIRST,
            unit=district.code,
            post=post,
            **story.holding(district.code, post),
            deadlines=story.deadlines(district.code, lead=story.configuration.street.lead),
        )
    first = called[0]
    _pass_lead(story, first.department, "all who were called have declined: the first leads", bound="first")
    redispatch(story, story.owed_by(first.department), "until the district names a lead", by=_FIRST, bound="first")


def lead_again(story: Story, done: Sequence[Obligation]) -> None:
    """See that somebody leads what is reopened: the first of those who had done it, where the lead was withdrawn."""
    if done and story.now_is.lead is None:
        _pass_lead(story, done[0].department, "the lead was withdrawn")


def keep_led(story: Story) -> None:
    """See that somebody leads what goes on (rule 1)."""
    state = story.now_is
    going_on = [each for each in state.obligations.values() if each.open]
    if going_on and state.lead is None:
        at_work = [each for each in going_on if each.status != "declined"] or going_on
        _pass_lead(story, at_work[0].department, "the lead was withdrawn")


def _pass_lead(story: Story, department: str, reason: str, *, bound: Bound | None = None) -> None:
    lead = story.now_is.lead
    if lead is None or lead.department != department:
        story.tell(entries.LeadNamed, lead=department, reason=reason, bound=bound, by=_FIRST)


def name_lead(story: Story, state: Incident, fact: action.LeadNamed) -> Verdict:
    """Name who leads, by the district's power over all departments (rule 3)."""
    if state.status not in {"called", "responding"}:
        return Refusal(f"an incident that is {state.status} has nobody to lead it")
    unit = story.configuration.directory.units.get(fact.department)
    if unit is None or not (
        unit.level == "department" or story.configuration.directory.is_section(fact.department, state.street)
    ):
        return Refusal(f"there is no department {fact.department} that could lead an incident of {state.street}")
    owed = state.obligations.get(fact.department)
    if owed and owed.status == "confirmed":
        return Refusal(f"the work of {fact.department} is confirmed already")
    story.tell(entries.LeadNamed, lead=fact.department, reason=fact.reason, bound="named")
    for other in state.obligations.values():
        if other.department != fact.department and never_took_it_on(other):
            reason = f"{fact.department} was named the lead"
            story.tell_of(entries.Withdrawn, other.department, reason=reason)
    if owed is None or owed.status == "withdrawn":
        policy = story.configuration.policy_for(story.labels(state.call), fact.department)
        dispatch(story, fact.department, policy, state.call, note=fact.reason, bound="named")
    elif owed.status == "declined":
        redispatch(story, story.owed_by(fact.department), note=fact.reason, bound="named")
    return None


def never_took_it_on(owed: Obligation) -> bool:
    """Tell whether a department declined, or would have if it could: it leads only until another is named."""
    return owed.status == "declined" or (owed.status == "dispatched" and owed.bound == "first")
