"""What an entry is told as, to people."""

from schemas import incident
from services.ledger.names import Names
from services.ledger.queries import Line
from services.ledger.words import told
from tests.ledger.scenes import History


def test_every_obligation_names_the_rule_and_the_version_it_came_of() -> None:
    """Whoever looks at a history sees by which rule of which configuration, and up which ladder, somebody owes."""
    history = History(category="river").called("water")
    [dispatched] = [each for each in history.events if isinstance(each.data, incident.Dispatched)]
    entry = dispatched.data
    assert isinstance(entry, incident.Dispatched)
    line = Line(entry.version, dispatched.time, entry.type, entry.who, entry.by, entry.model_dump_json())
    policy = history.folded.obligations["water"].policy
    assert policy.rule
    assert policy.version
    assert f"规则 rule {policy.rule} ({policy.version}, {policy.ladder.name})" in told(line, Names())
