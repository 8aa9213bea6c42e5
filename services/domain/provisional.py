"""What is counted beyond the day until which a calendar is confirmed: marked, and counted again once it is certain.

Source: states.md, beside this file (clocks 1 and 7).
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from schemas import incident as entries
from services.domain.clocks import Due, Owed, debtor, running
from services.domain.configuration import Configuration
from services.domain.incident import Case, Incident
from services.domain.reading import Problem
from services.domain.story import Story
from services.domain.working_time import Calendar

RECOUNT: Final = "calendar "
"""How the name begins of the clock that counts again, whatever a rule calls its steps: a code has no blank in it.

It runs out when calendars become others, not at an instant, and their name is the rest of its own.
"""
ALARM_BEFORE: Final = timedelta(days=60)
_CURE: Final = "enter the next notice under calendar-days:, or install the release of the library holidays that has it"


def counted_by(state: Incident, configuration: Configuration) -> str | None:
    """Return the name of the calendars that a state with provisional deadlines is counted by; None if it has none."""
    return configuration.counted_by if _uncertain(state) else None


def _uncertain(state: Incident) -> bool:
    """Whether any deadline is provisional; asked at every decision, so it is written to be quick."""
    for clock in state.clocks.values():
        if clock.provisional is not None:
            return True
    for owed in state.obligations.values():
        for clock in owed.clocks.values():
            if clock.provisional is not None:
                return True
    for case in state.cases.values():
        for clock in case.clocks.values():
            if clock.provisional is not None:
                return True
    return False


def recount_due(state: Incident, configuration: Configuration, at: datetime) -> Due:
    """Return the firing that counts a state again at an instant, where it was counted by other calendars.

    Where a deadline becomes certain, that happens once, whoever sees to it and whenever. Where none does, it is only
    noted by which calendars it was counted, as often as they change, back and forth.
    """
    again = 0 if any(_certain(state, configuration, at)) else int(at.timestamp() * 1_000_000)
    return Due(at, None, f"{RECOUNT}{configuration.counted_by}", state.version, again)


def recount(story: Story) -> None:
    """Set the provisional deadlines that have become certain, counted from where they were first counted from.

    Every decision begins with it, or a state could be written as counted by calendars that it was never counted by. A
    deadline that has passed stays where it was: what was late stays late.
    """
    # Nearly always there is nothing to do: in the last weeks of a year, for most incidents that are open.
    if story.state is None or not _uncertain(story.state):
        return
    found: dict[_Whose, dict[str, tuple[datetime, Calendar]]] = {}
    for owed, name, due_at, calendar in _certain(story.now_is, story.configuration, story.at):
        found.setdefault(_whose(owed), {})[name] = due_at, calendar
    for (department, case, number), counted in found.items():
        story.tell(
            entries.Recomputed,
            department=department,
            case=case,
            round=number,
            deadlines={name: due_at for name, (due_at, _) in counted.items()},
            reason="; ".join(dict.fromkeys(_reason(calendar) for _, calendar in counted.values())),
            who="clock",
            by="rule:calendar",
            **_asked_of_the_district(story, department, case, counted),
        )


_Whose = tuple[str | None, str | None, int]


def _whose(owed: Owed) -> _Whose:
    """Return the department or the case that a clock belongs to, and which round or turn of it."""
    if isinstance(owed, Case):
        return None, owed.unit, owed.turn
    return (owed.department, None, owed.round) if owed else (None, None, 0)


def _asked_of_the_district(
    story: Story, department: str | None, case: str | None, names: Collection[str]
) -> Mapping[str, str]:
    """Return the post that is told where one of these deadlines is the district's, with who holds it; else nothing."""
    state, post = story.now_is, story.configuration.approvals.top.post
    if department:
        request = state.obligations[department].request
        if "approve" not in names or request is None or request.approver.party != "supervision":
            return {}
        unit, post = request.unit, request.approver.post
    elif case:
        unit = state.cases[case].judge if "judge" in names else ""
    else:
        unit = state.naming if "lead" in names else ""
    return {"post": post, **story.holding(unit, post)} if unit else {}


def _reason(calendar: Calendar) -> str:
    until = f"until {calendar.confirmed_until}" if calendar.confirmed_until else "for ever"
    return f"the calendar {calendar.name} is confirmed {until}"


def _certain(
    state: Incident, configuration: Configuration, at: datetime
) -> Iterator[tuple[Owed, str, datetime, Calendar]]:
    """Yield every provisional deadline that hasn't passed and is certain by now, with its instant by its calendar."""
    for owed, name, clock in running(state):
        if clock.provisional is None or clock.due_at <= at:
            continue
        calendar = configuration.calendar_of(debtor(state, owed, name))
        counted = calendar.counted(clock.provisional.since, clock.provisional.duration)
        # Nobody is late by a deadline that was never told before it passed: then it stays where it was.
        due_at = counted if counted > at else clock.due_at
        if calendar.certain_before is None or due_at < calendar.certain_before:
            yield owed, name, due_at, calendar


def running_out(configuration: Configuration, now: datetime) -> list[Problem]:
    """Return a warning for each calendar that runs out within 60 days, or has; empty when none does."""
    found = []
    for calendar in {each.name: each for each in (configuration.calendar, *configuration.calendars.values())}.values():
        end = calendar.certain_before
        if end is not None and end - now <= ALARM_BEFORE:
            when = f"in {(end - now).days} days" if end > now else "already"
            file, line = calendar.read_from
            what = (
                f"the calendar {calendar.name!r} runs out {when}: it is confirmed until {calendar.confirmed_until}, "
                "and every deadline after that is provisional"
            )
            found.append(Problem(file, line, "warning", what, _CURE))
    return found
