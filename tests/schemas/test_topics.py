import re

import pytest

from schemas.event import Fact
from schemas.topics import TOPICS, Topic, family

FACTS = [fact for topic in TOPICS for fact in topic.facts]


def subclasses(of: type[Fact]) -> set[type[Fact]]:
    """Every class below this one."""
    return {below for each in of.__subclasses__() for below in {each} | subclasses(each)}


def test_every_fact_belongs_to_exactly_one_topic() -> None:
    """No message type is on two topics, and none that is written is on no topic."""
    assert len({fact.type for fact in FACTS}) == len(FACTS)
    written = {each for each in subclasses(Fact) if "type" in vars(each) and each.__module__.startswith("schemas.")}
    assert written == set(FACTS)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.type)
def test_types_are_named_by_file_and_class(fact: type[Fact]) -> None:
    """The name on the wire is `whistle.<file>.<class in snake case>.v1`, letter by letter."""
    noun = fact.__module__.rpartition(".")[2]
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", fact.__name__).lower()
    assert fact.type == f"whistle.{noun}.{snake}.v1"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_finds_its_family_again(topic: Topic) -> None:
    """A topic's name leads to its family and the code of its party, and no other name does."""
    code = "dong-sheng1" if topic.party else None
    name = topic.named("dong-sheng1")
    assert family(name) == (topic, code)
    assert re.match(topic.pattern, name)
    for stranger in (name + "x", "x" + name, name.upper(), name.replace(".", "-"), name + "\n"):
        assert family(stranger) is None


def test_each_topic_has_one_kind_of_writer() -> None:
    """Identity is the topic: one kind of party writes on it."""
    assert all(len(topic.writers) == 1 and topic.readers for topic in TOPICS)
