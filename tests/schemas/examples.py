"""The examples that ship beside the schemas, as the tests read them."""

from dataclasses import dataclass
from pathlib import Path

from schemas.documents import EXAMPLES
from schemas.event import Fact
from schemas.topics import TOPICS, Topic


@dataclass(frozen=True, slots=True)
class Example:
    """One file of `schemas/examples`; `reason` is why it is invalid."""

    topic: Topic
    path: Path
    reason: str = ""

    @property
    def content(self) -> bytes:
        """The record's value."""
        return self.path.read_bytes()

    @property
    def facts(self) -> dict[str, type[Fact]]:
        """What its topic takes."""
        return {fact.type: fact for fact in self.topic.facts}

    def __str__(self) -> str:
        """Name it in a test's id."""
        return f"{self.topic.named('code')}/{self.path.stem}"


VALID = [
    Example(topic, path)
    for topic in TOPICS
    for path in sorted((EXAMPLES / topic.named("code") / "valid").glob("*.json"))
]
INVALID = [
    Example(topic, path, path.with_suffix(".reason").read_text(encoding="utf-8").removesuffix("\n"))
    for topic in TOPICS
    for path in sorted((EXAMPLES / topic.named("code") / "invalid").glob("*.json"))
]
